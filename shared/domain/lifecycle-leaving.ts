import type { Circumstances, Effect, LifecycleState, Transition } from './lifecycle-state.ts'
import { changeOf, dropSocket, leaveLogin, requestLogin, stop, viewOf } from './lifecycle-steps.ts'
import { endRules } from './lifecycle-table.ts'
import type { ConnectionReason } from './words.ts'

/** How long unlinking the device may take, when the socket is open and when it has to be opened first. */
const logoutTimeoutMs = 15_000
const leaveTimeoutMs = 30_000

/** Reasons in which the socket must not be opened, not even to log out. */
const neverOpens: ReadonlySet<ConnectionReason> = new Set(['forbidden', 'replaced_elsewhere', 'quarantined'])

/**
 * Logout and deletion: the device is unlinked at WhatsApp where that is possible, so that it does not stay in the phone's
 * list of devices; where it is not, what is ours goes all the same.
 */
export function leave(
  state: LifecycleState,
  leaving: NonNullable<LifecycleState['leaving']>,
  circumstances: Circumstances,
): Transition {
  const { phase } = state
  const view = leaving.kind === 'delete' ? viewOf({ status: 'disconnected', reason: 'deleting' }) : state.shown
  const next: LifecycleState = { ...state, leaving, shown: view }
  const said: readonly Effect[] = [
    { kind: 'log', level: 'info', message: leaving.kind === 'delete' ? 'Deleting the connection' : 'Logging out' },
    ...(leaving.kind === 'delete' ? [{ kind: 'write', change: changeOf(view) } as const] : []),
  ]
  switch (phase.kind) {
    case 'open':
      return logOut(next, circumstances, said)
    // An upgrade of a logout to a deletion, or the command once more: on the way already.
    case 'logging_out':
      return { state: next, effects: said }
    case 'opening':
      if (state.identity === 'linked') return { state: next, effects: said }
      return finishLeaving(next, circumstances, said)
    case 'waiting_for_login':
    case 'backoff':
    case 'slow_lane':
    case 'closing':
      if (state.identity !== 'linked') return finishLeaving(next, circumstances, said)
      return requestLogin(
        next,
        'first',
        'on_demand',
        [...said, ...leaveLogin(state, 'neutral'), ...dropSocket(state, 'closed_by_us')],
        circumstances.now + leaveTimeoutMs,
      )
    case 'stopped':
      if (state.identity === 'linked' && !neverOpens.has(state.shown.reason) && state.everLinked) {
        return requestLogin(next, 'first', 'on_demand', said, circumstances.now + leaveTimeoutMs)
      }
      return finishLeaving(next, circumstances, said)
    case 'idle':
    case 'pairing':
      return finishLeaving(next, circumstances, said)
    case 'draining':
    case 'ended':
      return { state, effects: [] }
  }
}

export function logOut(state: LifecycleState, circumstances: Circumstances, before: readonly Effect[]): Transition {
  return {
    state: { ...state, phase: { kind: 'logging_out', dueAt: circumstances.now + logoutTimeoutMs } },
    effects: [...before, { kind: 'logout_socket' }],
  }
}

export function finishLeaving(
  state: LifecycleState,
  _circumstances: Circumstances,
  before: readonly Effect[],
): Transition {
  const { leaving, ...rest } = state
  if (leaving === undefined) throw new Error('finishLeaving without a logout or deletion under way')
  const gone: readonly Effect[] = [...before, ...leaveLogin(state, 'neutral'), ...dropSocket(state, 'closed_by_us')]
  if (leaving.kind === 'delete') {
    return { state: { ...rest, phase: { kind: 'ended' } }, effects: [...gone, { kind: 'delete_everything' }] }
  }
  const rule = endRules.logged_out.next
  if (rule.kind !== 'stop') throw new Error('a logout stops')
  return stop(rest, state.everLinked ? rule.shows : { ...rule.shows, reason: 'no_session' }, {
    authState: state.everLinked || state.identity === 'linked' ? 'archive' : 'keep',
    alarm: false,
    change: { handledCommandId: leaving.commandId, restriction: null },
    before: gone,
  })
}
