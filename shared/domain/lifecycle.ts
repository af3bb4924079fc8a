/**
 * The lifecycle of a connection as one pure function: what happened goes in, the next state and what is to be done come out.
 * Time, chance and everything that changes outside are arguments. `connector/session/session.ts` runs it;
 * `lifecycle-table.ts` says what follows which end, `docs/lifecycle.md` shows it.
 */
import { classify, describeEnd } from './disconnect.ts'
import { onCommand } from './lifecycle-commands.ts'
import { afterEnd, afterStorageFailure, letGo } from './lifecycle-ends.ts'
import { finishLeaving, logOut } from './lifecycle-leaving.ts'
import { onCode, onPaired } from './lifecycle-pairing.ts'
import { onStart } from './lifecycle-start.ts'
import type { Circumstances, Effect, LifecycleEvent, LifecycleState, Transition } from './lifecycle-state.ts'
import {
  changeOf,
  dropSocket,
  hold,
  iso,
  laneOf,
  leaveLogin,
  noCodes,
  recentlyReplaced,
  requestLogin,
  setbacksOf,
  stay,
  stop,
  viewOf,
  wake,
} from './lifecycle-steps.ts'
import { conditions, endRules } from './lifecycle-table.ts'
import type { ConnectionChange } from './stores/connections.ts'
import { assertNever, type ConnectionReason } from './words.ts'

type EventOf<K extends LifecycleEvent['kind']> = Extract<LifecycleEvent, { kind: K }>

export function transition(state: LifecycleState, event: LifecycleEvent, circumstances: Circumstances): Transition {
  if (state.phase.kind === 'ended') return stay(state)
  if (state.phase.kind === 'draining' && event.kind !== 'let_go') return stay(state)
  switch (event.kind) {
    case 'start':
      return state.phase.kind === 'idle' ? onStart(state, event.row, event.lane, circumstances) : stay(state)
    case 'login_granted':
      return onGranted(state, circumstances)
    case 'prepared':
      return onPrepared(state, event)
    case 'no_auth':
      return onNoAuth(state, event, circumstances)
    case 'storage_failed':
      return afterStorageFailure(state, event.detail, circumstances)
    case 'qr':
    case 'pairing_code':
    case 'passkey_required':
      return onCode(state, event, circumstances)
    case 'paired':
      return onPaired(state, event, circumstances)
    case 'opened':
      return onOpened(state, event, circumstances)
    case 'closed':
      return onClosed(state, event, circumstances)
    case 'liveness_failed':
      if (state.phase.kind !== 'open') return stay(state)
      return afterEnd(state, 'liveness_failed', 'no answer to a probe', circumstances, dropSocket(state, 'liveness'))
    case 'due':
      return onDue(state, circumstances)
    case 'send_waiting':
      return onSendWaiting(state, circumstances)
    case 'recovered':
      return onRecovered(state, circumstances)
    case 'scout':
      return onScout(state, circumstances)
    case 'command':
      return onCommand(state, event, circumstances)
    case 'logout_done':
      return state.phase.kind === 'logging_out' ? finishLeaving(state, circumstances, []) : stay(state)
    case 'restricted':
      return onRestricted(state, event.until)
    case 'restriction_over':
      return onRestrictionOver(state, circumstances.now)
    case 'drain':
      return {
        state: { ...state, phase: { kind: 'draining' } },
        effects: [...leaveLogin(state, 'neutral'), { kind: 'drain' }],
      }
    case 'let_go':
      return letGo(state, [{ kind: 'log', level: 'info', message: `Letting go: ${event.why}` }])
    default:
      return assertNever(event)
  }
}

function onGranted(state: LifecycleState, { now, settings, owner }: Circumstances): Transition {
  const { phase } = state
  if (phase.kind !== 'waiting_for_login') return { state, effects: [{ kind: 'give_back_login', result: 'neutral' }] }
  const opening: ConnectionChange = { opening: owner }
  const counted = phase.try === 'attempt'
  const attempt = Math.min(state.failures + 1, settings.backoffAttemptsMax)
  const { nextAttemptAt: _, ...shownNow } = state.shown
  const shown = counted ? { ...shownNow, attempt, maxAttempts: settings.backoffAttemptsMax } : state.shown
  const message = counted
    ? `Attempting reconnection ${attempt}/${settings.backoffAttemptsMax}`
    : state.pairing !== undefined && state.identity !== 'linked'
      ? 'Asking WhatsApp for a code'
      : 'Opening the connection'
  return {
    state: {
      ...state,
      shown,
      phase: { kind: 'opening', try: phase.try, stage: 'preparing', dueAt: now + settings.openTimeoutMs },
    },
    effects: [
      { kind: 'write', change: counted ? { ...changeOf(shown), ...opening } : opening },
      { kind: 'log', level: 'info', message },
      { kind: 'prepare', identity: identityToPrepare(state) },
    ],
  }
}

