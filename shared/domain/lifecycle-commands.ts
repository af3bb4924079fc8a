import { leave } from './lifecycle-leaving.ts'
import type { Circumstances, Effect, LifecycleEvent, LifecycleState, Transition } from './lifecycle-state.ts'
import { changeOf, dropSocket, leaveLogin, noCodes, requestLogin, viewOf, wake } from './lifecycle-steps.ts'
import { assertNever } from './words.ts'

type CommandEvent = Extract<LifecycleEvent, { kind: 'command' }>

/** How long an orderly close may take before the socket is terminated. */
const closeTimeoutMs = 5_000

/** What a caller asked for, in whatever phase it finds the connection. */
export function onCommand(state: LifecycleState, event: CommandEvent, circumstances: Circumstances): Transition {
  const { command } = event
  if (state.phase.kind === 'ended' || state.phase.kind === 'draining') return { state, effects: [] }
  switch (command.kind) {
    case 'logout':
    case 'delete':
      if (state.leaving?.kind === 'delete') return { state, effects: [] }
      return leave(state, { kind: command.kind, commandId: command.commandId }, circumstances)
    case 'restart':
      if (state.leaving !== undefined) return { state, effects: [] }
      return restart(state, command.commandId, circumstances)
    case 'pair':
      if (state.leaving !== undefined) return { state, effects: [] }
      return pair(state, event)
    default:
      return assertNever(command.kind)
  }
}

function pair(state: LifecycleState, { command, row }: CommandEvent): Transition {
  const handled = { handledCommandId: command.commandId }
  if (state.identity === 'linked' && inUse(state)) {
    // The identity is alive: a new one would leave the old device behind on the phone. Logout comes first.
    return {
      state,
      effects: [
        { kind: 'write', change: { ...changeOf(state.shown), ...handled } },
        { kind: 'log', level: 'info', message: 'Pairing asked for, but a device is linked already' },
      ],
    }
  }
  // A pairing code needs the phone's number.
  const method = row.phoneNumber === undefined ? 'qr' : (command.method ?? row.pairing)
  const view = viewOf({ status: 'qr_pending', reason: 'pairing_requested' })
  return requestLogin(
    {
      ...state,
      identity: 'unlinked',
      pairing: { method, ...(row.phoneNumber === undefined ? {} : { phoneNumber: row.phoneNumber }) },
      shown: view,
      failures: 0,
      replacedAt: [],
      restartsInRow: 0,
      readFailures: 0,
      openingCrashes: 0,
    },
    'first',
    'pairing',
    [
      ...leaveLogin(state, 'neutral'),
      ...dropSocket(state, 'closed_by_us'),
      { kind: 'release_auth' },
      {
        kind: 'write',
        change: {
          ...changeOf(view),
          ...noCodes,
          ...handled,
          pairing: method,
          opening: null,
          openingCrashes: null,
          setbacks: null,
        },
      },
      { kind: 'log', level: 'info', message: `Linking a device by ${method === 'qr' ? 'QR code' : 'pairing code'}` },
    ],
  )
}

/** Open, or on the way back by itself. */
function inUse(state: LifecycleState): boolean {
  switch (state.phase.kind) {
    case 'open':
    case 'closing':
    case 'opening':
    case 'waiting_for_login':
    case 'backoff':
      return true
    // Paired, about to log in for the first time.
    case 'pairing':
      return state.phase.paired
    default:
      return false
  }
}

function restart(state: LifecycleState, commandId: string, circumstances: Circumstances): Transition {
  const { phase } = state
  const handled: Effect = { kind: 'write', change: { handledCommandId: commandId } }
  const said: Effect = { kind: 'log', level: 'info', message: 'Restart requested' }
  const view = viewOf({ status: 'reconnecting', reason: 'restart_requested' })
  const write: Effect = {
    kind: 'write',
    change: { ...changeOf(view), ...noCodes, handledCommandId: commandId, setbacks: null },
  }
  const fresh: LifecycleState = {
    ...state,
    shown: view,
    failures: 0,
    replacedAt: [],
    restartsInRow: 0,
    readFailures: 0,
  }
  switch (phase.kind) {
    case 'open':
      return {
        state: { ...fresh, phase: { kind: 'closing', dueAt: circumstances.now + closeTimeoutMs } },
        effects: [said, write, { kind: 'close_socket' }],
      }
    case 'slow_lane': {
      // A wake like any other: it shows itself only by its success.
      const woken = wake(state, 'on_demand', circumstances)
      return { state: woken.state, effects: [said, handled, ...woken.effects] }
    }
    case 'waiting_for_login':
      if (state.pairing !== undefined || phase.try === 'wake') return { state, effects: [handled] }
      return requestLogin(fresh, 'first', 'on_demand', [said, { kind: 'cancel_login' }, write])
    case 'backoff':
      if (state.pairing !== undefined) return requestLogin(state, 'first', 'pairing', [said, handled])
      return requestLogin(fresh, 'first', 'on_demand', [said, write])
    case 'pairing':
      if (phase.paired) return { state, effects: [handled] }
      return requestLogin(state, 'first', 'pairing', [
        said,
        ...dropSocket(state, 'closed_by_us'),
        { kind: 'write', change: { ...noCodes, handledCommandId: commandId } },
      ])
    case 'stopped':
      // Nothing is linked, so there is nothing to restart: the remedy is shown already.
      if (state.identity !== 'linked') return { state, effects: [handled] }
      return requestLogin(fresh, 'first', 'on_demand', [said, write])
    // On its way, with a deadline of its own.
    case 'idle':
    case 'opening':
    case 'closing':
    case 'logging_out':
    case 'draining':
    case 'ended':
      return { state, effects: [handled] }
    default:
      return assertNever(phase)
  }
}
