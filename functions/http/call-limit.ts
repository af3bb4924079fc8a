import type { CallRates, Rate } from '../../shared/aws/call-rates.ts'
import type { EpochMs } from '../../shared/domain/words.ts'

interface Held {
  /** Taken from the shared bucket and not used yet. */
  count: number
  readonly takenAtMs: EpochMs
  /** Until then the shared bucket is known to be empty. */
  readonly emptyUntilMs: EpochMs
}

/** After a pause a key may do so many seconds' worth at once. */
export const burstSeconds = 5

/** What is taken ahead is for this moment: kept longer, many idle processes would hold what a busy one needs. */
const heldMs = 1_000
const keysMax = 1_000

/**
 * Limits calls by key over all processes with few writes. The first call in a second asks the shared bucket for one; a process
 * that goes on takes a tenth of a second's worth at a time. A process that was refused knows for how long, and asks nothing
 * until then. So a quiet key costs a write per call, a busy one, also over its limit, about ten a second and process;
 * a limit is kept to within a tenth of a second's worth per process.
 */
export class CallLimit {
  readonly #rates: CallRates
  readonly #held = new Map<string, Held>()

  constructor(rates: CallRates) {
    this.#rates = rates
  }

  /** Seconds to wait, at least 1, where the call is over the limit. */
  async retryAfterSeconds(bucket: string, rate: Rate, nowMs: EpochMs): Promise<number | undefined> {
    const held = this.#held.get(bucket)
    if (held !== undefined && nowMs < held.emptyUntilMs) return seconds(held.emptyUntilMs - nowMs)
    const recent = held !== undefined && nowMs - held.takenAtMs < heldMs
    if (recent && held.count > 0) {
      held.count -= 1
      return undefined
    }
    const count = recent ? Math.max(1, Math.floor(rate.perSecond / 10)) : 1
    const outcome = await this.#rates.take(bucket, rate, count, nowMs)
    if (outcome.kind === 'taken') {
      this.#remember(bucket, { count: count - 1, takenAtMs: nowMs, emptyUntilMs: 0 })
      return undefined
    }
    this.#remember(bucket, { count: 0, takenAtMs: nowMs, emptyUntilMs: nowMs + outcome.retryAfterMs })
    return seconds(outcome.retryAfterMs)
  }

  #remember(bucket: string, held: Held): void {
    this.#held.delete(bucket)
    this.#held.set(bucket, held)
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= keysMax) break
      this.#held.delete(oldest)
    }
  }
}

const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1_000))
