import middy from '@middy/core'
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda'
import { type Figure, foldFigures } from '../../shared/domain/metrics.ts'
import { bounded } from '../bounded.ts'
import { type FanOutPorts, fanOut } from '../live/fan-out.ts'
import { log, measure } from '../log.ts'
import { sequenceNumberOf } from './decode.ts'
import { fold, type News, type Outgoing } from './fold.ts'
import type { RetryQueue } from './retry-queue.ts'

const profilesAtOnce = 4

export interface Publishing {
  readonly ports: FanOutPorts
  readonly retries: RetryQueue
  /** In their order; without news nobody hears of it. Throws for what is not a row. */
  readonly read: (record: DynamoDBRecord) => { readonly news: readonly News[]; readonly figures: readonly Figure[] }
}

/**
 * The handler of a table's stream: changes become frames on the sockets of their business profile. A failure is put into the
 * retry queue and holds up no other; only where that fails too is the record reported, and the stream brings it again.
 */
export function publisher({ ports, retries, read }: Publishing) {
  return middy<DynamoDBStreamEvent, DynamoDBBatchResponse>().handler(async (event) => {
    log.resetKeys()
    const failed: string[] = []
    const counted: { readonly sequenceNumber: string; readonly figures: readonly Figure[] }[] = []
    const told: (News & { readonly sequenceNumber: string })[] = []
    for (const record of event.Records) {
      const sequenceNumber = sequenceNumberOf(record)
      try {
        const { news, figures } = read(record)
        told.push(...news.map((one) => ({ ...one, sequenceNumber })))
        counted.push({ sequenceNumber, figures })
      } catch (error) {
        if (!(await setAside(record, sequenceNumber, error))) failed.push(sequenceNumber)
      }
    }
    await bounded(fold(told), profilesAtOnce, async (outgoing) => {
      if (!(await publish(outgoing))) failed.push(...outgoing.sequenceNumbers)
    })
    // What the stream brings again is counted then.
    const done = counted.filter(({ sequenceNumber }) => !failed.includes(sequenceNumber))
    measure(foldFigures(done.flatMap(({ figures }) => figures)))
    return { batchItemFailures: [...new Set(failed)].map((itemIdentifier) => ({ itemIdentifier })) }
  })

  /** False: neither published nor put aside. */
  async function publish({ businessProfileId, frames }: Outgoing): Promise<boolean> {
    try {
      const { delivered, unclosed } = await fanOut(ports, businessProfileId, frames, Date.now())
      log.debug('published', { businessProfileId, frames: frames.length, delivered })
      return unclosed.length === 0 || (await put({ kind: 'close', socketIds: [...unclosed] }))
    } catch (error) {
      log.warn('not published; it will be tried again', { businessProfileId, error: error as Error })
      return put({ kind: 'frames', businessProfileId, frames: [...frames] })
    }
  }

  async function setAside(record: DynamoDBRecord, sequenceNumber: string, error: unknown): Promise<boolean> {
    const reason = error instanceof Error ? error.message : String(error)
    log.error('stream record is not a row', { sequenceNumber, reason })
    return put({ kind: 'undecodable', sequenceNumber, keys: record.dynamodb?.Keys ?? null, reason })
  }

  async function put(retry: Parameters<RetryQueue['put']>[0]): Promise<boolean> {
    try {
      await retries.put(retry)
      return true
    } catch (error) {
      log.error('retry queue refused', { kind: retry.kind, error: error as Error })
      return false
    }
  }
}
