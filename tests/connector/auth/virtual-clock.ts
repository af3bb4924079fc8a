import type { Clock, Random, Timer } from '../../../connector/ports.ts'

interface Alarm {
  readonly at: number
  readonly order: number
  readonly callback: () => void
}

/** Time that passes only when told to, or when nothing else is left to do. */
export class VirtualClock implements Clock {
  #now = 0
  #order = 0
  #alarms: Alarm[] = []

  now(): number {
    return 1_700_000_000_000 + this.#now
  }

  monotonic(): number {
    return this.#now
  }

  after(delayMs: number, callback: () => void): Timer {
    this.#order += 1
    const alarm: Alarm = { at: this.#now + delayMs, order: this.#order, callback }
    this.#alarms.push(alarm)
    return {
      cancel: () => {
        this.#alarms = this.#alarms.filter((other) => other !== alarm)
      },
    }
  }

  /** Lets all promises go as far as they can, then the next timer go off; false when there is none. */
  async step(): Promise<boolean> {
    await settle()
    const next = this.#alarms.toSorted((a, b) => a.at - b.at || a.order - b.order)[0]
    if (next === undefined) return false
    this.#alarms = this.#alarms.filter((alarm) => alarm !== next)
    this.#now = Math.max(this.#now, next.at)
    next.callback()
    await settle()
    return true
  }

  async pass(durationMs: number): Promise<void> {
    const until = this.#now + durationMs
    await settle()
    while (this.#alarms.some(({ at }) => at <= until)) await this.step()
    this.#now = until
  }

  /** Runs timers until the promise is settled. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const mark = (): void => {
      settled = true
    }
    promise.then(mark, mark)
    await settle()
    while (!settled) if (!(await this.step()) && !settled) throw new Error('nothing is left that could settle it')
    return promise
  }
}

/** A turn of the event loop runs every promise that can run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** mulberry32: the same seed gives the same series. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { next, id: () => `${Math.floor(next() * 2 ** 32).toString(16)}-${Math.floor(next() * 2 ** 32).toString(16)}` }
}
