import type { Clock, Random, Timer } from '../../connector/ports.ts'

interface Pending {
  readonly at: number
  readonly order: number
  readonly callback: () => void
}

/**
 * Time that passes only when a test says so. `passTime` fires timers in order of time (in order of setting among equals) and
 * lets everything that a timer set off come to rest before the next one.
 */
export class VirtualClock implements Clock {
  #time = 0
  #order = 0
  #pending: Pending[] = []
  readonly #epoch: number

  constructor(epoch = Date.UTC(2026, 0, 31, 12)) {
    this.#epoch = epoch
  }

  now(): number {
    return this.#epoch + this.#time
  }

  monotonic(): number {
    return this.#time
  }

  after(delayMs: number, callback: () => void): Timer {
    const pending = { at: this.#time + Math.max(0, delayMs), order: this.#order++, callback }
    this.#pending.push(pending)
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== pending)
      },
    }
  }

  /** Timers that wait, e.g. to claim that nothing was left behind. */
  get timers(): number {
    return this.#pending.length
  }

  async passTime(ms: number): Promise<void> {
    const end = this.#time + ms
    await rest()
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      const due = next
      this.#pending = this.#pending.filter((other) => other !== due)
      this.#time = Math.max(this.#time, due.at)
      due.callback()
      await rest()
    }
    this.#time = end
  }

  /** Passes time step by step until the condition holds; throws when it does not within `withinMs`. */
  async passTimeUntil(condition: () => boolean, withinMs: number, stepMs = 50): Promise<void> {
    await rest()
    for (const end = this.#time + withinMs; !condition(); ) {
      if (this.#time >= end) throw new Error(`not within ${withinMs} ms: ${condition.toString()}`)
      await this.passTime(stepMs)
    }
  }

  #next(end: number): Pending | undefined {
    let first: Pending | undefined
    for (const pending of this.#pending) {
      if (pending.at > end) continue
      if (first === undefined || pending.at < first.at || (pending.at === first.at && pending.order < first.order)) {
        first = pending
      }
    }
    return first
  }
}

/** Lets all promises that can settle without time passing do so. */
export function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/**
 * The clocks of one process on a machine of its own: run at their own rate, and stand still, timers and all, while the process
 * is stopped. What was due meanwhile fires when it goes on, as after SIGCONT.
 */
export class ProcessClock implements Clock {
  readonly #world: VirtualClock
  readonly #rate: number
  #stopped = false
  #due: (() => void)[] = []

  constructor(world: VirtualClock, rate = 1) {
    this.#world = world
    this.#rate = rate
  }

  now(): number {
    return Math.floor(this.#world.now() * this.#rate)
  }

  monotonic(): number {
    return this.#world.monotonic() * this.#rate
  }

  after(delayMs: number, callback: () => void): Timer {
    let cancelled = false
    const timer = this.#world.after(delayMs / this.#rate, () => {
      const fire = () => {
        if (!cancelled) callback()
      }
      if (this.#stopped) this.#due.push(fire)
      else fire()
    })
    return {
      cancel: () => {
        cancelled = true
        timer.cancel()
      },
    }
  }

  stopProcess(): void {
    this.#stopped = true
  }

  continueProcess(): void {
    this.#stopped = false
    const due = this.#due
    this.#due = []
    for (const fire of due) fire()
  }
}

/** Same seed, same numbers (mulberry32). */
export class SeededRandom implements Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  id(): string {
    const digits = Array.from({ length: 32 }, () => Math.floor(this.next() * 16).toString(16)).join('')
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`
  }
}
