import { reconnectDelayMs } from './backoff.ts'
import type { EndCause } from './disconnect.ts'
import {
  type Circumstances,
  type Effect,
  hasSocket,
  holdsLogin,
  type Lane,
  type LifecycleState,
  type Transition,
  type Try,
} from './lifecycle-state.ts'
import { conditions, type Shown } from './lifecycle-table.ts'
import { statusText } from './status-text.ts'
import type { ConnectionChange } from './stores/connections.ts'
import type { ConnectionStatusView, EpochMs, IsoTime } from './words.ts'

/** The moves that the transitions are made of. */

export const iso = (at: EpochMs): IsoTime => new Date(at).toISOString()

export const stay = (state: LifecycleState): Transition => ({ state, effects: [] })

export interface ShowExtras {
  readonly detail?: string
  readonly attempt?: number
  readonly maxAttempts?: number
  readonly nextAttemptAt?: IsoTime
}

export function viewOf(shown: Shown, extras: ShowExtras = {}): ConnectionStatusView {
  const { detail, ...attempts } = extras
  return { ...shown, message: statusText(shown.reason, detail), ...attempts }
}

/** A status as a change of the row: what the view lacks is removed. */
export function changeOf(view: ConnectionStatusView): ConnectionChange {
  return {
    status: view.status,
    reason: view.reason,
    message: view.message,
    remedy: view.remedy ?? null,
    attempt: view.attempt ?? null,
    maxAttempts: view.maxAttempts ?? null,
    nextAttemptAt: view.nextAttemptAt ?? null,
  }
}

/** Codes belong to one opening; none outlives it. */
export const noCodes: ConnectionChange = { qr: null, pairingCode: null }

const replacedWindowMs = 10 * 60_000

/** Of the times when other sessions took our place, those that still count. */
export function recentlyReplaced(replacedAt: readonly EpochMs[], now: EpochMs): readonly EpochMs[] {
  return replacedAt.filter((at) => now - at < replacedWindowMs)
}

/** What the next owner must know to go on counting; removed when there is nothing. */
export function setbacksOf({
  failures,
  replacedAt,
}: Pick<LifecycleState, 'failures' | 'replacedAt'>): ConnectionChange {
  if (failures === 0 && replacedAt.length === 0) return { setbacks: null }
  return { setbacks: { failures, ...(replacedAt.length === 0 ? {} : { replacedAt: replacedAt.map(iso) }) } }
}

/** Gives back, or takes back the request for, the permit that the phase has. */
export function leaveLogin(state: LifecycleState, result: 'failed' | 'neutral'): readonly Effect[] {
  if (holdsLogin(state)) return [{ kind: 'give_back_login', result }]
  return state.phase.kind === 'waiting_for_login' ? [{ kind: 'cancel_login' }] : []
}

export function dropSocket(
  state: LifecycleState,
  intent: 'closed_by_us' | 'watchdog' | 'liveness' | 'lease',
): readonly Effect[] {
  // While preparing there is no socket yet, but a preparation to be abandoned.
  return hasSocket(state) || holdsLogin(state) ? [{ kind: 'terminate_socket', intent }] : []
}

/** Asks the login limiter, ahead of time where somebody waits for it. */
export function requestLogin(
  state: LifecycleState,
  tried: Try,
  lane: Lane,
  before: readonly Effect[],
  due?: EpochMs,
): Transition {
  return {
    state: {
      ...state,
      phase: { kind: 'waiting_for_login', try: tried, lane, ...(due === undefined ? {} : { dueAt: due }) },
    },
    effects: [
      ...before,
      { kind: 'request_login', lane, ...(state.openingCrashes === 0 ? {} : { crashes: state.openingCrashes }) },
    ],
  }
}

/** Whose turn it is, when nobody waits in person. */
export function laneOf(state: LifecycleState, circumstances: Circumstances, otherwise: Lane = 'restore'): Lane {
  if (state.pairing !== undefined) return 'pairing'
  return circumstances.sendsWaiting ? 'waiting_sends' : otherwise
}

