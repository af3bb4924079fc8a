import type { Connection } from '../api/connections.ts'
import type { ChangeFrame, ResumedFrame } from '../api/live.ts'

/** Every change by the name of its event, as the contract has it. */
type Changes = { readonly [Frame in ChangeFrame as Frame['event']]: Frame['data'] }

export interface LiveEvents extends Changes {
  /** All connections that are watched, after every (re)connect, once the snapshot is complete. */
  snapshot: readonly Connection[]
  /**
   * After a reconnect: all messages that changed meanwhile were told. `complete: false`: it was away too long, or too much
   * changed; read the messages by REST.
   */
  resumed: ResumedFrame['data']
  /** The socket itself. `reconnecting` comes with the milliseconds until the next try, and with what went wrong where that is known. */
  state:
    | { readonly kind: 'open' | 'closed' }
    | { readonly kind: 'reconnecting'; readonly inMs: number; readonly error?: Error }
  /** What cannot be mended by trying again, e.g. a revoked key. */
  error: Error
}
export type LiveEventName = keyof LiveEvents
export type LiveListener<Name extends LiveEventName> = (data: LiveEvents[Name]) => void

/** One thing to tell: a name and its data. */
export type Told = { readonly [Name in LiveEventName]: readonly [name: Name, data: LiveEvents[Name]] }[LiveEventName]
