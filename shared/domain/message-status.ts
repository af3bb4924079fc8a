import type { SendError, SendErrorCode, SendStatus } from './words.ts'

/**
 * The order of a send's statuses: `queued < sent < delivered < read < played`, forward only.
 *
 * `failed` depends on what is known. Where WhatsApp or we refused the send, it is final. Where time ran out, or the device
 * was unlinked while it waited, bytes may have left all the same from an earlier worker, so a later ack or receipt is the
 * better knowledge and overrides it.
 */
const rank: Readonly<Record<Exclude<SendStatus, 'failed'>, number>> = {
  queued: 0,
  sent: 1,
  delivered: 2,
  read: 3,
  played: 4,
}

const overridable: ReadonlySet<SendErrorCode> = new Set(['unconfirmed', 'expired', 'no_active_connection'])

/** WhatsApp's own refusals: they say more than our clock did. */
const refusals: ReadonlySet<SendErrorCode> = new Set(['rejected_by_whatsapp', 'new_chats_restricted'])

/** Where a send is; `error` belongs to `failed`. */
export interface SendPosition {
  readonly status: SendStatus
  readonly error?: Pick<SendError, 'code'>
}

/** Whether `step` may be applied to a send that is at `current`. Applying it twice is refused the second time. */
export function canStep(current: SendPosition, step: SendPosition): boolean {
  if (current.status === 'failed') {
    if (current.error === undefined || !overridable.has(current.error.code)) return false
    if (step.status === 'failed') return step.error !== undefined && refusals.has(step.error.code)
    return step.status !== 'queued'
  }
  if (step.status === 'failed') {
    if (current.status === 'queued') return true
    // An error ack can follow an ack (another device, a group member); an own timeout never undoes an ack.
    return current.status === 'sent' && step.error !== undefined && refusals.has(step.error.code)
  }
  return rank[step.status] > rank[current.status]
}

/** The failures that a later ack or receipt may override, for adapters that put the rule into a condition. */
export const overridableFailures: readonly SendErrorCode[] = [...overridable]

/** Statuses from which `step` may be applied; `failed` is decided by `overridableFailures` besides. */
export function statusesBefore(step: SendPosition): readonly SendStatus[] {
  return (['queued', 'sent', 'delivered', 'read', 'played'] as const).filter((status) => canStep({ status }, step))
}
