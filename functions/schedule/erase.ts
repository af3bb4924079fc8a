import middy from '@middy/core'
import type { EventBridgeEvent } from 'aws-lambda'
import { accountErasing } from '../../shared/aws/account-erasing.ts'
import { accounts } from '../../shared/aws/accounts.ts'
import { documentClient, objectClient, queueClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { doorbellRinger } from '../../shared/aws/doorbells.ts'
import { erasures } from '../../shared/aws/erasures.ts'
import { liveStore } from '../../shared/aws/live.ts'
import { liveChanges } from '../../shared/aws/live-changes.ts'
import { mediaErasing } from '../../shared/aws/media-erasing.ts'
import { messageErasing } from '../../shared/aws/message-erasing.ts'
import { webhookLanes } from '../../shared/aws/webhook-lanes.ts'
import { webhookStore } from '../../shared/aws/webhooks.ts'
import { configure } from '../config.ts'
import { goOn } from '../erasures/erase.ts'
import { log } from '../log.ts'

const config = configure(
  'ACCOUNTS_TABLE',
  'CONNECTIONS_TABLE',
  'MESSAGES_TABLE',
  'LIVE_TABLE',
  'MEDIA_TABLE',
  'MEDIA_BUCKET',
  'WEBHOOKS_TABLE',
  'PARTITION_QUEUE_PREFIX',
)
const documents = documentClient()
const accountsTable = { documents, table: config.ACCOUNTS_TABLE }
const liveTable = { documents, table: config.LIVE_TABLE }
const webhooksTable = { documents, table: config.WEBHOOKS_TABLE }
const media = mediaErasing(
  { documents, table: config.MEDIA_TABLE },
  { objects: objectClient(), bucket: config.MEDIA_BUCKET },
)
const stores = {
  accounts: accounts(accountsTable),
  accountErasing: accountErasing(accountsTable),
  erasures: erasures(accountsTable),
  connections: apiConnections({ documents, table: config.CONNECTIONS_TABLE }),
  messages: messageErasing({ documents, table: config.MESSAGES_TABLE }, media),
  media,
  live: liveStore(liveTable),
  liveChanges: liveChanges(liveTable),
  webhooks: webhookStore(webhooksTable),
  webhookLanes: webhookLanes(webhooksTable),
  doorbells: doorbellRinger({ queues: queueClient(), partitionQueuePrefix: config.PARTITION_QUEUE_PREFIX }),
}

/** The rest of the function's time is for what is under way. */
const workMs = 35_000

/** Each minute: goes on with every erasure that is not done, so that none is forgotten, whatever crashed. */
export const handler = middy<EventBridgeEvent<'Scheduled Event', unknown>, void>().handler(async () => {
  log.resetKeys()
  const endsAtMs = Date.now() + workMs
  const failures: unknown[] = []
  for (const erasure of await stores.erasures.open()) {
    const { erasureId, businessProfileId } = erasure
    try {
      const outcome = await goOn(stores, erasure, Date.now, () => Date.now() < endsAtMs)
      log.info('erasure', { erasureId, businessProfileId, outcome })
    } catch (error) {
      log.warn('erasure did not go on', { erasureId, businessProfileId, error: error as Error })
      failures.push(error)
    }
    if (Date.now() >= endsAtMs) break
  }
  if (failures.length > 0) throw new AggregateError(failures, 'some erasures did not go on; the next run takes them')
})
