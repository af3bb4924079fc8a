/**
 * What Lambda does with one batch of stream records until every record of it is done: processed, or given up and told to the
 * failure destination. Retries keep the order, so nothing behind a failing record of the same lane runs before it is done.
 */
import type { EngineLog, InvokeResult, Invoker, StreamMappingSpec } from '../contracts.ts'
import { pause } from '../events/pause.ts'
import { readBatchReport } from './batch-failures.ts'
import type { FailureCondition, FailureDestination } from './failure-destination.ts'
import type { StreamRecord } from './stream-records.ts'

export interface BatchRetryPolicy {
  /** Before the first retry; doubles with each, up to the maximum. */
  readonly retryDelayMs: number
  readonly retryDelayMsMax: number
}

export const defaultRetryPolicy: BatchRetryPolicy = { retryDelayMs: 200, retryDelayMsMax: 10_000 }

export interface BatchRunner {
  /** Resolves when the batch is done, or when stopped between two attempts: what is not done then comes again. */
  run(records: readonly StreamRecord[]): Promise<void>
}

export function createBatchRunner(options: {
  readonly spec: StreamMappingSpec
  readonly shardId: string
  readonly invoker: Invoker
  readonly destination: FailureDestination
  readonly policy: BatchRetryPolicy
  /** Called in order with records that are never to be processed again. */
  readonly onDone: (records: readonly StreamRecord[]) => void
  readonly signal: AbortSignal
  readonly log: EngineLog
}): BatchRunner {
  const { spec, shardId, invoker, destination, policy, onDone, signal, log } = options
  const part = `mapping ${spec.tableName}`

  const giveUp = async (
    records: readonly StreamRecord[],
    condition: FailureCondition,
    invokeCount: number,
    result: InvokeResult | undefined,
  ): Promise<void> => {
    log.error(part, `${records.length} stream records given up: ${condition}`)
    await destination.send({ shardId, records, condition, invokeCount, result })
    onDone(records)
  }

  /** An invocation that could not even be made, for whatever reason, is a failure like any other: the batch waits for it. */
  const invoke = (records: readonly StreamRecord[]): Promise<InvokeResult> =>
    invoker
      .invoke(spec.functionArn, { Records: records }, { service: 'mapping', sourceArn: spec.eventSourceArn })
      .catch((error: unknown) => ({
        kind: 'error',
        errorType: error instanceof Error ? error.name : 'Error',
        errorMessage: error instanceof Error ? error.message : String(error),
        timedOut: false,
      }))

  /** `failures`: invocations that failed in a row with the first record. */
  const attempt = async (batch: readonly StreamRecord[], failuresBefore: number): Promise<void> => {
    let pending = batch
    let failures = failuresBefore
    let last: InvokeResult | undefined
    while (pending.length > 0 && !signal.aborted) {
      const fresh = pending.findIndex((record) => !isTooOld(record, spec.maximumRecordAgeSeconds, Date.now()))
      if (fresh !== 0) {
        const aged = fresh === -1 ? pending : pending.slice(0, fresh)
        await giveUp(aged, 'RecordAgeExceeded', failures, last)
        pending = pending.slice(aged.length)
        failures = 0
        continue
      }
      last = await invoke(pending)
      const outcome = readOutcome(last, pending, spec.reportBatchItemFailures)
      if (outcome.kind === 'done') {
        onDone(pending)
        return
      }
      log.error(part, `${pending.length - outcome.from} of ${pending.length} stream records failed: ${outcome.reason}`)
      if (outcome.from > 0) {
        onDone(pending.slice(0, outcome.from))
        pending = pending.slice(outcome.from)
        failures = 1
      } else if (spec.bisectBatchOnFunctionError && pending.length > 1) {
        // Splitting does not count as a retry.
        const middle = Math.ceil(pending.length / 2)
        await pause(policy.retryDelayMs, signal)
        await attempt(pending.slice(0, middle), failures)
        // A first half that was stopped between attempts is not done, so nothing after it may run.
        if (!signal.aborted) await attempt(pending.slice(middle), failures)
        return
      } else {
        failures += 1
      }
      if (spec.maximumRetryAttempts >= 0 && failures > spec.maximumRetryAttempts) {
        await giveUp(pending, 'RetryAttemptsExhausted', failures, last)
        return
      }
      await pause(Math.min(policy.retryDelayMsMax, policy.retryDelayMs * 2 ** (failures - 1)), signal)
    }
  }

  return { run: (records) => attempt(records, 0) }
}

type BatchOutcome =
  | { readonly kind: 'done' }
  /** `from`: index of the first record that must run again. */
  | { readonly kind: 'failed'; readonly from: number; readonly reason: string }

function readOutcome(result: InvokeResult, records: readonly StreamRecord[], reports: boolean): BatchOutcome {
  if (result.kind === 'error') {
    return { kind: 'failed', from: 0, reason: `${result.errorType}: ${result.errorMessage}` }
  }
  if (!reports) return { kind: 'done' }
  const sequenceNumbers = records.map(({ dynamodb }) => dynamodb.SequenceNumber)
  const report = readBatchReport(result.payload, new Set(sequenceNumbers))
  switch (report.kind) {
    case 'none failed':
      return { kind: 'done' }
    case 'invalid':
      return { kind: 'failed', from: 0, reason: report.reason }
    case 'some failed':
      // The lowest reported sequence number is the new checkpoint: all from it on runs again, reported or not.
      return {
        kind: 'failed',
        from: sequenceNumbers.findIndex((sequenceNumber) => report.identifiers.has(sequenceNumber)),
        reason: 'reported in batchItemFailures',
      }
  }
}

function isTooOld(record: StreamRecord, ageSecondsMax: number, nowMs: number): boolean {
  return ageSecondsMax >= 0 && nowMs / 1000 - record.dynamodb.ApproximateCreationDateTime > ageSecondsMax
}
