import { EventEmitter, on } from 'node:events'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'

export interface WhatsAppEvent {
  readonly event: string
  readonly at: string
  readonly device?: string
  readonly replaced?: boolean
}

/** What the simulated WhatsApp says while it happens: who logs in, who leaves. */
export class WhatsAppEvents {
  readonly events: WhatsAppEvent[] = []
  readonly #arrivals = new EventEmitter().setMaxListeners(0)
  readonly #hangUp = new AbortController()
  readonly #open = new Set<string>()

  /** `open`: devices with a socket at this moment. */
  static async open(simulatorUrl: string, open: readonly string[]): Promise<WhatsAppEvents> {
    const log = new WhatsAppEvents()
    for (const device of open) log.#open.add(device)
    const { body } = await fetch(new URL('/events', simulatorUrl), { signal: log.#hangUp.signal })
    if (body === null) throw new Error('the simulator gives no events')
    const stream = Readable.fromWeb(body as import('node:stream/web').ReadableStream)
    stream.on('error', () => undefined)
    const lines = createInterface({ input: stream })
    lines.on('error', () => undefined)
    lines.on('line', (line) => {
      const event = JSON.parse(line) as WhatsAppEvent
      log.events.push(event)
      const { device } = event
      if (device !== undefined && event.event === 'login') log.#open.add(device)
      // A replaced socket's end is told before the login that replaced it.
      if (device !== undefined && event.event === 'logout') log.#open.delete(device)
      log.#arrivals.emit('event')
    })
    return log
  }

  /** Marks this moment, for `since`. */
  get mark(): number {
    return this.events.length
  }

  since(mark: number, event: string): readonly WhatsAppEvent[] {
    return this.events.slice(mark).filter((each) => each.event === event)
  }

  isOpen(device: string): boolean {
    return this.#open.has(device)
  }

  async until(what: string, holds: () => boolean, boundMs: number): Promise<void> {
    const signal = AbortSignal.timeout(boundMs)
    const arrivals = on(this.#arrivals, 'event', { signal })
    try {
      while (!holds()) await arrivals.next()
    } catch (error) {
      const last = this.events.slice(-8).map(({ event, device }) => `${event} ${device ?? ''}`)
      throw new Error(`waited ${boundMs} ms for ${what}; last: ${last.join(' | ')}`, { cause: error })
    } finally {
      await arrivals.return?.()
    }
  }

  /** For each device that left after the mark: milliseconds until it was back. */
  gaps(mark: number): readonly number[] {
    const left = new Map<string, number>()
    const gaps: number[] = []
    for (const { event, device, at } of this.events.slice(mark)) {
      if (device === undefined) continue
      if (event === 'logout') left.set(device, Date.parse(at))
      const since = left.get(device)
      if (event !== 'login' || since === undefined) continue
      gaps.push(Date.parse(at) - since)
      left.delete(device)
    }
    return gaps
  }

  close(): void {
    this.#hangUp.abort()
  }
}
