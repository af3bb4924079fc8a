import { operationFailures } from '../../shared/domain/operations.ts'
import type { ApiOperations } from '../../shared/domain/stores/operations.ts'
import type { EpochMs, PartitionId } from '../../shared/domain/words.ts'
import { bounded } from '../bounded.ts'

/** A worker ends an operation at its deadline; this long after it, there is none. */
const graceMs = 10_000
const atOnce = 10

/** Ends a partition's operations that no worker ended in time. Returns how many. Rejects where the store does not answer. */
export async function sweepOperations(
  operations: Pick<ApiOperations, 'listPending' | 'expire'>,
  partition: PartitionId,
  nowMs: EpochMs,
): Promise<number> {
  const pending = await operations.listPending(partition)
  const late = pending.filter(({ deadlineAt }) => Date.parse(deadlineAt) + graceMs <= nowMs)
  const now = new Date(nowMs).toISOString()
  await bounded(late, atOnce, (row) =>
    operations.expire(row, row.begunBy === undefined ? operationFailures.expired : operationFailures.unconfirmed, now),
  )
  return late.length
}
