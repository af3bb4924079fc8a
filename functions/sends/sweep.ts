import type { OutboundRow } from '../../shared/domain/stores/messages.ts'
import type { EpochMs, SendError } from '../../shared/domain/words.ts'

/**
 * Times of the sweep, in milliseconds. They only say when to look again: ringing twice and ending what a worker has ended are
 * both harmless, so clocks that differ by seconds are, too.
 */
export const sweepTimes = {
  /** A row without doorbell is being written until then. */
  unrungMs: 30_000,
  /** A connection whose first waiting send was rung for this long ago is rung for again. */
  staleMs: 5 * 60_000,
  /** A worker ends a send at its deadline; this long after it, there is none. */
  graceMs: 60_000,
} as const

const expired: SendError = {
  code: 'expired',
  message: 'The message could not be sent before its deadline.',
}

export type SweepAction =
  | { readonly kind: 'ring'; readonly row: OutboundRow }
  | { readonly kind: 'expire'; readonly row: OutboundRow; readonly error: SendError }

/** @param waiting of one partition, per connection in order of acceptance */
export function decideSweep(waiting: readonly OutboundRow[], nowMs: EpochMs): readonly SweepAction[] {
  const actions: SweepAction[] = []
  const ahead = new Set<string>()
  for (const row of waiting) {
    if (Date.parse(row.deadlineAt) + sweepTimes.graceMs <= nowMs) {
      actions.push({ kind: 'expire', row, error: expired })
      continue
    }
    // Not due: the worker knows of it, and nobody behind it waits for it.
    const dueMs = row.sendAt === undefined ? 0 : Date.parse(row.sendAt)
    if (dueMs > nowMs && row.enqueuedAt !== undefined) continue
    // One doorbell wakes a connection: those behind its first waiting send need none.
    const first = !ahead.has(row.connectionId)
    ahead.add(row.connectionId)
    const rungAt = row.enqueuedAt
    const ring =
      rungAt === undefined
        ? Date.parse(row.createdAt) + sweepTimes.unrungMs <= nowMs
        : first && Math.max(Date.parse(rungAt), dueMs) + sweepTimes.staleMs <= nowMs
    if (ring) actions.push({ kind: 'ring', row })
  }
  return actions
}