function identityToPrepare(state: LifecycleState): 'stored' | 'new' | 'stored_or_new' {
  if (state.pairing === undefined || state.identity === 'linked') return 'stored'
  return state.identity === 'unlinked' ? 'new' : 'stored_or_new'
}

function onPrepared(state: LifecycleState, event: EventOf<'prepared'>): Transition {
  const { phase } = state
  if (phase.kind !== 'opening' || phase.stage !== 'preparing') return stay(state)
  const next: LifecycleState = {
    ...state,
    identity: event.registered ? 'linked' : 'unlinked',
    readFailures: 0,
    phase: { ...phase, stage: 'socket' },
  }
  const pairing = event.registered ? undefined : state.pairing
  return { state: next, effects: [{ kind: 'open_socket', ...(pairing === undefined ? {} : { pairing }) }] }
}

function onNoAuth(state: LifecycleState, event: EventOf<'no_auth'>, circumstances: Circumstances): Transition {
  if (state.phase.kind !== 'opening') return stay(state)
  const before = leaveLogin(state, 'neutral')
  if (state.leaving !== undefined) return finishLeaving(state, circumstances, [])
  const crashes: ConnectionChange = { openingCrashes: null }
  const stopAs = (condition: 'no_session' | 'auth_missing' | 'auth_unreadable', detail?: string): Transition => {
    const { shows, alarm } = conditions[condition]
    return stop(state, shows, {
      authState: 'keep',
      alarm,
      before,
      change: crashes,
      ...(detail === undefined ? {} : { detail }),
    })
  }
  switch (event.what) {
    case 'archived': {
      const rule = endRules.logged_out.next
      if (rule.kind !== 'stop') throw new Error('a logout stops')
      return stop({ ...state, identity: 'unlinked' }, rule.shows, {
        authState: 'keep',
        alarm: false,
        before,
        change: crashes,
      })
    }
    case 'none':
      return stopAs(state.everLinked ? 'auth_missing' : 'no_session')
    case 'missing':
      return stopAs('auth_missing')
    case 'unreadable':
      // Its detail names objects and checksums: for operators, by the log, not for the person.
      return stopAs('auth_unreadable')
    default:
      return assertNever(event.what)
  }
}

function onOpened(state: LifecycleState, event: EventOf<'opened'>, circumstances: Circumstances): Transition {
  const { now, settings } = circumstances
  const { phase } = state
  if (phase.kind !== 'opening' && phase.kind !== 'pairing') return stay(state)
  const { pairing: _, restrictedUntil, ...rest } = state
  const restrictionOver = restrictedUntil !== undefined && restrictedUntil <= now
  const view = viewOf({ status: 'connected', reason: 'open' })
  const back: readonly Effect[] = phase.kind === 'opening' ? [{ kind: 'give_back_login', result: 'opened' }] : []
  const next: LifecycleState = {
    ...rest,
    ...(restrictedUntil === undefined || restrictionOver ? {} : { restrictedUntil }),
    identity: 'linked',
    everLinked: true,
    restartsInRow: 0,
    readFailures: 0,
    openingCrashes: 0,
    replacedAt: recentlyReplaced(state.replacedAt, now),
    shown: state.leaving === undefined ? view : state.shown,
    phase: { kind: 'open', try: phase.try, dueAt: now + settings.stableAfterMs },
  }
  if (state.leaving !== undefined) return logOut(next, circumstances, back)
  return {
    state: next,
    effects: [
      ...back,
      {
        kind: 'write',
        change: {
          ...changeOf(view),
          ...noCodes,
          opening: null,
          openingCrashes: null,
          ...setbacksOf(next),
          lastConnectedAt: iso(now),
          jid: event.jid,
          ...(event.lid === undefined ? {} : { lid: event.lid }),
          ...(state.everLinked ? {} : { linkedAt: iso(now) }),
          ...(restrictionOver ? { restriction: null } : {}),
        },
      },
      { kind: 'log', level: 'info', message: 'Connected' },
      { kind: 'settled' },
    ],
  }
}

function onClosed(state: LifecycleState, event: EventOf<'closed'>, circumstances: Circumstances): Transition {
  const cause = classify(event.end)
  const detail = describeEnd(event.end)
  switch (state.phase.kind) {
    case 'opening':
    case 'pairing':
    case 'open':
      return afterEnd(state, cause, detail, circumstances)
    case 'closing':
      // What stops a connection stops it also while it restarts.
      if (endRules[cause].next.kind === 'stop') return afterEnd(state, cause, detail, circumstances)
      return reopen(state, [])
    case 'logging_out':
      return finishLeaving(state, circumstances, [])
    default:
      return stay(state)
  }
}

