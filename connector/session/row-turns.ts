import type { Clock } from '../ports.ts'

/** So many are written at a time … */
const atOnceMax = 4
/** … and one that takes longer makes room: a slow store is not made slower. At the least 160 rows a second. */
const turnMs = 25

/**
 * Turns at writing what became of sends, of all connections of a process. A process that is busy has all its time for what
 * still has to leave and for its rows at once: sends leave first, and steps of a message that wait for its turn share its
 * write. Where there is time, a turn comes at once.
 */
export class RowTurns {
  readonly #clock: Clock
  readonly #waiting: (() => void)[] = []
  #taken = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** In order of asking. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken < atOnceMax) this.#taken += 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    let over = false
    const end = (): void => {
      if (over) return
      over = true
      timer.cancel()
      const next = this.#waiting.shift()
      if (next === undefined) this.#taken -= 1
      else next()
    }
    const timer = this.#clock.after(turnMs, end)
    try {
      return await work()
    } finally {
      end()
    }
  }
}
