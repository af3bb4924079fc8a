import type { Connection } from '../api/connections.ts'
import type { LiveFrame, LiveTicket } from '../api/live.ts'
import type { Http } from './http.ts'
import type { LiveEventName, LiveEvents, LiveListener } from './live-events.ts'
import { LiveState } from './live-state.ts'
import { ProblemError } from './problem-error.ts'

export interface LiveOptions {
  /** e.g. `wss://….execute-api.eu-west-1.amazonaws.com/live`. Default: what the ticket says. */
  readonly liveUrl?: string
  /** Where a ticket comes from, for pages that have no API key: their own backend gets it. Default: `POST /live/tickets`. */
  readonly ticket?: () => Promise<Pick<LiveTicket, 'ticket' | 'url'>>
  /** Default: the platform's own. Node has one since version 22; before, give that of the package `ws`. */
  readonly WebSocket?: typeof WebSocket
  /** First wait before a reconnect in milliseconds, doubled up to 30 s, with jitter. Default 500. */
  readonly backoffBaseMs?: number
  /** Default 60,000. A socket that does not answer within 10 s is given up. */
  readonly pingEveryMs?: number
  /** Default 60,000: a socket without a whole snapshot by then shows nobody knows what, and is given up for another one. */
  readonly snapshotWithinMs?: number
}

const backoffMaxMs = 30_000
const pongWithinMs = 10_000
/** The service's own limit. */
const watchedMax = 100

/**
 * The live side of the client. It opens its WebSocket with a fresh ticket, opens it again with backoff whenever it ends, asks for
 * what it missed, and merges what arrives by `version`: a listener never sees a connection go back in time, hears nothing twice,
 * and ends with what the REST API says.
 */
export class Live {
  readonly #http: Http
  readonly #options: LiveOptions
  readonly #listeners = new Map<LiveEventName, Set<(data: never) => void>>()
  readonly #state = new LiveState()
  #watched: readonly string[] | 'all' = 'all'
  #socket: WebSocket | undefined
  /** Of the attempt that is under way: one that was overtaken ends by itself. */
  #attempt = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #pings: ReturnType<typeof setInterval> | undefined
  #pong: ReturnType<typeof setTimeout> | undefined
  /** Runs from the opening of a socket until its snapshot is whole. */
  #snapshotDue: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  #wanted = false

  constructor(http: Http, options: LiveOptions) {
    this.#http = http
    this.#options = options
  }

