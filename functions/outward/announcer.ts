import type { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import middy from '@middy/core'
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda'
import type { OutwardEvent } from '../../shared/api/events.ts'
import { bounded } from '../bounded.ts'
import { log } from '../log.ts'
import { sequenceNumberOf } from '../streams/decode.ts'
import { putOnBus } from './bus.ts'
import { intoOutbox, type OutboxPorts, type PlacedEvent } from './outbox.ts'
import { type EventsRetry, putAside } from './retries.ts'

const profilesAtOnce = 4

export interface Announcing {
  readonly outbox: OutboxPorts
  readonly bus: EventBridgeClient
  readonly busName: string
  readonly retriesUrl: string
  /** In their order; none for records that nobody hears of. Throws for what is not a row. */
  readonly eventsOf: (record: DynamoDBRecord) => readonly OutwardEvent[]
}

/**
 * The handler of a table's stream that tells those outside: a function of its own, so that a sink that fails delays no browser.
 * What the bus does not take waits in a queue, what webhooks want is stored. Only where neither is possible is a record reported,
 * and the stream brings it again: the same event under the same id.
 */
export function announcer({ outbox, bus, busName, retriesUrl, eventsOf }: Announcing) {
  return middy<DynamoDBStreamEvent, DynamoDBBatchResponse>().handler(async (batch) => {
    log.resetKeys()
    const failed: string[] = []
    const told: (PlacedEvent & { readonly sequenceNumber: string })[] = []
    for (const record of batch.Records) {
      const sequenceNumber = sequenceNumberOf(record)
      try {
        const events = eventsOf(record)
        told.push(...events.map((event, i) => ({ event, sequenceNumber, order: placeOf(record, sequenceNumber, i) })))
      } catch (error) {
        if (!(await undecodable(record, sequenceNumber, error))) failed.push(sequenceNumber)
      }
    }
    if (!(await ontoBus(told.map(({ event }) => event)))) failed.push(...told.map((one) => one.sequenceNumber))
    else {
      const profiles = Map.groupBy(told, ({ event }) => event.businessProfileId)
      await bounded([...profiles], profilesAtOnce, async ([businessProfileId, events]) => {
        try {
          await intoOutbox(outbox, businessProfileId, events, Date.now())
        } catch (error) {
          log.error('events were not stored for webhooks; the stream brings them again', { error: error as Error })
          failed.push(...events.map(({ sequenceNumber }) => sequenceNumber))
        }
      })
    }
    return { batchItemFailures: [...new Set(failed)].map((itemIdentifier) => ({ itemIdentifier })) }
  })

  /** False: neither on the bus nor put aside. */
  async function ontoBus(events: readonly OutwardEvent[]): Promise<boolean> {
    const left = await putOnBus(bus, busName, events)
    return left.length === 0 || aside({ kind: 'bus', events: left })
  }

  async function undecodable(record: DynamoDBRecord, sequenceNumber: string, error: unknown): Promise<boolean> {
    const reason = error instanceof Error ? error.message : String(error)
    log.error('stream record is not a row', { sequenceNumber, reason })
    return aside({ kind: 'undecodable', sequenceNumber, keys: record.dynamodb?.Keys ?? null, reason })
  }

  async function aside(retry: EventsRetry): Promise<boolean> {
    try {
      await putAside(outbox.queues, retriesUrl, retry)
      return true
    } catch (error) {
      log.error('retry queue refused', { kind: retry.kind, error: error as Error })
      return false
    }
  }
}

/**
 * Where the event stands among those of its connection: by the second that the stream noted, then by the stream's own order. Sequence
 * numbers alone order one table's changes, but not those of two tables.
 *
 * @param nth of the record's events, from 0
 */
function placeOf({ dynamodb }: DynamoDBRecord, sequenceNumber: string, nth: number): string {
  const seconds = String(Math.floor(dynamodb?.ApproximateCreationDateTime ?? 0)).padStart(11, '0')
  return `${seconds}#${sequenceNumber.padStart(40, '0')}${nth === 0 ? '' : `#${nth}`}`
}
