import type { OutboundRow } from '../../shared/domain/stores/messages.ts'
import type { EpochMs } from '../../shared/domain/words.ts'
import type { Clock, Timer } from '../ports.ts'

export type EntryState =
  /** In the list. */
  | 'waiting'
  /** Being taken out in the store, which ends the time in which it could be cancelled. Nothing left yet. */
  | 'claiming'
  /** "typing…" is shown in its chat. Nothing left yet. */
  | 'typing'
  /** Its medium is on the way to WhatsApp's media server. Nothing of the message left yet. */
  | 'preparing'
  /** The socket has it; its bytes may be leaving. */
  | 'handing'
  /** Left, its ack is awaited. */
  | 'unacked'
  /** Left twice on a live socket without an ack: waits for a late ack, the next open, or its deadline. */
  | 'parked'
  /** Its outcome is known and being stored. */
  | 'ending'

/** One send of a connection, from its acceptance by the worker until its outcome is stored. */
export interface SendEntry {
  readonly row: OutboundRow
  readonly deadline: Timer
  state: EntryState
  /** Bytes may have left, in this or an earlier worker. */
  attempted: boolean
  /** When this worker had it, and when it last handed it to a socket. */
  readonly takenAt: EpochMs
  handedAt?: EpochMs
  /** Whether the socket wrote it is not known: what follows in its chat could get there first. */
  uncertain: boolean
  resent: boolean
  /** It may be held in the store: it has to be taken out before it goes. */
  held: boolean
  /** How often it was taken out, as far as is known here. */
  claims: number
  timer?: Timer
  /** Runs until the send is due. */
  due?: Timer
}

/** On its way out of the list: its chat waits for it. */
export function isLeaving({ state, uncertain }: SendEntry): boolean {
  const onItsWay = state === 'handing' || state === 'claiming' || state === 'typing' || state === 'preparing'
  return onItsWay || (state === 'unacked' && uncertain)
}

/** Bytes of it may be on their way at this moment. */
export function mayBeLeaving({ state }: SendEntry): boolean {
  return state !== 'waiting' && state !== 'claiming' && state !== 'typing' && state !== 'preparing'
}

/** Nothing of it happens by itself any more. */
export function cancelTimers(entry: SendEntry): void {
  entry.timer?.cancel()
  entry.due?.cancel()
  entry.deadline.cancel()
}

/** Timers hold 31 bits of milliseconds; a later time is looked at again after a day. */
const timerMaxMs = 24 * 60 * 60_000

/** Calls back once, when the wall clock shows `at`. */
export function atTime(clock: Clock, at: EpochMs, callback: () => void): Timer {
  const next = (): Timer =>
    clock.after(Math.min(Math.max(0, at - clock.now()), timerMaxMs), () => {
      if (clock.now() >= at) callback()
      else timer = next()
    })
  let timer = next()
  return { cancel: () => timer.cancel() }
}
