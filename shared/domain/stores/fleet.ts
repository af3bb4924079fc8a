import type { Epoch, EpochMs, PartitionId, WorkerId } from '../words.ts'

/**
 * Table `fleet`: partition key `kind` (`worker` or `partition`), sort key `id`. A worker raises its own counter; nobody
 * compares clocks: an observer times on its own clock how long a counter stood still.
 */
export interface WorkerRow {
  readonly workerId: WorkerId
  /** Raised by one every renewal interval. */
  readonly counter: number
  /** `draining`: asked to stop, gives its partitions away. `dead`: marked so by an observer or the platform; can't renew. */
  readonly state: 'live' | 'draining' | 'dead'
  /** Identity of the platform's task, e.g. the ECS task ARN; a task state change event names it. */
  readonly taskArn: string
  /** Deployments are ordered by this string; the newest one's workers are preferred at handover. */
  readonly deployment: string
  readonly maxConnections: number
  readonly connections: number
  readonly restoring?: { readonly done: number; readonly total: number }
  /** For people only. */
  readonly startedAt: string
}

export interface PartitionRow {
  readonly partition: PartitionId
  readonly epoch: Epoch
  /** Absent: nobody's, free to take. */
  readonly owner?: WorkerId
  /** Connections in it as its owner last counted, the weight for shares. */
  readonly connections: number
  /** Its owner offers it: to that worker, or (`to` absent) to anyone. */
  readonly grant?: { readonly to?: WorkerId; readonly grantId: string }
  /** A worker below its fair share asks its owner for it. */
  readonly request?: { readonly by: WorkerId; readonly requestId: string }
}

export interface FleetView {
  readonly workers: readonly WorkerRow[]
  readonly partitions: readonly PartitionRow[]
}

export type RenewOutcome = { readonly kind: 'renewed' } | { readonly kind: 'dead' }

/** `lost`: somebody else was first, or what the condition named had moved on. */
export type TakeOutcome = { readonly kind: 'taken'; readonly epoch: Epoch } | { readonly kind: 'lost' }

export interface FleetStore {
  /** Consistent read of everything. */
  view(): Promise<FleetView>
  /** Creates the partition rows that do not exist yet. */
  ensurePartitions(count: number): Promise<void>
  register(worker: WorkerRow): Promise<void>
  /** Sets `counter` if the row exists, is not dead, and its counter is lower. Carries the load figures along. */
  renew(
    workerId: WorkerId,
    counter: number,
    load: Pick<WorkerRow, 'connections' | 'restoring' | 'state'>,
  ): Promise<RenewOutcome>
  /**
   * One transaction: partition still has this `owner` and `epoch`; where it has an owner, that worker's counter is still the
   * one seen (or it is already dead) and it is marked dead; sets owner and `epoch + 1`, clears grant and request.
   */
  take(
    partition: Pick<PartitionRow, 'partition' | 'epoch' | 'owner'>,
    by: WorkerId,
    previousOwner: { readonly workerId: WorkerId; readonly counterSeen: number } | undefined,
  ): Promise<TakeOutcome>
  /** Claims a partition that was granted to `by` or to anyone: condition on epoch and grant id. Raises the epoch. */
  claimGrant(partition: Pick<PartitionRow, 'partition' | 'epoch'>, grantId: string, by: WorkerId): Promise<TakeOutcome>
  /** Gives up a partition: condition owner and epoch are mine. With `to`, that worker may claim it first. */
  release(
    partition: PartitionId,
    epoch: Epoch,
    owner: WorkerId,
    to?: WorkerId,
  ): Promise<{ readonly kind: 'released' | 'lost' }>
  request(partition: PartitionId, epoch: Epoch, by: WorkerId): Promise<void>
  /** Conditional on owner and epoch. */
  countConnections(partition: PartitionId, epoch: Epoch, owner: WorkerId, connections: number): Promise<void>
  /** Platform says it is dead (exit code seen), or it stopped by itself. Conditional on existence. */
  markDead(workerId: WorkerId): Promise<void>
  /** Rows of workers dead for long. */
  forget(workerId: WorkerId): Promise<void>
}

/** What a worker remembers of another's counter, on its own clock. */
export interface Sighting {
  readonly counter: number
  readonly since: EpochMs
}
