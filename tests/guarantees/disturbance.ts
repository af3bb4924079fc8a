import { setTimeout as delay } from 'node:timers/promises'
import { ok } from '../faults/asking.ts'
import type { Fleet } from '../faults/fleet.ts'

/**
 * Kills workers, one at a time, at moments that progress decides: after so many accepted messages, whatever the machine's pace.
 * The long version kills by the clock. One rolling deployment takes the place of a kill.
 */
export class Disturbance {
  readonly #fleet: Fleet
  readonly #workers: number
  readonly #every: number
  readonly #random: () => number
  #done = 0
  #strokes = 0
  #work: Promise<void> = Promise.resolve()
  readonly #deployAt: number | undefined
  readonly #betweenMs: readonly [number, number] | undefined
  readonly #ended = new AbortController()
  /** Told of the next stroke. */
  readonly #waiting: (() => void)[] = []

  constructor(
    fleet: Fleet,
    options: {
      readonly workers: number
      /** Steps of progress between two kills. */
      readonly every: number
      /** Which stroke, from 1, is a deployment. */
      readonly deployAt?: number
      /** By the clock instead: at least and at most so many milliseconds between two. */
      readonly betweenMs?: readonly [number, number]
      readonly random: () => number
    },
  ) {
    this.#fleet = fleet
    this.#workers = options.workers
    this.#every = options.every
    this.#random = options.random
    this.#deployAt = options.deployAt
    this.#betweenMs = options.betweenMs
    if (this.#betweenMs !== undefined) this.#work = this.#byTheClock(this.#betweenMs)
    this.#work.catch(() => undefined)
  }

  get strokes(): number {
    return this.#strokes
  }

  /** After each step. Resolves when the next one may be: by the clock, when so many strokes have fallen as are due by then. */
  readonly progress = async (): Promise<void> => {
    this.#done += 1
    if (this.#betweenMs !== undefined) {
      const due = Math.floor(this.#done / this.#every)
      while (this.#strokes < due && !this.#ended.signal.aborted) await this.#fell()
      return
    }
    if (this.#done % this.#every !== 0) return
    this.#work = this.#work.then(() => this.#strike())
    // Told by `over`.
    this.#work.catch(() => undefined)
  }

  /** No further one. Resolves when the last one fell; rejects if one could not. */
  over(): Promise<void> {
    this.#ended.abort()
    return this.#work
  }

  /** The next stroke; rejects if it could not fall. */
  #fell(): Promise<void> {
    return Promise.race([new Promise<void>((resolve) => this.#waiting.push(resolve)), this.#work])
  }

  async #byTheClock([least, most]: readonly [number, number]): Promise<void> {
    const { signal } = this.#ended
    for (;;) {
      await delay(least + this.#random() * (most - least), undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      await this.#strike()
    }
  }

  async #strike(): Promise<void> {
    this.#strokes += 1
    for (const tell of this.#waiting.splice(0)) tell()
    if (this.#strokes === this.#deployAt) {
      ok(await this.#fleet.place.control.post('/services/connector/deploy', {}))
      return
    }
    const tasks = [...(await this.#fleet.tasks())]
    // One that a deployment is replacing may end by itself before the stroke falls: then another takes it.
    while (tasks.length > 0) {
      const [task] = tasks.splice(Math.floor(this.#random() * tasks.length), 1)
      if (task !== undefined && (await this.#fleet.strike(task))) break
    }
    // The platform waits longer and longer before it replaces what ends early; a scaling call does not.
    ok(await this.#fleet.place.control.post('/services/connector/scale', { desiredCount: this.#workers }))
  }
}
