import { EventEmitter, on } from 'node:events'
import { WebSocket } from 'ws'
import type { Frame, Rest } from '../end-to-end/callers.ts'
import { ok, persistently } from './asking.ts'

/** A browser that watches many connections: all frames are kept, and any number of waits look at them at a time. */
export class Observer {
  readonly frames: Frame[] = []
  readonly #caller: Rest
  readonly #liveUrl: string
  readonly #arrivals = new EventEmitter()
  #socket: WebSocket | undefined
  /** The greatest `at` of all that was heard. */
  #heardAt: string | undefined
  #over = false

  private constructor(caller: Rest, liveUrl: string) {
    this.#caller = caller
    this.#liveUrl = liveUrl
    this.#arrivals.setMaxListeners(0)
  }

  /** Watches once the snapshot has come. */
  static async open(caller: Rest, liveUrl: string): Promise<Observer> {
    const observer = new Observer(caller, liveUrl)
    await observer.#connect()
    await observer.until('a snapshot', ({ event }) => event === 'snapshot')
    return observer
  }

  /**
   * A socket to which a change could not be delivered is closed: as every client, this one comes back for the snapshot and for the
   * messages that changed meanwhile. Until it has them, it counts as having heard nothing new.
   */
  async #connect(since?: string): Promise<void> {
    const { body } = await this.#caller.post('/live/tickets')
    const query = new URLSearchParams({ ticket: body.ticket, ...(since === undefined ? {} : { since }) })
    const socket = new WebSocket(`${this.#liveUrl}?${query}`)
    this.#socket = socket
    let resumed = since === undefined
    const failed = (error: Error) => this.#arrivals.emit('frame', error.message)
    socket.on('message', (data) => {
      const parsed = JSON.parse(String(data)) as Frame | Frame[]
      for (const frame of Array.isArray(parsed) ? parsed : [parsed]) {
        this.#hear(frame)
        if (frame.event !== 'resumed') continue
        resumed = true
        if (!frame.data.complete) this.#readAll().catch(failed)
      }
      this.#arrivals.emit('frame')
    })
    // `close` follows.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (!this.#over) this.#connect(resumed ? this.#heardAt : since).catch(failed)
    })
  }

  /** Too much changed to be told again: it is read, as it is now. */
  async #readAll(): Promise<void> {
    for await (const { connectionId } of this.#pages('/connections')) {
      for await (const data of this.#pages(`/connections/${connectionId}/messages`)) {
        const { messageId, version, updatedAt, direction } = data
        const event = direction === 'inbound' ? 'message-received' : 'message-status'
        this.frames.push({ id: `${messageId}:${version}`, event, at: updatedAt, connectionId, version, data })
      }
      this.#arrivals.emit('frame')
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: a caller reads JSON
  async *#pages(path: string): AsyncGenerator<any> {
    for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
      const query = new URLSearchParams({ limit: '100', ...(next === undefined ? {} : { next }) })
      const page = ok(await persistently(() => this.#caller.get(`${path}?${query}`)))
      next = page.next
      yield* page.items
    }
  }

  /** What a snapshot shows of a connection counts as seen of it. */
  #hear(frame: Frame): void {
    this.frames.push(frame)
    if (this.#heardAt === undefined || this.#heardAt < frame.at) this.#heardAt = frame.at
    if (frame.event !== 'snapshot') return
    for (const data of frame.data.connections) {
      this.frames.push({ ...frame, event: 'in-snapshot', connectionId: data.connectionId, version: data.version, data })
    }
  }

  /** The first frame, of those that came and those that come, that matches. */
  async until(what: string, matches: (frame: Frame) => boolean, boundMs = 30_000): Promise<Frame> {
    const signal = AbortSignal.timeout(boundMs)
    const arrivals = on(this.#arrivals, 'frame', { signal })
    let position = 0
    try {
      for (;;) {
        while (position < this.frames.length) {
          const frame = this.frames[position++]
          if (frame !== undefined && matches(frame)) return frame
        }
        const closed: unknown = (await arrivals.next()).value?.[0]
        if (typeof closed === 'string') throw new Error(`waited for ${what}, but could not watch: ${closed}`)
      }
    } catch (error) {
      if (signal.aborted) throw new Error(`waited ${boundMs} ms for ${what}`, { cause: error })
      throw error
    } finally {
      await arrivals.return?.()
    }
  }

  /** A connection as a frame after `version` shows it. */
  async connection(
    connectionId: string,
    what: string,
    // biome-ignore lint/suspicious/noExplicitAny: a caller reads JSON; the assertions say what must be in it
    matches: (data: any) => boolean,
    options: { readonly after?: number; readonly boundMs?: number } = {},
  ): Promise<Frame> {
    const { after = -1, boundMs } = options
    return this.until(
      what,
      (frame) =>
        frame.connectionId === connectionId &&
        frame.data?.status !== undefined &&
        frame.data.label !== undefined &&
        (frame.version ?? 0) > after &&
        matches(frame.data),
      boundMs,
    ).catch((error: Error) => {
      throw new Error(`${error.message}; seen: ${this.history(connectionId).join(' | ') || 'nothing'}`, {
        cause: error,
      })
    })
  }

  /** What a person has seen of a connection, in words. */
  history(connectionId: string): readonly string[] {
    return this.frames
      .filter((frame) => frame.connectionId === connectionId && frame.data?.label !== undefined)
      .map(({ version, data }) => `${version} ${data.status}/${data.reason}${data.attempt ? ` ${data.attempt}` : ''}`)
  }

  close(): void {
    this.#over = true
    this.#socket?.close()
  }
}
