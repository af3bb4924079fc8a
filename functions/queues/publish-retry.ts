import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { documentClient } from '../../shared/aws/clients.ts'
import { liveStore } from '../../shared/aws/live.ts'
import { liveChanges } from '../../shared/aws/live-changes.ts'
import { assertNever } from '../../shared/domain/words.ts'
import { bounded } from '../bounded.ts'
import { configure } from '../config.ts'
import { fanOut } from '../live/fan-out.ts'
import { socketsAt } from '../live/sockets.ts'
import { log } from '../log.ts'
import { type PublishRetry, publishRetrySchema } from '../streams/retry-queue.ts'

const config = configure('LIVE_TABLE', 'LIVE_CALLBACK_URL')
const liveTable = { documents: documentClient(), table: config.LIVE_TABLE }
const live = liveStore(liveTable)
const changes = liveChanges(liveTable)
const sockets = socketsAt(config.LIVE_CALLBACK_URL)

/** Tries again what publishing could not do. What never succeeds ends in the dead-letter queue, by the queue's redrive. */
export const handler = middy<SQSEvent, SQSBatchResponse>().handler(async (event) => {
  log.resetKeys()
  const outcomes = await bounded(event.Records, 5, async (record) => ({
    itemIdentifier: record.messageId,
    done: await retry(record),
  }))
  return { batchItemFailures: outcomes.filter(({ done }) => !done).map(({ itemIdentifier }) => ({ itemIdentifier })) }
})

async function retry(record: SQSRecord): Promise<boolean> {
  try {
    return await act(publishRetrySchema.parse(JSON.parse(record.body)))
  } catch (error) {
    log.warn('retry failed', { sqsMessageId: record.messageId, error: error as Error })
    return false
  }
}

async function act(retry: PublishRetry): Promise<boolean> {
  switch (retry.kind) {
    case 'frames': {
      const { unclosed } = await fanOut({ live, changes, sockets }, retry.businessProfileId, retry.frames, Date.now())
      return unclosed.length === 0
    }
    case 'close':
      return closeAll(retry.socketIds)
    case 'undecodable':
      log.error('stream record is not a row', { sequenceNumber: retry.sequenceNumber, reason: retry.reason })
      return false
    default:
      return assertNever(retry)
  }
}

async function closeAll(socketIds: readonly string[]): Promise<boolean> {
  const outcomes = await bounded(socketIds, 5, (socketId) => sockets.close(socketId))
  return outcomes.every(({ kind }) => kind !== 'failed')
}
