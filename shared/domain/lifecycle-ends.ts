import { storeRetryDelayMs } from './backoff.ts'
import type { EndCause } from './disconnect.ts'
import { finishLeaving } from './lifecycle-leaving.ts'
import type { Circumstances, Effect, LifecycleState, Transition, Try } from './lifecycle-state.ts'
import {
  backOff,
  changeOf,
  dropSocket,
  enterSlowLane,
  hold,
  laneOf,
  leaveLogin,
  noCodes,
  recentlyReplaced,
  requestLogin,
  setbacksOf,
  stay,
  stop,
  viewOf,
} from './lifecycle-steps.ts'
import { conditions, type EndRule, endRules, type Shown } from './lifecycle-table.ts'

const replacedMax = 3
const restartsInRowMax = 3
/** Reads that fail this often in a row are shown, and alarmed, while they go on. */
const readFailuresShown = 5

/** What follows the end of a socket, ours or WhatsApp's. */
export function afterEnd(
  state: LifecycleState,
  cause: EndCause,
  detail: string,
  circumstances: Circumstances,
  before: readonly Effect[] = [],
): Transition {
  if (!circumstances.held) return letGo(state, before)
  if (state.leaving !== undefined) return finishLeaving(state, circumstances, before)
  const rule = endRules[cause]
  const ended: readonly Effect[] = [
    ...before,
    ...leaveLogin(state, rule.countsTowardOutage ? 'failed' : 'neutral'),
    ...(state.phase.kind === 'open' && rule.countsTowardOutage ? [{ kind: 'report_loss' } as const] : []),
    { kind: 'log', level: 'info', message: `Connection ended: ${cause} (${detail})`, cause },
  ]
  switch (rule.next.kind) {
    case 'at_once': {
      const restartsInRow = state.restartsInRow + 1
      if (restartsInRow > restartsInRowMax) return afterEnd(state, 'stream_error', detail, circumstances, before)
      return requestLogin({ ...state, restartsInRow }, tryOf(state, 'first'), againLane(state, circumstances), ended)
    }
    case 'let_go':
      // Ended as if the lease were lost, while it is held: its auth state could not be kept durable. Read anew, it may be.
      return afterEnd(state, 'connection_lost', detail, circumstances, [...before, { kind: 'release_auth' }])
    case 'stop':
      if (cause === 'logged_out' && isHalfPaired(state)) return pairAnew(state, ended)
      return stop(state, rule.next.shows, {
        authState: rule.next.authState,
        alarm: rule.alarm,
        cause,
        before: ended,
      })
    case 'yield': {
      const { now } = circumstances
      const replacedAt = [...recentlyReplaced(state.replacedAt, now), now]
      const remembering = { ...state, replacedAt }
      if (replacedAt.length >= replacedMax) {
        return stop(remembering, rule.next.stops, {
          authState: 'keep',
          alarm: true,
          cause,
          before: ended,
        })
      }
      const kept: Effect = { kind: 'write', change: setbacksOf(remembering) }
      return again(remembering, rule, rule.next, cause, detail, circumstances, [...ended, kept])
    }
    case 'backoff':
      return again(
        state,
        rule,
        rule.next,
        cause,
        detail,
        circumstances,
        cause === 'client_outdated' ? [...ended, { kind: 'refresh_client_version' }] : ended,
      )
  }
}

/** An earlier worker stored the new identity and ended before its answer to WhatsApp was out. */
function isHalfPaired({ everLinked, pairing, identity }: LifecycleState): boolean {
  return !everLinked && pairing !== undefined && identity === 'linked'
}

/** WhatsApp knows nothing of the device: the person, whose phone said the same, finds a new code where the old one was. */
function pairAnew(state: LifecycleState, ended: readonly Effect[]): Transition {
  const view = viewOf({ status: 'qr_pending', reason: 'pairing_requested' })
  return requestLogin({ ...state, shown: view, identity: 'unlinked', failures: 0 }, 'first', 'pairing', [
    ...ended,
    { kind: 'archive_auth' },
    { kind: 'write', change: { ...changeOf(view), ...noCodes, opening: null } },
    { kind: 'log', level: 'warn', message: 'The device was not linked to its end. Asking for a new code' },
  ])
}

function tryOf(state: LifecycleState, otherwise: Try): Try {
  const { phase } = state
  return phase.kind === 'opening' || phase.kind === 'pairing' ? phase.try : otherwise
}

