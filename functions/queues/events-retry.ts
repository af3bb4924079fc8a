import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { OutwardEvent } from '../../shared/api/events.ts'
import { bounded } from '../bounded.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'
import { putOnBus } from '../outward/bus.ts'
import { eventBus } from '../outward/ports.ts'
import { eventsRetrySchema } from '../outward/retries.ts'

const config = configure('EVENT_BUS')
const bus = eventBus()

/** Puts on the bus what it did not take before. What never succeeds ends in the dead-letter queue, by the queue's redrive. */
export const handler = middy<SQSEvent, SQSBatchResponse>().handler(async (event) => {
  log.resetKeys()
  const outcomes = await bounded(event.Records, 5, async (record) => ({
    itemIdentifier: record.messageId,
    done: await retry(record),
  }))
  return { batchItemFailures: outcomes.filter(({ done }) => !done).map(({ itemIdentifier }) => ({ itemIdentifier })) }
})

async function retry({ body, messageId }: SQSRecord): Promise<boolean> {
  try {
    const parsed = eventsRetrySchema.parse(JSON.parse(body))
    if (parsed.kind === 'bus') {
      const left = await putOnBus(bus, config.EVENT_BUS, parsed.events as readonly OutwardEvent[])
      return left.length === 0
    }
    log.error('stream record is not a row', { sequenceNumber: parsed.sequenceNumber, reason: parsed.reason })
    return false
  } catch (error) {
    log.warn('retry failed', { sqsMessageId: messageId, error: error as Error })
    return false
  }
}
