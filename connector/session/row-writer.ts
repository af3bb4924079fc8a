import { storeRetryDelayMs } from '../../shared/domain/backoff.ts'
import type { ConnectionChange, WorkerConnections } from '../../shared/domain/stores/connections.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import type { Clock, Holding, Log, Random, Timer } from '../ports.ts'

/** How long a lazy change waits for another one to go with: in a restore, for the write that must come before the socket. */
const lazyMs = 4_000
/** A request that was given up may still arrive, and overwrite what was written after it; by then it has. */
const lateArrivalMs = 15_000

/**
 * Writes a connection's row, one write at a time. What changes meanwhile is merged, so that the latest state wins and a slow
 * store never holds up the socket. Nothing is written once the holding ended or `stop` was called.
 */
export class RowWriter {
  readonly #ref: ConnectionRef
  readonly #holding: Holding
  readonly #connections: WorkerConnections
  readonly #clock: Clock
  readonly #random: Random
  readonly #log: Log
  readonly #onRefused: (why: 'fenced' | 'gone') => void
  #pending: ConnectionChange | undefined
  #lazy: Timer | undefined
  #retry: Timer | undefined
  /** Every field as it was said last. */
  #said: ConnectionChange = {}
  #repeat: Timer | undefined
  #writing = false
  #stopped = false
  #failures = 0
  #waiters: (() => void)[] = []

  constructor(options: {
    readonly ref: ConnectionRef
    readonly holding: Holding
    readonly connections: WorkerConnections
    readonly clock: Clock
    readonly random: Random
    readonly log: Log
    /** A newer owner wrote, or the row is gone. The writer stopped itself. */
    readonly onRefused: (why: 'fenced' | 'gone') => void
  }) {
    this.#ref = options.ref
    this.#holding = options.holding
    this.#connections = options.connections
    this.#clock = options.clock
    this.#random = options.random
    this.#log = options.log
    this.#onRefused = options.onRefused
  }

  write(change: ConnectionChange, lazily = false): void {
    if (this.#stopped) return
    this.#pending = { ...this.#pending, ...change }
    this.#said = { ...this.#said, ...change }
    if (this.#writing || this.#retry !== undefined) return
    if (lazily) {
      this.#lazy ??= this.#clock.after(lazyMs, () => {
        this.#lazy = undefined
        this.#flush()
      })
      return
    }
    this.#flush()
  }

  /** Resolves once everything written so far is stored, or never will be. */
  landed(): Promise<void> {
    if (this.#pending !== undefined && !this.#writing && this.#retry === undefined) this.#flush()
    if (!this.#busy()) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  /** From now on nothing is written; a write that is under way may still land. */
  stop(): void {
    this.#stopped = true
    this.#pending = undefined
    this.#lazy?.cancel()
    this.#retry?.cancel()
    this.#repeat?.cancel()
    this.#lazy = undefined
    this.#retry = undefined
    this.#repeat = undefined
    this.#wakeWaiters()
  }

  #busy(): boolean {
    return !this.#stopped && (this.#writing || this.#pending !== undefined)
  }

  #flush(): void {
    this.#lazy?.cancel()
    this.#lazy = undefined
    if (this.#stopped || this.#writing || this.#pending === undefined) return
    if (!this.#holding.held()) {
      this.stop()
      return
    }
    const change = this.#pending
    this.#pending = undefined
    this.#writing = true
    void this.#store(change)
  }

  async #store(change: ConnectionChange): Promise<void> {
    try {
      const now = new Date(this.#clock.now()).toISOString()
      const outcome = await this.#connections.update(this.#ref, this.#holding.epoch, change, now)
      this.#writing = false
      this.#failures = 0
      if (outcome.kind !== 'written') {
        const stopped = this.#stopped
        this.stop()
        if (!stopped) this.#onRefused(outcome.kind)
        return
      }
      if (this.#pending !== undefined) this.#flush()
      if (!this.#busy()) this.#wakeWaiters()
    } catch (error) {
      this.#writing = false
      if (this.#stopped) return
      this.#failures += 1
      // What failed comes first, what was said since then overrides it.
      this.#pending = { ...change, ...this.#pending }
      this.#log.warn({ error: errorName(error), failures: this.#failures }, 'Status could not be stored, trying again')
      this.#repeatLater()
      this.#retry = this.#clock.after(storeRetryDelayMs(this.#failures, this.#random.next()), () => {
        this.#retry = undefined
        this.#flush()
      })
    }
  }

  /** Says everything once more when the answers that are missing can mean nothing any more. */
  #repeatLater(): void {
    this.#repeat?.cancel()
    this.#repeat = this.#clock.after(lateArrivalMs, () => {
      this.#repeat = undefined
      this.write(this.#said)
    })
  }

  #wakeWaiters(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }
}

/** Store errors by name and sentence; they hold no payloads. */
export function errorName(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
