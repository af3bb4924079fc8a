/**
 * One simulated world: a time that only events move, a source of chance that one seed determines, and a log. Nothing in a
 * simulation knows another clock, another source of chance or any input, so the same seed gives the same log.
 */
import { createHash } from 'node:crypto'
import type { Random, Timer } from '../../connector/ports.ts'
import { SeededRandom } from '../connector/virtual-clock.ts'
import { EventQueue } from './event-queue.ts'

/** A promise of the product that did not hold. */
export class Violation extends Error {
  readonly invariant: string
  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`)
    this.name = 'Violation'
    this.invariant = invariant
  }
}

const startedAt = Date.UTC(2026, 0, 31, 12)
const linesKept = 4_000

export class World {
  readonly seed: number
  readonly chance: Chance
  /** The newest lines, oldest first. */
  readonly lines: string[] = []
  violation: Violation | undefined
  /** How far a worker's wall clock was ever set ahead, in milliseconds. */
  clocksAheadMs = 0
  events = 0
  readonly #queue = new EventQueue()
  readonly #hash = createHash('sha256')
  readonly #onLine: ((line: string) => void) | undefined
  #now = 0

  constructor(seed: number, onLine?: (line: string) => void) {
    this.seed = seed
    this.chance = new Chance(seed)
    this.#onLine = onLine
  }

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#now
  }

  /** What a perfect clock on the wall shows. */
  get wallClock(): number {
    return startedAt + this.#now
  }

  get iso(): string {
    return new Date(this.wallClock).toISOString()
  }

  /** Of everything logged so far. */
  get digest(): string {
    return this.#hash.copy().digest('hex')
  }

  after(delayMs: number, callback: () => void): Timer {
    const event = this.#queue.add(this.#now + Math.max(0, delayMs), callback)
    return {
      cancel: () => {
        event.cancelled = true
      },
    }
  }

  log(who: string, what: string): void {
    const line = `${(this.#now / 1_000).toFixed(3).padStart(9)} ${who.padEnd(10)} ${what}`
    this.#hash.update(line).update('\n')
    this.lines.push(line)
    if (this.lines.length > linesKept * 2) this.lines.splice(0, linesKept)
    this.#onLine?.(line)
  }

  /** The first one ends the simulation; what comes after it is its consequence. */
  violated(invariant: string, detail: string): void {
    if (this.violation !== undefined) return
    this.violation = new Violation(invariant, detail)
    this.log('VIOLATED', this.violation.message)
  }

  /**
   * Lets `forMs` pass, or less when `until` holds (asked after every event). `step` is called whenever all processes have come
   * to rest. Throws the violation when there is one.
   */
  async pass(forMs: number, step: () => void, until: () => boolean = () => false): Promise<boolean> {
    const end = this.#now + forMs
    await rest()
    for (;;) {
      if (this.violation !== undefined) throw this.violation
      if (until()) return true
      const event = this.#queue.next(end)
      if (event === undefined) break
      this.#now = Math.max(this.#now, event.at)
      this.events += 1
      event.callback()
      await rest()
      step()
    }
    this.#now = end
    return until()
  }
}

/** Lets all promises that can settle without time passing do so. */
function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Seeded chance, in the words of a scenario. */
export class Chance implements Random {
  readonly #random: SeededRandom

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
    // Neighbouring seeds begin alike.
    for (let i = 0; i < 8; i++) this.#random.next()
  }

  next(): number {
    return this.#random.next()
  }

  id(): string {
    return this.#random.id()
  }

  /** A stream of its own, so that one part's questions do not shift another's answers. */
  fork(): Chance {
    return new Chance(Math.floor(this.next() * 2 ** 32))
  }

  happens(probability: number): boolean {
    return this.next() < probability
  }

  between(min: number, max: number): number {
    return min + (max - min) * this.next()
  }

  /** A whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number {
    return Math.floor(this.between(min, max + 1))
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.next() * from.length)]
  }
}
