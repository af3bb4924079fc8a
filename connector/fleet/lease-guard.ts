import { isLeaseValid, type LeaseTerms, leaseRemainingMs, type Stamp } from '../../shared/domain/leases.ts'
import type { Epoch, PartitionId } from '../../shared/domain/words.ts'
import type { Clock, Holding } from '../ports.ts'

/** Knows at any moment whether this worker's lease still runs; asks both clocks each time, so that a jump is noticed at once. */
export class LeaseGuard {
  readonly #clock: Clock
  readonly #terms: LeaseTerms
  readonly #confirmed: () => Stamp | undefined

  constructor(clock: Clock, terms: LeaseTerms, confirmed: () => Stamp | undefined) {
    this.#clock = clock
    this.#terms = terms
    this.#confirmed = confirmed
  }

  now(): Stamp {
    return { monotonic: this.#clock.monotonic(), wall: this.#clock.now() }
  }

  valid(): boolean {
    return isLeaseValid(this.#confirmed(), this.now(), this.#terms)
  }

  remainingMs(): number {
    return leaseRemainingMs(this.#confirmed(), this.now(), this.#terms)
  }
}

/**
 * One held partition. Once it is over it never comes back, not even when the lease is renewed late: what comes back is a new
 * holding with a higher epoch.
 */
export class PartitionHolding implements Holding {
  readonly partition: PartitionId
  readonly epoch: Epoch
  readonly #guard: LeaseGuard
  readonly #onEnd: (cause: 'lapsed' | 'fenced') => void
  #over = false

  constructor(partition: PartitionId, epoch: Epoch, guard: LeaseGuard, onEnd: (cause: 'lapsed' | 'fenced') => void) {
    this.partition = partition
    this.epoch = epoch
    this.#guard = guard
    this.#onEnd = onEnd
  }

  held(): boolean {
    if (this.#over) return false
    if (this.#guard.valid()) return true
    this.#endItself('lapsed')
    return false
  }

  fenced(): void {
    if (!this.#over) this.#endItself('fenced')
  }

  /** By the owner of this object, who knows. */
  end(): void {
    this.#over = true
  }

  /** The caller is in the midst of something: it is told `false` now, the rest of the worker in the next microtask. */
  #endItself(cause: 'lapsed' | 'fenced'): void {
    this.#over = true
    queueMicrotask(() => this.#onEnd(cause))
  }
}
