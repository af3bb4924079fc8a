import type { EpochMs, PartitionId } from '../../shared/domain/words.ts'

/** What a worker remembers of asking and granting, on its own clock, so that partitions do not wander. */
export class Bargains {
  readonly #now: () => EpochMs
  readonly #restMs: number
  readonly #patienceMs: number
  readonly #restsUntil = new Map<PartitionId, EpochMs>()
  readonly #refusedUntil = new Map<PartitionId, EpochMs>()
  #asked: { readonly partition: PartitionId; readonly at: EpochMs } | undefined

  /** `restMs`: none is granted twice within it. `patienceMs`: a request unanswered for so long counts as refused. */
  constructor(now: () => EpochMs, restMs: number, patienceMs: number) {
    this.#now = now
    this.#restMs = restMs
    this.#patienceMs = patienceMs
  }

  /** Until when a partition stays with the worker that gets it by a grant now. */
  get restsUntil(): EpochMs {
    return this.#now() + this.#restMs
  }

  granted(partition: PartitionId): void {
    this.#restsUntil.set(partition, this.restsUntil)
  }

  /** Whether it may be granted; `heldUntil`: as it rests since it was got. */
  rested(partition: PartitionId, heldUntil: EpochMs): boolean {
    return this.#now() >= Math.max(heldUntil, this.#restsUntil.get(partition) ?? 0)
  }

  ask(partition: PartitionId): void {
    this.#asked = { partition, at: this.#now() }
  }

  /** The request that may still be answered; `got`: whether a partition is held by now. */
  pending(got: (partition: PartitionId) => boolean): PartitionId | undefined {
    if (this.#asked === undefined) return undefined
    const { partition, at } = this.#asked
    if (got(partition)) {
      this.#asked = undefined
    } else if (this.#now() - at > this.#patienceMs) {
      this.#refusedUntil.set(partition, this.restsUntil)
      this.#asked = undefined
    }
    return this.#asked?.partition
  }

  get refused(): ReadonlySet<PartitionId> {
    const now = this.#now()
    return new Set([...this.#refusedUntil].filter(([, end]) => end > now).map(([partition]) => partition))
  }
}
