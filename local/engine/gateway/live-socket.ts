/** One open WebSocket with API Gateway's limits: idle time, whole duration, text only, a bounded send buffer. */
import { isUtf8 } from 'node:buffer'
import type { WebSocket } from 'ws'
import type { ClientFacts } from './websocket-event.ts'

/** API Gateway's bound for one message in either direction. */
export const messageBytesMax = 128 * 1024

export interface SocketLimits {
  readonly idleMs: number
  readonly durationMs: number
  /** What may wait for a slow client, in bytes; beyond it nothing more is taken. */
  readonly sendBufferBytesMax: number
  /** How long a client may take to answer a close frame. */
  readonly closeMs: number
}

export const defaultSocketLimits: SocketLimits = {
  idleMs: 600_000,
  durationMs: 7_200_000,
  sendBufferBytesMax: 1024 * 1024,
  closeMs: 1000,
}

export interface SocketEnd {
  readonly code: number
  readonly reason: string
}

export interface LiveSocket {
  readonly client: ClientFacts
  readonly lastActiveAtMs: () => number
  /** Resolves once the socket is closed, whoever closed it. */
  readonly closed: Promise<void>
  /** `full`: the client reads too slowly, the data was not taken. `gone`: the socket is closing. */
  send(data: Buffer): 'sent' | 'full' | 'gone'
  /** Closes with a close frame; a client that is behind or does not answer is cut off. */
  close(code: number, reason: string): void
}

export function createLiveSocket(
  socket: WebSocket,
  options: {
    readonly client: ClientFacts
    readonly limits: SocketLimits
    readonly onMessage: (body: string) => void
    /** The socket takes nothing more from now on. */
    readonly onClosing: () => void
    readonly onClosed: (end: SocketEnd) => void
  },
): LiveSocket {
  const { client, limits } = options
  let lastActiveAtMs = Date.now()
  /** Set when the gateway ends the connection: then this is what `$disconnect` tells, not the client's echo. */
  let ownEnd: SocketEnd | undefined
  let cutOff: NodeJS.Timeout | undefined

  const close = (code: number, reason: string): void => {
    if (ownEnd !== undefined || socket.readyState !== socket.OPEN) return
    ownEnd = { code, reason }
    options.onClosing()
    if (socket.bufferedAmount > limits.sendBufferBytesMax / 2) {
      socket.terminate()
      return
    }
    socket.close(code, reason)
    cutOff = setTimeout(() => socket.terminate(), limits.closeMs)
  }

  const idle = setTimeout(() => close(1001, 'Going away'), limits.idleMs)
  const duration = setTimeout(() => close(1001, 'Going away'), limits.durationMs)
  const active = (): void => {
    lastActiveAtMs = Date.now()
    idle.refresh()
  }

  socket.on('message', (data, isBinary) => {
    active()
    // Nothing that arrives after the gateway's close frame is a message any more.
    if (ownEnd !== undefined) return
    // API Gateway takes text frames only.
    if (isBinary) return close(1003, 'Binary frames are not supported')
    options.onMessage(String(data))
  })
  socket.on('ping', active)
  // A protocol error or a message over the limit: `ws` itself sends the close frame (1009 for the limit).
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => {
    socket.once('close', (code, reason) => {
      for (const timer of [idle, duration, cutOff]) clearTimeout(timer)
      options.onClosing()
      options.onClosed(ownEnd ?? clientEnd(code, reason))
      resolve()
    })
  })

  return {
    client,
    lastActiveAtMs: () => lastActiveAtMs,
    closed,
    send(data) {
      if (socket.readyState !== socket.OPEN) return 'gone'
      if (socket.bufferedAmount + data.length > limits.sendBufferBytesMax) return 'full'
      socket.send(data, { binary: !isUtf8(data) }, () => undefined)
      active()
      return 'sent'
    },
    close,
  }
}

/** What `$disconnect` is told of an end that the client made; API Gateway has a sentence for a close without a code. */
function clientEnd(code: number, reason: Buffer): SocketEnd {
  return { code, reason: code === 1005 ? 'Client-side close frame status not set' : reason.toString() }
}
