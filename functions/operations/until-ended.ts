import { setTimeout as delay } from 'node:timers/promises'
import type { ApiOperations, OperationRow } from '../../shared/domain/stores/operations.ts'

/** Most answers take some tens of milliseconds; later looks are rarer. One consistent read each: 1 RCU per 4 KB. */
const firstLookMs = 40
const growth = 1.3
const lookMsMax = 500

/** The operation as it is when it has ended, or when the time is over. */
export async function untilEnded(
  operations: Pick<ApiOperations, 'get'>,
  row: OperationRow,
  waitMs: number,
): Promise<OperationRow> {
  const until = performance.now() + waitMs
  let current = row
  for (let pauseMs = firstLookMs; current.status === 'pending'; pauseMs = Math.min(pauseMs * growth, lookMsMax)) {
    const leftMs = until - performance.now()
    if (leftMs <= 0) break
    await delay(Math.min(pauseMs, leftMs))
    current = (await operations.get(current, current.operationId)) ?? current
  }
  return current
}
