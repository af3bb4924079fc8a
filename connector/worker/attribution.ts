import { AsyncLocalStorage } from 'node:async_hooks'

interface Culprit {
  readonly name: string
  /** Ends what the fault belongs to, and nothing else. */
  readonly end: (error: unknown) => void
}

const current = new AsyncLocalStorage<Culprit>()

/**
 * Runs work on behalf of a session. What it throws where nobody catches (a promise nobody awaits, a socket's callback) can be
 * traced to it: Node keeps the context through timers, sockets and promises, up to the process's last handlers.
 */
export function onBehalfOf<T>(culprit: Culprit, work: () => T): T {
  return current.run(culprit, work)
}

const faultsMax = 20
const faultsWithinMs = 60_000

/**
 * The policy for what nobody caught: a bug ends the session that it belongs to; one that belongs to nobody, or too many of
 * them, end the process.
 */
export class UncaughtPolicy {
  readonly #monotonic: () => number
  readonly #endProcess: (error: unknown) => void
  #faults: number[] = []

  constructor(monotonic: () => number, endProcess: (error: unknown) => void) {
    this.#monotonic = monotonic
    this.#endProcess = endProcess
  }

  /** To be called in the context of the fault. */
  uncaught(error: unknown): void {
    const culprit = current.getStore()
    const now = this.#monotonic()
    this.#faults = [...this.#faults.filter((at) => now - at < faultsWithinMs), now]
    if (culprit === undefined || this.#faults.length > faultsMax) this.#endProcess(error)
    else culprit.end(error)
  }
}
