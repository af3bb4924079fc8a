/**
 * A DynamoDB Streams event source mapping. Shards run beside each other, a child only after its parent is done, so that the
 * changes of one item keep their order.
 */
import type { EngineLog, Invoker, Running, StreamMappingSpec } from '../contracts.ts'
import { pause } from '../events/pause.ts'
import type { Checkpoint, Checkpoints } from './checkpoints.ts'
import { createFailureDestination } from './failure-destination.ts'
import { compileRecordFilter } from './filters.ts'
import { type BatchRetryPolicy, defaultRetryPolicy } from './stream-batch.ts'
import { createMappedStream, type MappedStream, type StreamDescription, type StreamShard } from './stream-client.ts'
import { followShard } from './stream-shard.ts'

/** How often a stream whose shards have all ended is asked for new ones. */
const newShardsMs = 1000

export interface StreamMappingOptions {
  readonly invoker: Invoker
  readonly checkpoints: Checkpoints
  readonly log: EngineLog
  readonly retry?: Partial<BatchRetryPolicy>
}

/**
 * Resolves once the stream was described and the starting position is fixed: every later write reaches the function.
 * @throws {PatternError} when a filter is malformed
 * @throws the SDK's error when the function's role may not read the stream, as AWS refuses to create such a mapping
 */
export async function startStreamMapping(spec: StreamMappingSpec, options: StreamMappingOptions): Promise<Running> {
  const { checkpoints, log } = options
  const passes = compileRecordFilter(spec.filters)
  const stream = createMappedStream(spec)
  const destination = createFailureDestination(spec, log)
  const stopping = new AbortController()
  const signal = stopping.signal
  const active = new Map<string, Promise<unknown>>()
  const finished = new Set<string>()

  const follow = async (shard: StreamShard, partitionKey: string): Promise<void> => {
    const checkpoint: Checkpoint = (await checkpoints.get(spec.mappingId, shard.shardId)) ?? { kind: 'start' }
    if (checkpoint.kind === 'end') {
      finished.add(shard.shardId)
      return
    }
    const outcome = await followShard({
      ...options,
      spec,
      shardId: shard.shardId,
      partitionKey,
      reader: stream.reader(shard.shardId, checkpoint),
      passes,
      destination,
      policy: { ...defaultRetryPolicy, ...options.retry },
      signal,
    })
    if (outcome === 'ended') finished.add(shard.shardId)
  }

  const begin = ({ shards, partitionKey }: StreamDescription): void => {
    const listed = new Set(shards.map(({ shardId }) => shardId))
    for (const shard of shards) {
      const { shardId, parentShardId } = shard
      const waitsForParent = parentShardId !== undefined && listed.has(parentShardId) && !finished.has(parentShardId)
      if (active.has(shardId) || finished.has(shardId) || waitsForParent) continue
      const work = follow(shard, partitionKey)
        .catch((error: unknown) => log.error(`mapping ${spec.tableName}`, String(error)))
        .finally(() => active.delete(shardId))
      active.set(shardId, work)
    }
  }

  const supervise = async (first: StreamDescription): Promise<void> => {
    let description: StreamDescription | undefined = first
    while (!signal.aborted) {
      if (description !== undefined) begin(description)
      // The end of a shard is what brings new ones.
      await (active.size > 0 ? Promise.race(active.values()) : pause(newShardsMs, signal))
      if (signal.aborted) break
      description = await stream.describe().catch((error: unknown) => {
        log.error(`mapping ${spec.tableName}`, `describing the stream failed: ${String(error)}`)
        return undefined
      })
      if (description === undefined) await pause(newShardsMs, signal)
    }
    await Promise.all(active.values())
  }

  let supervising: Promise<void>
  try {
    const description = await stream.describe()
    await fixStart(spec, stream, checkpoints, description.shards)
    supervising = supervise(description)
  } catch (error) {
    stream.close()
    destination.close()
    throw error
  }
  return {
    async stop() {
      stopping.abort()
      await supervising
      stream.close()
      destination.close()
    },
  }
}

/**
 * `LATEST` means: what is written after the mapping was made, however often local mode starts in between. So the place is
 * fixed as a checkpoint when the mapping first sees the stream, by reading to the stream's present end.
 */
async function fixStart(
  spec: StreamMappingSpec,
  stream: MappedStream,
  checkpoints: Checkpoints,
  shards: readonly StreamShard[],
): Promise<void> {
  if (spec.startingPosition === 'TRIM_HORIZON') return
  const known = await Promise.all(shards.map(({ shardId }) => checkpoints.get(spec.mappingId, shardId)))
  if (known.some((checkpoint) => checkpoint !== undefined)) return
  for (const { shardId, closed } of shards) {
    const checkpoint: Checkpoint = closed ? { kind: 'end' } : await presentEnd(stream, shardId)
    await checkpoints.put(spec.mappingId, shardId, checkpoint)
  }
}

async function presentEnd(stream: MappedStream, shardId: string): Promise<Checkpoint> {
  const reader = stream.reader(shardId, { kind: 'start' })
  let end: Checkpoint = { kind: 'start' }
  for (;;) {
    const { records, ended } = await reader.read()
    const sequenceNumber = records.at(-1)?.dynamodb.SequenceNumber
    if (sequenceNumber !== undefined) end = { kind: 'after', sequenceNumber }
    if (ended) return { kind: 'end' }
    if (sequenceNumber === undefined) return end
  }
}
