import type { Circumstances, Lane, LifecycleState, Transition } from './lifecycle-state.ts'
import { changeOf, laneOf, recentlyReplaced, requestLogin, stop, viewOf } from './lifecycle-steps.ts'
import { conditions, staysStopped } from './lifecycle-table.ts'
import type { ConnectionChange, ConnectionRow } from './stores/connections.ts'

const openingCrashesMax = 3

/** A worker begins to hold a connection: what its row says decides whether it is restored, linked, or left as it is. */
export function onStart(
  initial: LifecycleState,
  row: ConnectionRow,
  lane: Lane,
  circumstances: Circumstances,
): Transition {
  const { now, owner, settings } = circumstances
  // Its last owner began to open it and never came to an end of that: it died, and this connection may be why.
  const crashed = row.opening !== undefined && row.opening.epoch !== owner.epoch
  const openingCrashes = (row.openingCrashes ?? 0) + (crashed ? 1 : 0)
  const state: LifecycleState = {
    ...initial,
    shown: shownBy(row),
    everLinked: row.linkedAt !== undefined,
    identity: row.linkedAt === undefined || row.status === 'qr_pending' ? 'unsure' : 'linked',
    openingCrashes,
    replacedAt: recentlyReplaced((row.setbacks?.replacedAt ?? []).map(Date.parse), now),
    ...(row.restriction === undefined ? {} : { restrictedUntil: Date.parse(row.restriction.until) }),
  }
  const crashes: ConnectionChange = crashed ? { opening: null, openingCrashes } : {}

  if (row.status === 'disconnected' && (staysStopped.has(row.reason) || row.reason === 'deleting')) {
    return {
      state: { ...state, phase: { kind: 'stopped' }, identity: identityOfStopped(row) },
      effects: [...(crashed ? [{ kind: 'write', change: crashes } as const] : []), { kind: 'settled' }],
    }
  }
  if (openingCrashes >= openingCrashesMax) {
    const { shows, alarm } = conditions.quarantined
    return stop(state, shows, { authState: 'keep', alarm, change: crashes })
  }
  if (row.status === 'qr_pending') {
    const method = row.phoneNumber === undefined ? 'qr' : row.pairing
    const pairing = { method, ...(row.phoneNumber === undefined ? {} : { phoneNumber: row.phoneNumber }) }
    return requestLogin({ ...state, pairing }, 'first', 'pairing', [
      ...(crashed ? [{ kind: 'write', change: crashes, lazily: true } as const] : []),
    ])
  }
  if (row.reason === 'retries_exhausted') {
    return requestLogin(
      { ...state, failures: settings.backoffAttemptsMax, lastWakeAt: now },
      'wake',
      laneOf(state, circumstances, lane),
      crashed ? [{ kind: 'write', change: crashes, lazily: true }] : [],
    )
  }
  // Attempts are the connection's, not the worker's: the next one goes on counting.
  const attempt = row.status === 'reconnecting' ? row.attempt : undefined
  const failures = attempt === undefined ? (row.setbacks?.failures ?? 0) : attempt - 1
  const view = viewOf(
    { status: 'reconnecting', reason: 'restoring' },
    attempt === undefined ? {} : { attempt, maxAttempts: settings.backoffAttemptsMax },
  )
  return requestLogin(
    { ...state, shown: view, failures: Math.min(failures, settings.backoffAttemptsMax - 1) },
    'first',
    lane,
    [{ kind: 'write', change: { ...changeOf(view), ...crashes }, lazily: true }],
  )
}

function identityOfStopped(row: ConnectionRow): LifecycleState['identity'] {
  switch (row.reason) {
    case 'forbidden':
    case 'replaced_elsewhere':
    case 'unsupported_account':
    case 'quarantined':
    case 'deleting':
      return row.linkedAt === undefined ? 'unlinked' : 'linked'
    default:
      return 'unlinked'
  }
}

function shownBy(row: ConnectionRow): LifecycleState['shown'] {
  const { status, reason, message, remedy, attempt, maxAttempts, nextAttemptAt } = row
  return {
    status,
    reason,
    message,
    ...(remedy === undefined ? {} : { remedy }),
    ...(attempt === undefined ? {} : { attempt }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(nextAttemptAt === undefined ? {} : { nextAttemptAt }),
  }
}
