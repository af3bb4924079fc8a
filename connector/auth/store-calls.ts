import type { ConnectionRef } from '../../shared/domain/words.ts'
import type { Clock, Log, Random } from '../ports.ts'

export interface StoreCallDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** First pause after a failed call; doubles up to `retryMaxMs`, a quarter of jitter on top. */
  readonly retryBaseMs: number
  readonly retryMaxMs: number
  readonly ref: ConnectionRef
  /** Why no call may be made any more; looked at before each. */
  readonly over: () => Error | undefined
}

/** Store calls of one connection, each repeated until it is answered. What a call throws counts as transient. */
export class StoreCalls {
  readonly #deps: StoreCallDependencies
  readonly #pauses = new Set<() => void>()

  constructor(deps: StoreCallDependencies) {
    this.#deps = deps
  }

  /** Rejects only with what `over` says. */
  async untilAnswered<T>(call: string, attempt: () => Promise<T>): Promise<T> {
    const { ref, log, over } = this.#deps
    for (let failures = 0; ; failures += 1) {
      const end = over()
      if (end !== undefined) throw end
      try {
        return await attempt()
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        log.warn({ ...ref, call, failures: failures + 1, reason }, 'auth store does not answer')
        await this.#pause(failures)
      }
    }
  }

  /** Ends all pauses, so that `over` is looked at. */
  wake(): void {
    for (const wake of [...this.#pauses]) wake()
  }

  #pause(failures: number): Promise<void> {
    const { clock, random, retryBaseMs, retryMaxMs } = this.#deps
    const delayMs = Math.min(retryMaxMs, retryBaseMs * 2 ** Math.min(failures, 20)) * (1 + random.next() / 4)
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel()
        this.#pauses.delete(wake)
        resolve()
      }
      const timer = clock.after(delayMs, wake)
      this.#pauses.add(wake)
    })
  }
}