export function stop(
  state: LifecycleState,
  shown: Shown,
  how: {
    readonly authState: 'keep' | 'archive'
    readonly alarm: boolean
    readonly detail?: string
    readonly cause?: EndCause
    readonly change?: ConnectionChange
    readonly before?: readonly Effect[]
  },
): Transition {
  const view = viewOf(shown, how.detail === undefined ? {} : { detail: how.detail })
  const { pairing: _, ...rest } = state
  return {
    state: {
      ...rest,
      phase: { kind: 'stopped' },
      shown: view,
      failures: 0,
      replacedAt: [],
      identity: how.authState === 'archive' ? 'unlinked' : state.identity,
    },
    effects: [
      ...(how.before ?? []),
      { kind: how.authState === 'archive' ? 'archive_auth' : 'release_auth' },
      { kind: 'write', change: { ...changeOf(view), ...noCodes, opening: null, setbacks: null, ...how.change } },
      ...(how.alarm ? [{ kind: 'alarm', reason: shown.reason, detail: how.detail ?? view.message } as const] : []),
      {
        kind: 'log',
        level: how.alarm ? 'error' : 'warn',
        message: `Stopped: ${shown.reason}. ${view.message}`,
        ...(how.cause === undefined ? {} : { cause: how.cause }),
      },
      { kind: 'settled' },
    ],
  }
}

/** Until its next test, where there is something to open: what was never linked waits for a person. */
export function inQuarantine({ everLinked }: LifecycleState, until: EpochMs): LifecycleState['phase'] {
  return everLinked ? { kind: 'stopped', dueAt: until } : { kind: 'stopped' }
}

/** Opening it takes workers down, for all that is known: it is not opened until then. */
export function quarantine(state: LifecycleState, until: EpochMs): Transition {
  const { shows, alarm } = conditions.quarantined
  const phase = inQuarantine(state, until)
  const next = 'dueAt' in phase ? { nextAttemptAt: iso(until) } : {}
  const stopped = stop(state, shows, {
    authState: 'keep',
    alarm,
    change: { openingCrashes: state.openingCrashes, ...next },
  })
  return { state: { ...stopped.state, shown: { ...stopped.state.shown, ...next }, phase }, effects: stopped.effects }
}

/** Waits for the next attempt of the series, and shows which and when. */
export function backOff(
  state: LifecycleState,
  shown: Shown,
  circumstances: Circumstances,
  before: readonly Effect[],
): Transition {
  const { now, random, settings } = circumstances
  const attempt = state.failures + 1
  const due = now + reconnectDelayMs(attempt, random, settings)
  const view = viewOf(shown, { attempt, maxAttempts: settings.backoffAttemptsMax, nextAttemptAt: iso(due) })
  return {
    state: { ...state, phase: { kind: 'backoff', try: 'attempt', dueAt: due }, shown: view },
    effects: [
      ...before,
      { kind: 'write', change: { ...changeOf(view), ...noCodes, opening: null } },
      {
        kind: 'log',
        level: 'warn',
        message: `Connection down (${shown.reason}). Reconnection ${attempt}/${settings.backoffAttemptsMax} in ${Math.round((due - now) / 1_000)} s`,
      },
      { kind: 'settled' },
    ],
  }
}

/** Joins those who wait for WhatsApp to come back; the login limiter's circuit lets them in. */
export function hold(state: LifecycleState, circumstances: Circumstances, before: readonly Effect[]): Transition {
  const view = viewOf(conditions.outage.shows, {
    ...(state.failures === 0
      ? {}
      : { attempt: state.failures + 1, maxAttempts: circumstances.settings.backoffAttemptsMax }),
  })
  return requestLogin({ ...state, shown: view }, 'held', laneOf(state, circumstances), [
    ...before,
    { kind: 'write', change: { ...changeOf(view), ...noCodes, opening: null } },
    { kind: 'log', level: 'warn', message: 'Connection down with many others. Waiting for WhatsApp to come back' },
    { kind: 'settled' },
  ])
}

export function enterSlowLane(
  state: LifecycleState,
  circumstances: Circumstances,
  effects: readonly Effect[],
): Transition {
  const due = circumstances.now + circumstances.settings.slowLaneMs
  return {
    state: { ...state, phase: { kind: 'slow_lane', lane: 'probe', dueAt: due } },
    effects: [...effects, { kind: 'settled' }],
  }
}

/** One try out of the slow lane, at most one a `wakeGapMs`: a wake that comes too early is put off, not dropped. */
export function wake(state: LifecycleState, lane: Lane, circumstances: Circumstances): Transition {
  const { now, settings } = circumstances
  const allowedAt = state.lastWakeAt === undefined ? now : state.lastWakeAt + settings.wakeGapMs
  if (allowedAt > now) {
    if (state.phase.kind !== 'slow_lane') return stay(state)
    const due = Math.min(state.phase.dueAt, allowedAt)
    return stay({ ...state, phase: { kind: 'slow_lane', lane, dueAt: due } })
  }
  return requestLogin({ ...state, lastWakeAt: now }, 'wake', lane, [
    { kind: 'log', level: 'info', message: 'Trying once to reconnect from the slow lane' },
  ])
}
