import type { LeaseTerms, Stamp } from '../../shared/domain/leases.ts'
import type { Epoch, EpochMs, PartitionId } from '../../shared/domain/words.ts'
import type { Clock, Holding, Log, Timer } from '../ports.ts'
import { LeaseGuard, PartitionHolding } from './lease-guard.ts'

export interface HoldingsDependencies {
  readonly clock: Clock
  readonly log: Log
  readonly terms: LeaseTerms
  /** When the newest confirmed renewal was stamped. */
  readonly confirmed: () => Stamp | undefined
  /** Tells the renewing side that this thread is alive. */
  readonly beat: () => void
  readonly taken: (holding: Holding) => void
  readonly lost: (partition: PartitionId) => void
}

export interface Held {
  readonly holding: PartitionHolding
  connections: number
  /** Until when it is not granted to another. */
  readonly restsUntil: EpochMs
}

/** What this worker holds, and the heartbeat under which it does: all of it ends with the lease, in one moment. */
export class Holdings {
  readonly guard: LeaseGuard
  readonly #deps: HoldingsDependencies
  readonly #held = new Map<PartitionId, Held>()
  #timer: Timer | undefined

  constructor(deps: HoldingsDependencies) {
    this.#deps = deps
    this.guard = new LeaseGuard(deps.clock, deps.terms, deps.confirmed)
  }

  get partitions(): readonly PartitionId[] {
    return [...this.#held.keys()]
  }

  get connections(): number {
    return [...this.#held.values()].reduce((sum, held) => sum + held.connections, 0)
  }

  get entries(): readonly (readonly [PartitionId, Held])[] {
    return [...this.#held]
  }

  get(partition: PartitionId): Held | undefined {
    return this.#held.get(partition)
  }

  /** Looks at the clocks before it vouches for this thread: a jump is noticed before the lease is renewed across it. */
  beat(): void {
    const { terms, clock } = this.#deps
    const remainingMs = this.guard.remainingMs()
    if (remainingMs <= 0) this.#lapse()
    this.#deps.beat()
    const pauseMs = terms.renewMs / 6
    const untilDeadlineMs = remainingMs > 0 ? remainingMs : pauseMs
    this.#timer = clock.after(Math.min(pauseMs, untilDeadlineMs), () => this.beat())
  }

  /** Nothing where the lease ran out while the partition was being taken: the row names this worker, which takes it again. */
  begin(partition: PartitionId, epoch: Epoch, connections: number, restsUntil: EpochMs): void {
    if (!this.guard.valid()) return
    const holding: PartitionHolding = new PartitionHolding(partition, epoch, this.guard, (cause) => {
      if (cause === 'lapsed') this.#lapse()
      else if (this.#held.get(partition)?.holding === holding) this.end(partition, 'fenced')
    })
    this.#held.set(partition, { holding, connections, restsUntil })
    this.#deps.log.debug({ partition, epoch }, 'Holds partition')
    this.#deps.taken(holding)
  }

  /** Tells the worker that a partition is over, once. */
  end(partition: PartitionId, why: string): void {
    const held = this.#held.get(partition)
    if (held === undefined) return
    held.holding.end()
    this.#held.delete(partition)
    if (why !== 'stopped') this.#deps.log.warn({ partition, epoch: held.holding.epoch, why }, 'Lost partition')
    this.#deps.lost(partition)
  }

  endAll(why: string): void {
    for (const partition of this.partitions) this.end(partition, why)
  }

  /** The worker closed its sessions itself. Nothing where it was lost meanwhile. */
  give(partition: PartitionId, held: Held): void {
    if (this.#held.get(partition) !== held) return
    held.holding.end()
    this.#held.delete(partition)
  }

  stop(why: string): void {
    this.#timer?.cancel()
    this.endAll(why)
  }

  #lapse(): void {
    if (this.#held.size === 0) return
    const { log } = this.#deps
    log.error({ partitions: this.partitions }, 'The lease ran out before it was renewed; all sockets are closed')
    this.endAll('lapsed')
  }
}
