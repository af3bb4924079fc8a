import { setTimeout as delay } from 'node:timers/promises'
import middy from '@middy/core'
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda'
import { documentClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { liveStore, type Subscription } from '../../shared/aws/live.ts'
import { liveChanges } from '../../shared/aws/live-changes.ts'
import { readMessages } from '../../shared/aws/message-history.ts'
import { bounded } from '../bounded.ts'
import { configure } from '../config.ts'
import { mayBeConnecting } from '../live/fan-out.ts'
import { type ResumePorts, resumePayloads } from '../live/resume.ts'
import { snapshotPayloads } from '../live/snapshot-frames.ts'
import { socketsAt } from '../live/sockets.ts'
import { log } from '../log.ts'
import { imagesOf, sequenceNumberOf, subscriptionOf } from './decode.ts'

const config = configure('LIVE_TABLE', 'CONNECTIONS_TABLE', 'MESSAGES_TABLE', 'LIVE_CALLBACK_URL')
const documents = documentClient()
const live = liveStore({ documents, table: config.LIVE_TABLE })
const connections = apiConnections({ documents, table: config.CONNECTIONS_TABLE })
const resuming: ResumePorts = {
  changes: liveChanges({ documents, table: config.LIVE_TABLE }),
  messages: (names) => readMessages({ documents, table: config.MESSAGES_TABLE }, names),
}
const sockets = socketsAt(config.LIVE_CALLBACK_URL)

const snapshotsAtOnce = 10
/** Paces the stream's own retries: a socket whose `$connect` has just returned is there within this time. */
const secondTryMs = 1_000

/** Snapshots that this process delivered, so that a batch that comes again because of one socket repeats none. */
const delivered = new Set<string>()
const deliveredMax = 10_000

type Outcome = 'done' | 'connecting' | 'failed'

/**
 * Stream of the table `live`: a subscription's own record, written by `$connect`, brings its snapshot, and to a client that
 * was connected before what it missed. A socket that cannot be
 * posted to yet is reported, and the stream brings the record again, for 30 seconds.
 */
export const handler = middy<DynamoDBStreamEvent, DynamoDBBatchResponse>().handler(async (event) => {
  log.resetKeys()
  const outcomes = await bounded(event.Records, snapshotsAtOnce, async (record) => ({
    itemIdentifier: sequenceNumberOf(record),
    outcome: await send(record),
  }))
  return {
    batchItemFailures: outcomes
      .filter(({ outcome }) => outcome !== 'done')
      .map(({ itemIdentifier }) => ({ itemIdentifier })),
  }
})

async function send(record: DynamoDBRecord): Promise<Outcome> {
  const { before, after } = imagesOf(record)
  const written = after && subscriptionOf(after)
  if (written === undefined) return 'done'
  // Only a new interest asks for a snapshot; a sign of life does not.
  if (before !== undefined && subscriptionOf(before)?.version === written.version) return 'done'
  const outcome = await sendTo(written.socketId)
  if (outcome !== 'connecting') return outcome
  await delay(secondTryMs)
  return sendTo(written.socketId)
}

async function sendTo(socketId: string): Promise<Outcome> {
  try {
    // As it is now, by consistent read: of several records the first one brings the newest snapshot, the others none.
    const subscription = await live.subscriptionOf(socketId)
    if (subscription === undefined || isDelivered(subscription)) return 'done'
    return await post(subscription)
  } catch (error) {
    log.warn('snapshot failed; it will be tried again', { socketId, error: error as Error })
    return 'failed'
  }
}

async function post(subscription: Subscription): Promise<Outcome> {
  const { socketId, businessProfileId } = subscription
  const payloads = [
    ...(await snapshotPayloads(connections, subscription)),
    ...(await resumePayloads(resuming, subscription, Date.now())),
  ]
  for (const payload of payloads) {
    const delivery = await sockets.post(socketId, payload)
    if (delivery.kind === 'delivered') continue
    if (delivery.kind === 'failed') {
      // Without a snapshot it shows nothing or half of it: closed, it comes back and asks for another.
      log.warn('socket is closed: its snapshot could not be delivered', { socketId, error: delivery.error })
      return (await sockets.close(socketId)).kind === 'failed' ? 'failed' : 'done'
    }
    if (mayBeConnecting(subscription, Date.now())) return 'connecting'
    await live.removeSocket(socketId, businessProfileId)
    return 'done'
  }
  remember(subscription)
  return 'done'
}

const nameOf = ({ socketId, version }: Subscription): string => `${socketId}:${version}`

const isDelivered = (subscription: Subscription): boolean => delivered.has(nameOf(subscription))

function remember(subscription: Subscription): void {
  delivered.add(nameOf(subscription))
  for (const oldest of delivered) {
    if (delivered.size <= deliveredMax) break
    delivered.delete(oldest)
  }
}
