import { type Fleet, ok } from '../faults/fleet.ts'

/**
 * Kills workers, one at a time, at moments that progress decides: after so many accepted messages, whatever the machine's pace.
 * Half-way one rolling deployment takes the place of a kill.
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

  constructor(
    fleet: Fleet,
    options: {
      readonly workers: number
      /** Steps of progress between two kills. */
      readonly every: number
      /** Which stroke, from 1, is a deployment. */
      readonly deployAt?: number
      readonly random: () => number
    },
  ) {
    this.#fleet = fleet
    this.#workers = options.workers
    this.#every = options.every
    this.#random = options.random
    this.#deployAt = options.deployAt
  }

  get strokes(): number {
    return this.#strokes
  }

  readonly progress = (): void => {
    this.#done += 1
    if (this.#done % this.#every !== 0) return
    this.#work = this.#work.then(() => this.#strike())
  }

  /** Resolves when the last one fell; rejects if one could not. */
  over(): Promise<void> {
    return this.#work
  }

  async #strike(): Promise<void> {
    this.#strokes += 1
    if (this.#strokes === this.#deployAt) {
      ok(await this.#fleet.place.control.post('/services/connector/deploy', {}))
      return
    }
    const tasks = await this.#fleet.tasks()
    const task = tasks[Math.floor(this.#random() * tasks.length)]
    if (task !== undefined) await this.#fleet.signal(task, 'SIGKILL')
    // The platform waits longer and longer before it replaces what ends early; a scaling call does not.
    ok(await this.#fleet.place.control.post('/services/connector/scale', { desiredCount: this.#workers }))
  }
}
