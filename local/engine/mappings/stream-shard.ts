/** Follows one shard: reads, filters, hands records to lanes, keeps the checkpoint; until the shard ends or the mapping stops. */
import type { EngineLog, Invoker, StreamMappingSpec } from '../contracts.ts'
import type { Matches } from '../events/pattern.ts'
import { pause } from '../events/pause.ts'
import type { Checkpoints } from './checkpoints.ts'
import type { FailureDestination } from './failure-destination.ts'
import { createShardProgress } from './shard-progress.ts'
import { type BatchRetryPolicy, createBatchRunner } from './stream-batch.ts'
import type { ShardReader } from './stream-client.ts'
import { createLane, laneOf } from './stream-lane.ts'
import type { StreamRecord } from './stream-records.ts'

/** Polls follow each other closely after activity and calm down step by step. */
const pollMs = 20
const pollMsIdle = 200
/** Reading waits while more records than this are open. */
const openRecordsMax = 5000

export interface ShardOptions {
  readonly spec: StreamMappingSpec
  readonly shardId: string
  readonly partitionKey: string
  readonly reader: ShardReader
  readonly passes: Matches
  readonly invoker: Invoker
  readonly destination: FailureDestination
  readonly checkpoints: Checkpoints
  readonly policy: BatchRetryPolicy
  readonly signal: AbortSignal
  readonly log: EngineLog
}

/** `ended`: the shard is closed and every record of it is done. */
export async function followShard(options: ShardOptions): Promise<'ended' | 'stopped'> {
  const { spec, shardId, reader, checkpoints, signal, log } = options
  const part = `mapping ${spec.tableName}`
  const progress = createShardProgress()
  let storing: Promise<void> = Promise.resolve()

  const done = (records: readonly StreamRecord[]): void => {
    const sequenceNumber = progress.done(records.map(({ dynamodb }) => dynamodb.SequenceNumber))
    if (sequenceNumber === undefined) return
    storing = storing
      .then(() => checkpoints.put(spec.mappingId, shardId, { kind: 'after', sequenceNumber }))
      .catch((error: unknown) => log.error(part, `the checkpoint was not stored: ${String(error)}`))
  }

  const runner = createBatchRunner({ ...options, onDone: done })
  const lanes = Array.from({ length: spec.parallelizationFactor }, () => createLane(spec, runner, signal))
  const idle = () => Promise.all(lanes.map((lane) => lane.idle()))

  const take = (records: readonly StreamRecord[]): void => {
    progress.add(records.map(({ dynamodb }) => dynamodb.SequenceNumber))
    const refused: StreamRecord[] = []
    const ofLanes: StreamRecord[][] = lanes.map(() => [])
    for (const record of records) {
      const lane = options.passes(record) ? ofLanes[laneOf(record, options.partitionKey, lanes.length)] : refused
      lane?.push(record)
    }
    done(refused)
    for (const [index, lane] of lanes.entries()) {
      const own = ofLanes[index] ?? []
      if (own.length > 0) lane.push(own)
    }
  }

  let waitMs = pollMs
  let failures = 0
  let ended = false
  while (!signal.aborted && !ended) {
    if (progress.open() < openRecordsMax) {
      try {
        const page = await reader.read()
        failures = 0
        // What was read while stopping is not begun: it comes again from the checkpoint.
        if (signal.aborted) break
        take(page.records)
        ended = page.ended
        waitMs = page.records.length > 0 ? pollMs : Math.min(pollMsIdle, waitMs * 1.5)
      } catch (error) {
        failures += 1
        if (failures === 1) log.error(part, `reading the stream failed: ${String(error)}`)
        waitMs = Math.min(10_000, pollMsIdle * 2 ** Math.min(failures, 6))
      }
    }
    if (!ended) await pause(waitMs, signal)
  }
  await idle()
  await storing
  if (signal.aborted || progress.open() > 0) return 'stopped'
  await checkpoints.put(spec.mappingId, shardId, { kind: 'end' })
  return 'ended'
}