  /** Every watched connection as it was last seen. */
  get connections(): ReadonlyMap<string, Connection> {
    return this.#state.connections
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

  /** The next event of that name for which `matches` holds. Rejects when it can't come any more: `close`, or a refused key. */
  once<Name extends LiveEventName>(
    name: Name,
    matches: (data: LiveEvents[Name]) => boolean = () => true,
  ): Promise<LiveEvents[Name]> {
    return new Promise((resolve, reject) => {
      const stops = [
        this.on(name, (data) => {
          if (!matches(data)) return
          for (const stop of stops) stop()
          resolve(data)
        }),
        this.on('state', ({ kind }) => {
          if (kind !== 'closed') return
          for (const stop of stops) stop()
          reject(new Error(`${name}: the live API was closed`))
        }),
      ]
    })
  }

  /**
   * Which connections to hear of from now on; before that: all. An open socket is exchanged for another one.
   *
   * @throws {RangeError} for none, or for more than 100 connections
   */
  watch(connectionIds: readonly string[] | 'all'): void {
    if (connectionIds !== 'all' && (connectionIds.length === 0 || connectionIds.length > watchedMax)) {
      throw new RangeError(`connectionIds: expected 1 to ${watchedMax} ids or 'all', found ${connectionIds.length}`)
    }
    this.#watched = connectionIds === 'all' ? 'all' : [...connectionIds]
    this.#state.narrow((id) => connectionIds === 'all' || connectionIds.includes(id))
    if (!this.#wanted) return
    this.#drop()
    void this.#connect()
  }

  /**
   * Idempotent.
   *
   * @throws {TypeError} where the platform has no WebSocket and none was given
   */
  open(): void {
    if (this.#wanted) return
    if (this.#options.WebSocket === undefined && globalThis.WebSocket === undefined) {
      throw new TypeError('WebSocket: expected one in the options, since this platform has none of its own')
    }
    this.#wanted = true
    void this.#connect()
  }

  /** Ends the socket and stays ended until `open` or `on` is called again. */
  close(): void {
    if (!this.#wanted) return
    this.#wanted = false
    this.#drop()
    this.#emit('state', { kind: 'closed' })
  }

  /** What a listener throws is its own affair, as with DOM events: the others hear all the same. */
  #emit<Name extends LiveEventName>(name: Name, data: LiveEvents[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        ;(listener as LiveListener<Name>)(data)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  async #connect(): Promise<void> {
    this.#attempt += 1
    const attempt = this.#attempt
    const current = () => this.#wanted && this.#attempt === attempt
    try {
      const ticket = await (this.#options.ticket?.() ?? this.#http.request('POST /live/tickets', { body: {} }))
      if (current()) this.#openSocket(this.#urlOf(ticket))
    } catch (error) {
      if (!current()) return
      if (error instanceof ProblemError && (error.status === 401 || error.status === 403)) {
        this.#emit('error', error)
        this.close()
      } else this.#later(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #urlOf({ ticket, url: own }: Pick<LiveTicket, 'ticket' | 'url'>): URL {
    const url = new URL(this.#options.liveUrl ?? own)
    url.searchParams.set('ticket', ticket)
    if (this.#watched !== 'all') url.searchParams.set('connectionId', this.#watched.join(','))
    const { since } = this.#state
    if (since !== undefined) url.searchParams.set('since', since)
    return url
  }

  #openSocket(url: URL): void {
    const socket = new (this.#options.WebSocket ?? WebSocket)(url)
    this.#socket = socket
    this.#state.begin()
    socket.addEventListener('open', () => {
      if (this.#socket !== socket) return
      this.#emit('state', { kind: 'open' })
      this.#pings = setInterval(() => this.#ping(socket), this.#options.pingEveryMs ?? 60_000)
      this.#snapshotDue = setTimeout(
        () => this.#lost(new Error('No snapshot came.')),
        this.#options.snapshotWithinMs ?? 60_000,
      )
    })
    socket.addEventListener('message', (message) => {
      if (this.#socket !== socket) return
      const said = JSON.parse(String(message.data)) as LiveFrame | readonly LiveFrame[]
      for (const frame of Array.isArray(said) ? (said as readonly LiveFrame[]) : [said as LiveFrame]) {
        if (this.#socket === socket) this.#hear(frame)
      }
    })
    socket.addEventListener('close', () => {
      if (this.#socket === socket) this.#lost()
    })
    // `close` follows and tells what to do.
    socket.addEventListener('error', () => undefined)
  }

  /** A socket whose other end is gone without a word would stay open for hours. */
  #ping(socket: WebSocket): void {
    socket.send(JSON.stringify({ action: 'ping' }))
    this.#pong ??= setTimeout(() => this.#lost(new Error('The socket did not answer.')), pongWithinMs)
  }

  #hear(frame: LiveFrame): void {
    // The service has forgotten this socket, e.g. because a change could not be delivered to it.
    if (frame.event === 'error' && frame.data.code === 'not_found') {
      this.#lost()
      return
    }
    if (frame.event === 'pong') {
      clearTimeout(this.#pong)
      this.#pong = undefined
    }
    if (frame.event === 'snapshot') this.#failures = 0
    for (const [name, data] of this.#state.hear(frame)) {
      if (name === 'snapshot') clearTimeout(this.#snapshotDue)
      this.#emit(name, data as LiveEvents[typeof name])
    }
  }

  #lost(error?: Error): void {
    this.#drop()
    this.#later(error)
  }

  /** Lets go of the socket, without waiting for its other end, and of what is planned. */
  #drop(): void {
    const socket = this.#socket
    this.#socket = undefined
    this.#attempt += 1
    clearTimeout(this.#timer)
    clearTimeout(this.#pong)
    this.#pong = undefined
    clearInterval(this.#pings)
    clearTimeout(this.#snapshotDue)
    socket?.close()
  }

  #later(error?: Error): void {
    const base = this.#options.backoffBaseMs ?? 500
    const wished = error instanceof ProblemError ? (error.retryAfterSeconds ?? 0) * 1_000 : 0
    const inMs = Math.max(wished, Math.min(backoffMaxMs, base * 2 ** this.#failures) * (1 + Math.random() * 0.3))
    this.#failures = Math.min(this.#failures + 1, 10)
    this.#timer = setTimeout(() => void this.#connect(), inMs)
    this.#emit('state', { kind: 'reconnecting', inMs, ...(error === undefined ? {} : { error }) })
  }
}
