/** Records that must run one batch after the other. A shard has as many lanes as its parallelization factor. */
import { createHash } from 'node:crypto'
import type { StreamMappingSpec } from '../contracts.ts'
import { pause } from '../events/pause.ts'
import type { BatchRunner } from './stream-batch.ts'
import type { StreamRecord } from './stream-records.ts'

export interface Lane {
  push(records: readonly StreamRecord[]): void
  /** Resolves when nothing of the lane is running; what still waits after a stop comes again at the next start. */
  idle(): Promise<void>
}

export function createLane(
  spec: Pick<StreamMappingSpec, 'batchSize' | 'maxBatchingWindowSeconds'>,
  runner: BatchRunner,
  signal: AbortSignal,
): Lane {
  const waiting: StreamRecord[] = []
  let work: Promise<void> | undefined
  /** Ends the batching window early, once the batch is full. */
  let full: AbortController | undefined

  const collect = async (): Promise<void> => {
    if (spec.maxBatchingWindowSeconds === 0 || waiting.length >= spec.batchSize) return
    full = new AbortController()
    await pause(spec.maxBatchingWindowSeconds * 1000, AbortSignal.any([signal, full.signal]))
    full = undefined
  }

  const drain = async (): Promise<void> => {
    while (waiting.length > 0 && !signal.aborted) {
      await collect()
      if (signal.aborted) return
      await runner.run(waiting.splice(0, spec.batchSize))
    }
  }

  return {
    push(records) {
      waiting.push(...records)
      if (waiting.length >= spec.batchSize) full?.abort()
      work ??= drain().finally(() => {
        work = undefined
      })
    },
    async idle() {
      while (work !== undefined) await work
    },
  }
}

/** The lane of an item: all items of one partition key share it, so that their order holds. */
export function laneOf(record: StreamRecord, partitionKey: string, lanes: number): number {
  if (lanes === 1) return 0
  const key = JSON.stringify(record.dynamodb.Keys[partitionKey] ?? record.dynamodb.Keys)
  return createHash('sha256').update(key).digest().readUInt32BE(0) % lanes
}
