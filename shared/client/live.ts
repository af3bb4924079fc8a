import type { Connection } from '../api/connections.ts'
import type { ChangeFrame, LiveFrame, LiveTicket, SnapshotFrame } from '../api/live.ts'
import type { Http } from './http.ts'

/**
 * The live side of the client. It opens its WebSocket with a fresh ticket, opens it again with backoff whenever it ends, and
 * merges what arrives by `version`, so that a listener never sees a connection go back in time, whatever order snapshot
 * and changes come in.
 */

/** Every change by the name of its event, as the contract has it. */
type Changes = { readonly [Frame in ChangeFrame as Frame['event']]: Frame['data'] }

export interface LiveEvents extends Changes {
  /** All connections, after every (re)connect, once the snapshot is complete. */
  snapshot: readonly Connection[]
  /** The socket itself. `reconnecting` comes with the milliseconds until the next try. */
  state: { readonly kind: 'open' | 'closed' } | { readonly kind: 'reconnecting'; readonly inMs: number }
  /** What cannot be mended by trying again, e.g. a revoked key. */
  error: Error
}
export type LiveEventName = keyof LiveEvents
export type LiveListener<Name extends LiveEventName> = (data: LiveEvents[Name]) => void

export interface LiveOptions {
  /** e.g. `wss://….execute-api.eu-west-1.amazonaws.com/live` */
  readonly liveUrl: string
  /** Default: the platform's own. */
  readonly WebSocket?: typeof WebSocket
  /** First wait in milliseconds, doubled up to 30 s, with jitter. Default 500. */
  readonly backoffBaseMs?: number
}

const backoffMaxMs = 30_000
/** API Gateway ends a socket that is idle for ten minutes. */
const pingEveryMs = 5 * 60_000

export class Live {
  readonly #http: Http
  readonly #options: LiveOptions
  readonly #listeners = new Map<LiveEventName, Set<(data: never) => void>>()
  /** Latest version seen of each connection and message, deleted ones too. */
  readonly #versions = new Map<string, number>()
  readonly #connections = new Map<string, Connection>()
  #snapshot: { readonly version: number; readonly parts: Map<number, readonly Connection[]> } | undefined
  #changedSinceOpen = new Set<string>()
  #socket: WebSocket | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #pings: ReturnType<typeof setInterval> | undefined
  #failures = 0
  #wanted = false

  constructor(http: Http, options: LiveOptions) {
    this.#http = http
    this.#options = options
  }

  /** Every connection as it was last seen. */
  get connections(): ReadonlyMap<string, Connection> {
    return this.#connections
  }

  /** Listens; the first listener opens the socket. The returned function stops listening. */
  on<Name extends LiveEventName>(name: Name, listener: LiveListener<Name>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    listeners.add(listener as (data: never) => void)
    this.#listeners.set(name, listeners)
    this.open()
    return () => {
      listeners.delete(listener as (data: never) => void)
    }
  }

  /** Idempotent. */
  open(): void {
    if (this.#wanted) return
    this.#wanted = true
    void this.#connect()
  }

  /** Ends the socket and stays ended until `open` or `on` is called again. */
  close(): void {
    this.#wanted = false
    clearTimeout(this.#timer)
    clearInterval(this.#pings)
    this.#socket?.close()
    this.#socket = undefined
    this.#emit('state', { kind: 'closed' })
  }

  #emit<Name extends LiveEventName>(name: Name, data: LiveEvents[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) (listener as LiveListener<Name>)(data)
  }

  async #connect(): Promise<void> {
    let ticket: LiveTicket
    try {
      ticket = await this.#http.request('POST /live/tickets', { body: {} })
    } catch (error) {
      if (!this.#wanted) return
      const status = (error as { status?: number }).status
      if (status === 401 || status === 403) {
        this.#wanted = false
        this.#emit('error', error as Error)
        this.#emit('state', { kind: 'closed' })
      } else this.#later()
      return
    }
    if (!this.#wanted) return
    const Socket = this.#options.WebSocket ?? WebSocket
    const url = new URL(this.#options.liveUrl)
    url.searchParams.set('ticket', ticket.ticket)
    const socket = new Socket(url)
    this.#socket = socket
    this.#snapshot = undefined
    this.#changedSinceOpen = new Set()
    socket.addEventListener('open', () => {
      if (this.#socket !== socket) return
      this.#failures = 0
      this.#emit('state', { kind: 'open' })
      this.#pings = setInterval(() => socket.send(JSON.stringify({ action: 'ping' })), pingEveryMs)
    })
    socket.addEventListener('message', (message) => {
      if (this.#socket !== socket) return
      const said = JSON.parse(String(message.data)) as LiveFrame | readonly LiveFrame[]
      for (const frame of Array.isArray(said) ? (said as readonly LiveFrame[]) : [said as LiveFrame]) this.#hear(frame)
    })
    socket.addEventListener('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      clearInterval(this.#pings)
      if (this.#wanted) this.#later()
    })
    // `close` follows and tells what to do.
    socket.addEventListener('error', () => undefined)
  }

  #later(): void {
    const base = this.#options.backoffBaseMs ?? 500
    const delay = Math.min(backoffMaxMs, base * 2 ** this.#failures) * (1 + Math.random() * 0.3)
    this.#failures += 1
    this.#emit('state', { kind: 'reconnecting', inMs: delay })
    this.#timer = setTimeout(() => void this.#connect(), delay)
  }

  #hear(frame: LiveFrame): void {
    switch (frame.event) {
      case 'snapshot':
        this.#hearSnapshot(frame)
        return
      case 'pong':
      case 'subscribed':
        return
      case 'error':
        this.#emit('error', new Error(frame.data.detail ?? frame.data.title))
        return
      default:
        this.#hearChange(frame)
    }
  }

  #hearChange(frame: ChangeFrame): void {
    const item = 'messageId' in frame.data ? frame.data.messageId : frame.connectionId
    if (!this.#newer(item, frame.version)) return
    this.#changedSinceOpen.add(item)
    if (frame.event === 'connection-deleted') this.#connections.delete(frame.connectionId)
    else if (isConnection(frame.data)) this.#connections.set(frame.connectionId, frame.data)
    this.#emit(frame.event, frame.data as LiveEvents[typeof frame.event])
  }

  /** Whether this is news; two events of one version (a state and its details) both are. */
  #newer(item: string, version: number): boolean {
    const known = this.#versions.get(item)
    if (known !== undefined && version < known) return false
    this.#versions.set(item, version)
    return true
  }

  #hearSnapshot({ version, data }: SnapshotFrame): void {
    if (this.#snapshot === undefined || this.#snapshot.version < version) this.#snapshot = { version, parts: new Map() }
    if (this.#snapshot.version !== version) return
    this.#snapshot.parts.set(data.part, data.connections)
    if (this.#snapshot.parts.size < data.parts) return
    const listed = [...this.#snapshot.parts.values()].flat()
    const ids = new Set(listed.map(({ connectionId }) => connectionId))
    for (const connection of listed) {
      if (this.#newer(connection.connectionId, connection.version)) {
        this.#connections.set(connection.connectionId, connection)
      }
    }
    for (const id of this.#connections.keys()) {
      if (!ids.has(id) && !this.#changedSinceOpen.has(id)) this.#connections.delete(id)
    }
    this.#emit('snapshot', [...this.#connections.values()])
  }
}

function isConnection(data: ChangeFrame['data']): data is Connection {
  return 'pairing' in data
}