/** After a scan a person is waiting. */
function againLane(state: LifecycleState, circumstances: Circumstances) {
  return state.phase.kind === 'pairing' ? 'pairing' : laneOf(state, circumstances, 'on_demand')
}

/** Another try by the series, unless the attempts are spent, the outage holds it, or it was but a wake. */
function again(
  state: LifecycleState,
  rule: EndRule,
  next: { readonly shows: Shown; readonly exhausted: Shown; readonly afterwards?: 'slow_lane' | 'stop' },
  cause: EndCause,
  detail: string,
  circumstances: Circumstances,
  ended: readonly Effect[],
): Transition {
  const { phase } = state
  const outage = circumstances.outage && rule.countsTowardOutage
  const attempted = tryOfEnded(phase) === 'attempt' && !outage
  const failures = attempted ? state.failures + 1 : state.failures
  const counted: LifecycleState = { ...state, failures }
  const alarm: readonly Effect[] =
    rule.alarm && rule.next.kind === 'backoff' ? [{ kind: 'alarm', reason: next.shows.reason, detail }] : []
  const known = cause === 'unknown' ? detail : undefined

  if (phase.kind !== 'open' && tryOfEnded(phase) === 'wake') {
    return enterSlowLane(counted, circumstances, [...ended, { kind: 'write', change: { opening: null } }])
  }
  const linking = state.pairing !== undefined && state.identity !== 'linked'
  if (failures >= circumstances.settings.backoffAttemptsMax) {
    if (linking)
      return stop(counted, conditions.pairing_failed.shows, { authState: 'keep', alarm: false, before: ended })
    if (next.afterwards === 'stop') {
      return stop(counted, next.exhausted, { authState: 'keep', alarm: true, detail, cause, before: ended })
    }
    const view = viewOf(next.exhausted, known === undefined ? {} : { detail: known })
    return enterSlowLane({ ...counted, shown: view }, circumstances, [
      ...ended,
      { kind: 'write', change: { ...changeOf(view), ...noCodes, opening: null } },
      { kind: 'log', level: 'error', message: `Gave up after ${failures} attempts (${detail}). Trying now and then` },
    ])
  }
  if (outage && !linking) return hold(counted, circumstances, [...ended, ...alarm])
  const shows: Shown = linking ? { status: 'qr_pending', reason: 'pairing_requested' } : next.shows
  return backOff(counted, shows, circumstances, [...ended, ...alarm])
}

function tryOfEnded(phase: LifecycleState['phase']): Try | undefined {
  return phase.kind === 'opening' || phase.kind === 'pairing' || phase.kind === 'open' ? phase.try : undefined
}

/** A store failed: WhatsApp was never asked, so no attempt is spent and the same try comes again soon. */
export function afterStorageFailure(state: LifecycleState, detail: string, circumstances: Circumstances): Transition {
  if (!circumstances.held) return letGo(state, [])
  if (state.phase.kind !== 'opening') return stay(state)
  if (state.leaving !== undefined) return finishLeaving(state, circumstances, [])
  const readFailures = state.readFailures + 1
  const due = circumstances.now + storeRetryDelayMs(readFailures, circumstances.random, 1_000, 30_000)
  const shows = readFailures === readFailuresShown && state.phase.try !== 'wake'
  const view = shows ? viewOf(conditions.auth_unreadable.shows) : state.shown
  return {
    state: { ...state, readFailures, shown: view, phase: { kind: 'backoff', try: state.phase.try, dueAt: due } },
    effects: [
      ...dropSocket(state, 'closed_by_us'),
      ...leaveLogin(state, 'neutral'),
      { kind: 'log', level: 'warn', message: `Auth state could not be read (${detail}). Trying again` },
      ...(shows
        ? [
            { kind: 'write', change: { ...changeOf(view), opening: null } } as const,
            { kind: 'alarm', reason: view.reason, detail } as const,
          ]
        : // While it waits it takes no worker down.
          [{ kind: 'write', change: { opening: null }, lazily: true } as const]),
      { kind: 'settled' },
    ],
  }
}

export function letGo(state: LifecycleState, before: readonly Effect[]): Transition {
  return {
    state: { ...state, phase: { kind: 'ended' } },
    effects: [...before, ...leaveLogin(state, 'neutral'), ...dropSocket(state, 'lease'), { kind: 'let_go' }],
  }
}
