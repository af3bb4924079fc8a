import { EventEmitter, on } from 'node:events'
import { WebSocket } from 'ws'
import type { Frame, Rest } from '../end-to-end/callers.ts'

/** A browser that watches many connections: all frames are kept, and any number of waits look at them at a time. */
export class Observer {
  readonly frames: Frame[] = []
  readonly #arrivals = new EventEmitter()
  readonly #socket: WebSocket

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.#arrivals.setMaxListeners(0)
    socket.on('message', (data) => {
      const parsed = JSON.parse(String(data)) as Frame | Frame[]
      this.frames.push(...(Array.isArray(parsed) ? parsed : [parsed]))
      this.#arrivals.emit('frame')
    })
    socket.on('close', (code) => this.#arrivals.emit('frame', `the watching socket closed with ${code}`))
  }

  /** Watches once the snapshot has come. */
  static async open(caller: Rest, liveUrl: string): Promise<Observer> {
    const { body } = await caller.post('/live/tickets')
    const observer = new Observer(new WebSocket(`${liveUrl}?ticket=${encodeURIComponent(body.ticket)}`))
    await observer.until('a snapshot', ({ event }) => event === 'snapshot')
    return observer
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
        if (typeof closed === 'string') throw new Error(`waited for ${what}, but ${closed}`)
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
    this.#socket.close()
  }
}