/** After an orderly close for a restart: with auth state read anew. */
function reopen(state: LifecycleState, before: readonly Effect[]): Transition {
  return requestLogin(state, 'first', 'on_demand', [...before, { kind: 'release_auth' }])
}

function onDue(state: LifecycleState, circumstances: Circumstances): Transition {
  const { phase } = state
  switch (phase.kind) {
    case 'opening':
      if (phase.stage === 'preparing') return afterStorageFailure(state, 'no answer in time', circumstances)
      return afterEnd(state, 'open_timeout', 'no open event in time', circumstances, dropSocket(state, 'watchdog'))
    case 'pairing':
      return afterEnd(state, 'open_timeout', 'no restart after linking', circumstances, dropSocket(state, 'watchdog'))
    case 'open':
      return settle(state)
    case 'backoff':
      // Lost before the outage was known for one: it waits with the others, and shows no attempt that nobody makes.
      if (circumstances.outage && state.pairing === undefined && outageReasons.has(state.shown.reason)) {
        return hold(state, circumstances, [])
      }
      return requestLogin(state, phase.try, laneOf(state, circumstances), [])
    case 'slow_lane':
      return wake(state, phase.lane, circumstances)
    case 'closing':
      return reopen(state, dropSocket(state, 'closed_by_us'))
    case 'logging_out':
      return finishLeaving(state, circumstances, [])
    case 'waiting_for_login':
      return state.leaving === undefined ? stay(state) : finishLeaving(state, circumstances, [])
    case 'stopped':
      // Out of quarantine for a test. What it shows changes only with what comes of that.
      return phase.dueAt === undefined ? stay(state) : requestLogin(state, 'first', 'probe', [])
    case 'idle':
    case 'draining':
    case 'ended':
      return stay(state)
    default:
      return assertNever(phase)
  }
}

/** Open for long enough: what it took to get here is forgotten. */
function settle(state: LifecycleState): Transition {
  const settled: LifecycleState = { ...state, failures: 0, phase: { kind: 'open', try: 'first' } }
  const stored: Effect = { kind: 'write', change: setbacksOf(settled), lazily: true }
  return { state: settled, effects: state.failures === 0 ? [] : [stored] }
}

/** A send waits: wakes the slow lane, goes to the front of the queue for a login. The series is not shortened. */
function onSendWaiting(state: LifecycleState, circumstances: Circumstances): Transition {
  const { phase } = state
  if (phase.kind === 'slow_lane') return wake(state, 'on_demand', circumstances)
  if (phase.kind === 'waiting_for_login' && phase.lane !== 'on_demand' && phase.lane !== 'pairing') {
    return requestLogin(state, phase.try, 'on_demand', [{ kind: 'cancel_login' }], phase.dueAt)
  }
  return stay(state)
}

/** Causes that an outage gives; what ended for another one sits out its wait. */
const outageReasons: ReadonlySet<ConnectionReason> = new Set(
  Object.values(endRules).flatMap(({ countsTowardOutage, next }) =>
    countsTowardOutage && next.kind === 'backoff' ? [next.shows.reason] : [],
  ),
)

/** WhatsApp answers again: nobody sits out a wait that the outage gave; the login limiter lets them in by ramp. */
function onRecovered(state: LifecycleState, circumstances: Circumstances): Transition {
  const { phase } = state
  if (phase.kind === 'slow_lane') return wake(state, laneOf(state, circumstances, 'probe'), circumstances)
  const waits = phase.kind === 'backoff' && circumstances.outage && outageReasons.has(state.shown.reason)
  return waits ? requestLogin(state, phase.try, laneOf(state, circumstances), []) : stay(state)
}

/** One goes ahead of those in the slow lane, or says no: it had its turn within the last minute. */
function onScout(state: LifecycleState, circumstances: Circumstances): Transition {
  const woken = wake(state, laneOf(state, circumstances, 'probe'), circumstances)
  return state.phase.kind === 'slow_lane' && woken.state.phase.kind === 'waiting_for_login' ? woken : stay(state)
}

/** It may have been prolonged meanwhile. */
function onRestrictionOver(state: LifecycleState, now: number): Transition {
  const { restrictedUntil, ...rest } = state
  if (restrictedUntil === undefined || restrictedUntil > now) return stay(state)
  return {
    state: rest,
    effects: [
      { kind: 'write', change: { restriction: null } },
      { kind: 'log', level: 'info', message: 'New chats are no longer restricted' },
    ],
  }
}

function onRestricted(state: LifecycleState, until: number): Transition {
  return {
    state: { ...state, restrictedUntil: until },
    effects: [
      { kind: 'write', change: { restriction: { kind: 'new_chats', until: iso(until) } } },
      { kind: 'log', level: 'warn', message: 'WhatsApp refuses new chats for this connection (463)' },
    ],
  }
}
