import type { Circumstances, Lane, LifecycleState, Transition } from './lifecycle-state.ts'
import {
  changeOf,
  inQuarantine,
  laneOf,
  quarantine,
  recentlyReplaced,
  requestLogin,
  viewOf,
} from './lifecycle-steps.ts'
import { staysStopped } from './lifecycle-table.ts'
import type { ConnectionChange, ConnectionRow } from './stores/connections.ts'
import { crashedOpening, quarantineMsAfter } from './suspects.ts'

/** A worker begins to hold a connection: what its row says decides whether it is restored, linked, or left as it is. */
export function onStart(
  initial: LifecycleState,
  row: ConnectionRow,
  lane: Lane,
  circumstances: Circumstances,
): Transition {
  const { now, owner, settings } = circumstances
  const crashed = crashedOpening(row, owner)
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
  const marked = row.opening !== undefined
  const crashes: ConnectionChange = {
    ...(marked ? { opening: null } : {}),
    ...(crashed ? { openingCrashes } : {}),
  }
  const quarantined = row.status === 'disconnected' && row.reason === 'quarantined'

  if (row.status === 'disconnected' && !quarantined && (staysStopped.has(row.reason) || row.reason === 'deleting')) {
    return {
      state: { ...state, phase: { kind: 'stopped' }, identity: identityOfStopped(row) },
      effects: [...(marked ? [{ kind: 'write', change: crashes } as const] : []), { kind: 'settled' }],
    }
  }
  const quarantineMs = crashed ? quarantineMsAfter(openingCrashes, settings) : 0
  if (quarantineMs > 0) return quarantine(state, now + quarantineMs)
  if (quarantined) {
    const until = row.nextAttemptAt === undefined ? now : Date.parse(row.nextAttemptAt)
    return {
      state: { ...state, phase: inQuarantine(state, until), identity: identityOfStopped(row) },
      effects: [...(marked ? [{ kind: 'write', change: crashes } as const] : []), { kind: 'settled' }],
    }
  }
  if (row.status === 'qr_pending') {
    const method = row.phoneNumber === undefined ? 'qr' : row.pairing
    const pairing = { method, ...(row.phoneNumber === undefined ? {} : { phoneNumber: row.phoneNumber }) }
    return requestLogin({ ...state, pairing }, 'first', 'pairing', [
      ...(marked ? [{ kind: 'write', change: crashes, lazily: true } as const] : []),
    ])
  }
  if (row.reason === 'retries_exhausted') {
    return requestLogin(
      { ...state, failures: settings.backoffAttemptsMax, lastWakeAt: now },
      'wake',
      laneOf(state, circumstances, lane),
      marked ? [{ kind: 'write', change: crashes, lazily: true }] : [],
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
