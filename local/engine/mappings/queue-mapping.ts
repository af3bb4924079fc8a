/**
 * An SQS event source mapping: polls, filters, batches, invokes, deletes what succeeded. What failed stays and reappears
 * after the queue's visibility timeout, so that redrive to the dead-letter queue counts as on AWS.
 *
 * A poll is never aborted: an aborted long poll still takes the next message and locks its group. Waits are one second, and
 * stopping awaits the last one and hands its messages back.
 */
import type { EngineLog, Invoker, QueueMappingSpec, Running } from '../contracts.ts'
import { pause } from '../events/pause.ts'
import { readBatchReport } from './batch-failures.ts'
import { compileQueueFilter } from './filters.ts'
import { createMappedQueue } from './queue-client.ts'
import { finishedRecords, type QueueRecord } from './queue-records.ts'

const pollWaitSeconds = 1
/** Lambda's bound for one event, with room for the envelope. */
const batchBytesMax = 6 * 1024 * 1024 - 64 * 1024

/**
 * Resolves once the function's role has proven that it may read the queue's attributes, without which AWS creates no mapping.
 * @throws {PatternError} when a filter is malformed
 */
export async function startQueueMapping(spec: QueueMappingSpec, invoker: Invoker, log: EngineLog): Promise<Running> {
  const part = `mapping ${spec.queueArn.split(':').at(-1)}`
  const queue = createMappedQueue(spec)
  const passes = compileQueueFilter(spec.filters)
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()

  /** AWS refuses a mapping whose messages would reappear while the function still runs; tests may shorten it on purpose. */
  const checkQueue = async (): Promise<void> => {
    const visibilitySeconds = await queue.visibilityTimeoutSeconds()
    if (visibilitySeconds >= spec.functionTimeoutSeconds) return
    log.warn(
      part,
      `visibility timeout ${visibilitySeconds} s is less than the function's ${spec.functionTimeoutSeconds} s: AWS refuses this`,
    )
  }

  /** Deletes what the filters refuse, as Lambda does, and gives the rest. */
  const receive = async (count: number): Promise<readonly QueueRecord[]> => {
    const passed: QueueRecord[] = []
    const refused: QueueRecord[] = []
    for (const record of await queue.receive(count, pollWaitSeconds)) (passes(record) ? passed : refused).push(record)
    // A refused message that could not be deleted comes again; those that passed must not wait for it.
    if (refused.length > 0) await remove(refused).catch((error: unknown) => log.error(part, sentence(error)))
    return passed
  }

  const remove = async (records: readonly QueueRecord[]): Promise<void> => {
    const failed = await queue.delete(records)
    if (failed.length > 0) log.warn(part, `${failed.length} messages could not be deleted and will come again`)
  }

  const collect = async (): Promise<readonly QueueRecord[]> => {
    const batch = [...(await receive(spec.batchSize))]
    if (batch.length === 0) return batch
    const untilMs = Date.now() + spec.maxBatchingWindowSeconds * 1000
    let bytes = sizeOf(batch)
    while (batch.length < spec.batchSize && bytes < batchBytesMax && Date.now() < untilMs && !stopping.signal.aborted) {
      const more = await receive(spec.batchSize - batch.length).catch((error: unknown) => {
        log.error(part, `polling failed: ${sentence(error)}`)
        return undefined
      })
      if (more === undefined) break
      batch.push(...more)
      bytes += sizeOf(more)
    }
    return batch
  }

  const process = async (records: readonly QueueRecord[]): Promise<void> => {
    const source = { service: 'mapping', sourceArn: spec.queueArn } as const
    const result = await invoker.invoke(spec.functionArn, { Records: records }, source)
    if (result.kind === 'error') {
      log.error(part, `${records.length} messages failed: ${result.errorType}: ${result.errorMessage}`)
      return
    }
    if (!spec.reportBatchItemFailures) return remove(records)
    const report = readBatchReport(result.payload, new Set(records.map(({ messageId }) => messageId)))
    switch (report.kind) {
      case 'none failed':
        return remove(records)
      case 'invalid':
        log.error(part, `${records.length} messages count as failed: ${report.reason}`)
        return
      case 'some failed': {
        const { finished, outOfOrder } = finishedRecords(records, report.identifiers, spec.fifo)
        log.warn(part, `${report.identifiers.size} of ${records.length} messages failed`)
        if (outOfOrder > 0) {
          log.error(
            part,
            `the function went on after a failure in a FIFO group: ${outOfOrder} messages that it did not report come again`,
          )
        }
        if (finished.length > 0) await remove(finished)
      }
    }
  }

  const dispatch = (records: readonly QueueRecord[]): void => {
    const work = process(records)
      .catch((error: unknown) => log.error(part, sentence(error)))
      .finally(() => running.delete(work))
    running.add(work)
  }

  const poll = async (): Promise<void> => {
    let failures = 0
    while (!stopping.signal.aborted) {
      if (running.size >= spec.maxConcurrency) {
        await Promise.race(running)
        continue
      }
      try {
        const records = await collect()
        failures = 0
        if (records.length === 0) continue
        if (stopping.signal.aborted) await queue.handBack(records)
        else dispatch(records)
      } catch (error) {
        failures += 1
        if (failures === 1) log.error(part, `polling failed: ${sentence(error)}`)
        await pause(Math.min(10_000, 500 * 2 ** Math.min(failures, 5)), stopping.signal)
      }
    }
  }

  await checkQueue().catch((error: unknown) => {
    queue.close()
    throw new Error(`${part}: the function's role can't read the queue: ${sentence(error)}`, { cause: error })
  })
  const polling = poll()
  return {
    async stop() {
      stopping.abort()
      await polling
      await Promise.all(running)
      queue.close()
    },
  }
}

function sizeOf(records: readonly QueueRecord[]): number {
  return records.reduce((bytes, record) => bytes + Buffer.byteLength(record.body) + 1024, 0)
}

function sentence(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
