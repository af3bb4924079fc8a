import type { Connection } from '../../shared/api/connections.ts'
import { connectionEvents } from '../../shared/api/events.ts'
import type { ChangeFrame, ConnectionFrame } from '../../shared/api/live.ts'
import type { EpochMs } from '../../shared/domain/words.ts'

/** The connection without a QR or pairing code that nobody can use any more. */
export function withoutExpiredCodes(connection: Connection, nowMs: EpochMs): Connection {
  const { qr, pairingCode, ...rest } = connection
  const lasts = (code: { readonly expiresAt: string } | undefined) =>
    code !== undefined && Date.parse(code.expiresAt) > nowMs
  return { ...rest, ...(lasts(qr) ? { qr } : {}), ...(lasts(pairingCode) ? { pairingCode } : {}) }
}

/** A frame that comes late, by way of the retry queue, shows no code that has run out; without one it is no `whatsapp-qr`. */
export function stillTrue(frame: ChangeFrame, nowMs: EpochMs): ChangeFrame {
  if (!isConnectionFrame(frame)) return frame
  const data = withoutExpiredCodes(frame.data, nowMs)
  const event = frame.event === 'whatsapp-qr' && data.qr === undefined ? 'connection-updated' : frame.event
  return { ...frame, event, data }
}

const isConnectionFrame = (frame: ChangeFrame): frame is ConnectionFrame =>
  (connectionEvents as readonly string[]).includes(frame.event)
