import type {
  FleetStore,
  FleetView,
  PartitionRow,
  RenewOutcome,
  TakeOutcome,
  WorkerRow,
} from '../../../shared/domain/stores/fleet.ts'
import type { Epoch, PartitionId, WorkerId } from '../../../shared/domain/words.ts'

/**
 * The fleet table in memory. Each call is one step, as each is one conditional write on DynamoDB; the simulation puts its
 * network (delays, lost answers, late arrivals) in front of it.
 */
export class ModelFleetStore implements FleetStore {
  readonly workers = new Map<WorkerId, WorkerRow>()
  readonly partitions = new Map<PartitionId, PartitionRow>()
  #grants = 0
  #requests = 0

  async view(): Promise<FleetView> {
    return { workers: [...this.workers.values()], partitions: [...this.partitions.values()] }
  }

  async ensurePartitions(count: number): Promise<void> {
    for (let partition = 0; partition < count; partition++) {
      if (!this.partitions.has(partition)) this.partitions.set(partition, { partition, epoch: 0, connections: 0 })
    }
  }

  async register(worker: WorkerRow): Promise<void> {
    this.workers.set(worker.workerId, worker)
  }

  async renew(
    workerId: WorkerId,
    counter: number,
    load: Pick<WorkerRow, 'connections' | 'restoring' | 'state'>,
  ): Promise<RenewOutcome> {
    const row = this.workers.get(workerId)
    if (row === undefined || row.state === 'dead') return { kind: 'dead' }
    if (row.counter < counter) {
      const { restoring: _, ...rest } = row
      this.workers.set(workerId, { ...rest, ...load, counter })
    }
    return { kind: 'renewed' }
  }

  async take(
    partition: Pick<PartitionRow, 'partition' | 'epoch' | 'owner'>,
    by: WorkerId,
    previousOwner: { readonly workerId: WorkerId; readonly counterSeen: number } | undefined,
  ): Promise<TakeOutcome> {
    const row = this.partitions.get(partition.partition)
    if (row === undefined || row.epoch !== partition.epoch || row.owner !== partition.owner) return { kind: 'lost' }
    if (previousOwner !== undefined) {
      const previous = this.workers.get(previousOwner.workerId)
      if (previous !== undefined && previous.state !== 'dead') {
        if (previous.counter !== previousOwner.counterSeen) return { kind: 'lost' }
        this.workers.set(previous.workerId, { ...previous, state: 'dead' })
      }
    }
    return this.#own(row, by)
  }

  async claimGrant(
    partition: Pick<PartitionRow, 'partition' | 'epoch'>,
    grantId: string,
    by: WorkerId,
  ): Promise<TakeOutcome> {
    const row = this.partitions.get(partition.partition)
    if (row === undefined || row.epoch !== partition.epoch || row.grant?.grantId !== grantId) return { kind: 'lost' }
    return this.#own(row, by)
  }

  async release(
    partition: PartitionId,
    epoch: Epoch,
    owner: WorkerId,
    to?: WorkerId,
  ): Promise<{ readonly kind: 'released' | 'lost' }> {
    const row = this.partitions.get(partition)
    if (row === undefined || row.epoch !== epoch || row.owner !== owner) return { kind: 'lost' }
    const { owner: _owner, request: _request, ...rest } = row
    const grant = to === undefined ? {} : { grant: { to, grantId: `grant-${++this.#grants}` } }
    this.partitions.set(partition, { ...rest, ...grant })
    return { kind: 'released' }
  }

  async request(partition: PartitionId, epoch: Epoch, by: WorkerId): Promise<void> {
    const row = this.partitions.get(partition)
    if (row === undefined || row.epoch !== epoch || row.owner === undefined) return
    this.partitions.set(partition, { ...row, request: { by, requestId: `request-${++this.#requests}` } })
  }

  async countConnections(partition: PartitionId, epoch: Epoch, owner: WorkerId, connections: number): Promise<void> {
    const row = this.partitions.get(partition)
    if (row === undefined || row.epoch !== epoch || row.owner !== owner) return
    this.partitions.set(partition, { ...row, connections })
  }

  async markDead(workerId: WorkerId): Promise<void> {
    const row = this.workers.get(workerId)
    if (row !== undefined) this.workers.set(workerId, { ...row, state: 'dead' })
  }

  async forget(workerId: WorkerId): Promise<void> {
    this.workers.delete(workerId)
  }

  #own(row: PartitionRow, by: WorkerId): TakeOutcome {
    const epoch = row.epoch + 1
    this.partitions.set(row.partition, {
      partition: row.partition,
      connections: row.connections,
      epoch,
      owner: by,
    })
    return { kind: 'taken', epoch }
  }
}
