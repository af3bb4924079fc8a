import type { FleetView, Sighting, WorkerRow } from '../../shared/domain/stores/fleet.ts'
import type { PartitionId, WorkerId } from '../../shared/domain/words.ts'

/** What one observer knows of workers' counters: which moved, and for how long the others stood still while it watched. */
export class Pulse {
  readonly #silenceMs: number
  #sightings = new Map<WorkerId, Sighting>()
  #moved = new Set<WorkerId>()

  /** @param silenceMs how long a counter may stand still: a lease time and its margin */
  constructor(silenceMs: number) {
    this.#silenceMs = silenceMs
  }

  /**
   * Time only counts while this observer watches: between two watches its process may have been frozen, or the store may have been
   * out of reach. Counters are remembered.
   */
  beginWatch(): void {
    this.#moved = new Set()
    for (const [workerId, { counter }] of this.#sightings) {
      this.#sightings.set(workerId, { counter, since: Number.POSITIVE_INFINITY })
    }
  }

  /** @param nowMs monotonic */
  see(workers: readonly WorkerRow[], nowMs: number): void {
    const seen = new Map<WorkerId, Sighting>()
    for (const { workerId, counter } of workers) {
      const earlier = this.#sightings.get(workerId)
      if (earlier !== undefined && earlier.counter !== counter) this.#moved.add(workerId)
      const since = earlier?.counter === counter ? Math.min(earlier.since, nowMs) : nowMs
      seen.set(workerId, { counter, since })
    }
    this.#sightings = seen
  }

  of(workerId: WorkerId, nowMs: number): 'alive' | 'silent' | 'unknown' {
    if (this.#moved.has(workerId)) return 'alive'
    const sighting = this.#sightings.get(workerId)
    return sighting !== undefined && nowMs - sighting.since >= this.#silenceMs ? 'silent' : 'unknown'
  }
}

/** Partitions that nobody living owns. `undecided`: an owner's counter has neither moved nor stood still for long enough. */
export function orphaned(
  view: FleetView,
  partitionCount: number,
  pulse: Pick<Pulse, 'of'>,
  nowMs: number,
): { readonly partitions: readonly PartitionId[]; readonly undecided: boolean } {
  const owners = new Map(view.partitions.map(({ partition, owner }) => [partition, owner]))
  const workers = new Map(view.workers.map((worker) => [worker.workerId, worker]))
  const partitions: PartitionId[] = []
  let undecided = false
  for (let partition = 0; partition < partitionCount; partition++) {
    const owner = owners.get(partition)
    const worker = owner === undefined ? undefined : workers.get(owner)
    if (worker === undefined || worker.state === 'dead') {
      partitions.push(partition)
      continue
    }
    const pulseOfOwner = pulse.of(worker.workerId, nowMs)
    if (pulseOfOwner === 'silent') partitions.push(partition)
    if (pulseOfOwner === 'unknown') undecided = true
  }
  return { partitions, undecided }
}
