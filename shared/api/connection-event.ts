import { assertNever } from '../domain/words.ts'
import type { Connection } from './connections.ts'
import type { ConnectionEvent } from './events.ts'

/** The name of a change of a connection: said by those who publish it, and by a client that finds it in a snapshot. */
export function connectionEvent(before: Connection | undefined, after: Connection): ConnectionEvent {
  if (before === undefined) return 'connection-created'
  const moved = before.status !== after.status || before.reason !== after.reason
  switch (after.status) {
    case 'qr_pending':
      return after.qr !== undefined && after.qr.text !== before.qr?.text ? 'whatsapp-qr' : 'connection-updated'
    case 'connected':
      return before.status !== 'connected' ? 'whatsapp-connected' : 'connection-updated'
    case 'reconnecting':
      return moved || before.attempt !== after.attempt || before.nextAttemptAt !== after.nextAttemptAt
        ? 'whatsapp-reconnecting'
        : 'connection-updated'
    case 'disconnected':
      return moved ? 'whatsapp-disconnected' : 'connection-updated'
    default:
      return assertNever(after.status)
  }
}
