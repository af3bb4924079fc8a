import {
  decideLease,
  type FleetMemory,
  type LeaseTerms,
  standingOf,
  type WorkerStanding,
} from '../../shared/domain/leases.ts'
import {
  chooseGrant,
  chooseHeir,
  chooseRequest,
  type Load,
  loadsOf,
  type PlacedPartition,
  planFree,
} from '../../shared/domain/placement.ts'
import type { FleetView, PartitionRow } from '../../shared/domain/stores/fleet.ts'
import type { Epoch, EpochMs, PartitionId, WorkerId } from '../../shared/domain/words.ts'

/** What a worker does after a look at the fleet. Each is one conditional write, so that acting on an old look is harmless. */
export type OwnershipAction =
  | {
      readonly kind: 'take'
      readonly row: PartitionRow
      readonly previousOwner?: { readonly workerId: WorkerId; readonly counterSeen: number }
    }
  | { readonly kind: 'claim'; readonly row: PartitionRow; readonly grantId: string }
  /** Finish, flush and close its sessions, then release it to that worker. */
  | { readonly kind: 'give'; readonly partition: PartitionId; readonly to: WorkerId }
  | { readonly kind: 'request'; readonly partition: PartitionId; readonly epoch: Epoch }
  | { readonly kind: 'lose'; readonly partition: PartitionId }
  /** The row names this worker, which does not hold it and is about to stop. */
  | { readonly kind: 'release'; readonly partition: PartitionId; readonly epoch: Epoch; readonly to?: WorkerId }
  | { readonly kind: 'forget'; readonly workerId: WorkerId }

export interface OwnershipQuestion {
  readonly self: WorkerId
  readonly draining: boolean
  readonly view: FleetView
  readonly memory: FleetMemory
  /** Of this view, on this worker's monotonic clock. */
  readonly askedAt: EpochMs
  readonly terms: LeaseTerms
  readonly held: ReadonlyMap<PartitionId, { readonly epoch: Epoch; readonly connections: number }>
  /** An action of this worker on them is under way. */
  readonly busy: ReadonlySet<PartitionId>
  /** A grant of this worker is under way: one at a time. */
  readonly giving: boolean
  readonly rested: (partition: PartitionId) => boolean
  /** The request made last, while its answer may still come. */
  readonly asked: PartitionId | undefined
  /** Asked for in vain lately. */
  readonly refused: ReadonlySet<PartitionId>
  readonly takesAtOnce: number
  readonly forgetAfterMs: number
}

export interface OwnershipDecision {
  readonly actions: readonly OwnershipAction[]
  /** Free, and no worker has room for them. */
  readonly unplaced: readonly PartitionId[]
  /** Something is about to change hands: look again soon. */
  readonly hurry: boolean
  readonly loads: readonly Load[]
  readonly partitions: readonly PlacedPartition[]
}

export function decideOwnership(question: OwnershipQuestion): OwnershipDecision {
  const { self, view, memory, askedAt, terms, held, busy } = question
  const workers = view.workers.map((row) => ({
    row: row.workerId === self && question.draining ? { ...row, state: 'draining' as const } : row,
    standing: standing(row.workerId),
  }))
  const standings = new Map(workers.map((worker) => [worker.row.workerId, worker.standing]))

  function standing(workerId: WorkerId): WorkerStanding {
    if (workerId === self) return { kind: 'alive', stoodStillMs: 0 }
    const row = view.workers.find((row) => row.workerId === workerId)
    return standingOf(workerId, row, memory, askedAt, terms)
  }

  const partitions = view.partitions.map((row): PlacedPartition => {
    const holding = held.get(row.partition)
    const decision = decideLease({
      self,
      row,
      heldEpoch: holding?.epoch,
      owner: row.owner === undefined ? undefined : (standings.get(row.owner) ?? standing(row.owner)),
      ownerless: memory.ownerless.get(row.partition),
      askedAt,
      terms,
    })
    // A look older than the holding, or than the last count: what is known here is newer.
    const known =
      decision.kind === 'hold' && holding !== undefined
        ? { ...row, owner: self, epoch: holding.epoch, connections: holding.connections }
        : row
    return { row: known, decision }
  })
  const loads = loadsOf(workers, partitions, terms.renewMs * 2.5)
  const plan = planFree(self, partitions, loads, terms.renewMs)
  const actions: OwnershipAction[] = []
  const idle = (partition: PartitionId) => !busy.has(partition)

  for (const { row, decision } of partitions) {
    if (!idle(row.partition)) continue
    if (decision.kind === 'lost') actions.push({ kind: 'lose', partition: row.partition })
    if (decision.kind === 'retake')
      actions.push(question.draining ? releaseOf(row, loads, self) : { kind: 'take', row })
    if (decision.kind === 'claim' && !question.draining && hasRoomFor(row, loads, self)) {
      actions.push({ kind: 'claim', row, grantId: decision.grantId })
    }
  }
  if (!question.draining) {
    for (const { row, decision } of plan.take.filter(({ row }) => idle(row.partition)).slice(0, question.takesAtOnce)) {
      if (decision.kind !== 'free') continue
      const { previousOwner } = decision
      actions.push(previousOwner === undefined ? { kind: 'take', row } : { kind: 'take', row, previousOwner })
    }
    const grant = question.giving ? undefined : chooseGrant(self, partitions, loads, question.rested)
    if (grant !== undefined && idle(grant.row.partition)) {
      actions.push({ kind: 'give', partition: grant.row.partition, to: grant.to })
    }
    const wish = question.asked === undefined ? chooseRequest(self, partitions, loads, question.refused) : undefined
    if (wish !== undefined) {
      actions.push({ kind: 'request', partition: wish.row.partition, epoch: wish.row.epoch })
    }
    actions.push(...forgotten(question))
  }
  return {
    actions,
    unplaced: plan.unplaced,
    hurry:
      question.asked !== undefined ||
      actions.some((action) => action.kind !== 'forget') ||
      partitions.some(
        ({ row, decision }) =>
          decision.kind === 'promised' || (decision.kind === 'free' && !plan.unplaced.includes(row.partition)),
      ) ||
      workers.some(({ row, standing }) => row.state === 'draining' && standing.kind === 'alive'),
    loads,
    partitions,
  }
}

function releaseOf(row: PartitionRow, loads: readonly Load[], self: WorkerId): OwnershipAction {
  const to = chooseHeir(row, loads, self)
  const release = { kind: 'release', partition: row.partition, epoch: row.epoch } as const
  return to === undefined ? release : { ...release, to }
}

function hasRoomFor(row: PartitionRow, loads: readonly Load[], self: WorkerId): boolean {
  const mine = loads.find((load) => load.workerId === self)
  // What was promised to this worker is part of its load already.
  const promised = row.grant?.to === self ? row.connections : 0
  return mine !== undefined && mine.connections - promised + row.connections <= mine.maxConnections
}

/** Rows of workers that are long gone and own nothing. A worker that was only paused for so long finds itself dead, and stops. */
function forgotten(question: OwnershipQuestion): OwnershipAction[] {
  const owners = new Set(question.view.partitions.map((row) => row.owner))
  return question.view.workers.flatMap((row): OwnershipAction[] => {
    const sighting = question.memory.workers.get(row.workerId)
    if (row.workerId === question.self || sighting === undefined || owners.has(row.workerId)) return []
    const goneForMs = question.askedAt - sighting.since
    return goneForMs > question.forgetAfterMs ? [{ kind: 'forget', workerId: row.workerId }] : []
  })
}
