import { DEFAULT_CONNECTION_CONFIG, DEFAULT_ORIGIN } from '@whiskeysockets/baileys'
import { WebSocket } from 'ws'

/**
 * Whether WhatsApp takes connections: name, TCP, TLS and the WebSocket upgrade, as for a login, and then nothing. No byte of
 * its protocol is sent and no device is named, so that asking costs no connection an attempt. Never rejects.
 *
 * @param url absent: WhatsApp's own
 */
export function takesConnections(url: string | undefined, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url ?? String(DEFAULT_CONNECTION_CONFIG.waWebSocketUrl), {
      origin: DEFAULT_ORIGIN,
      handshakeTimeout: timeoutMs,
    })
    const answer = (reached: boolean) => {
      resolve(reached)
      socket.terminate()
    }
    socket.on('open', () => answer(true))
    // Refused, reset, unknown, or silent for too long; a refused upgrade is an error where nobody listens for it.
    socket.on('error', () => answer(false))
  })
}
