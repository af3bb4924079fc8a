import type { Circumstances, LifecycleEvent, LifecycleState, Transition } from './lifecycle-state.ts'
import { changeOf, iso, leaveLogin, noCodes, stay, viewOf } from './lifecycle-steps.ts'
import { conditions } from './lifecycle-table.ts'
import type { ConnectionChange } from './stores/connections.ts'

type EventOf<K extends LifecycleEvent['kind']> = Extract<LifecycleEvent, { kind: K }>

/** Something to show for linking: the permit of the login limiter is not needed while a person looks at it. */
export function onCode(
  state: LifecycleState,
  event: EventOf<'qr'> | EventOf<'pairing_code'> | EventOf<'passkey_required'>,
  { now }: Circumstances,
): Transition {
  const { phase } = state
  if (phase.kind !== 'opening' && phase.kind !== 'pairing') return stay(state)
  if (phase.kind === 'pairing' && phase.paired) return stay(state)
  const expiresAt = 'expiresInMs' in event ? iso(now + event.expiresInMs) : ''
  const [view, codes]: readonly [ReturnType<typeof viewOf>, ConnectionChange] =
    event.kind === 'qr'
      ? [
          viewOf({ status: 'qr_pending', reason: 'waiting_for_scan', remedy: 'scan_qr' }),
          { qr: { text: event.text, expiresAt }, pairingCode: null },
        ]
      : event.kind === 'pairing_code'
        ? [
            viewOf({ status: 'qr_pending', reason: 'waiting_for_code', remedy: 'enter_code' }),
            { pairingCode: { code: event.code, expiresAt }, qr: null },
          ]
        : [viewOf(conditions.passkey_required.shows), noCodes]
  return {
    state: { ...state, shown: view, phase: { kind: 'pairing', try: phase.try, paired: false } },
    effects: [
      ...leaveLogin(state, 'neutral'),
      { kind: 'write', change: { ...changeOf(view), ...codes, opening: null, openingCrashes: null } },
      ...(state.shown.reason === view.reason ? [] : [{ kind: 'log', level: 'info', message: view.message } as const]),
      { kind: 'settled' },
    ],
  }
}

/** The scan came and is durable; WhatsApp closes with 515 next, and the device logs in for the first time. */
export function onPaired(
  state: LifecycleState,
  event: EventOf<'paired'>,
  { now, settings }: Circumstances,
): Transition {
  const { phase } = state
  if (phase.kind !== 'opening' && phase.kind !== 'pairing') return stay(state)
  const { pairing: _, ...rest } = state
  return {
    state: {
      ...rest,
      identity: 'linked',
      everLinked: true,
      failures: 0,
      phase: { kind: 'pairing', try: 'first', paired: true, dueAt: now + settings.openTimeoutMs },
    },
    effects: [
      ...leaveLogin(state, 'neutral'),
      {
        kind: 'write',
        change: {
          ...noCodes,
          linkedAt: iso(now),
          jid: event.jid,
          lid: event.lid ?? null,
          phoneNumber: event.phoneNumber,
          restriction: null,
        },
      },
      { kind: 'log', level: 'info', message: `Linked to ${event.phoneNumber}` },
    ],
  }
}
