import type { LeaseDecision, WorkerStanding } from './leases.ts'
import type { PartitionRow, WorkerRow } from './stores/fleet.ts'
import type { PartitionId, WorkerId } from './words.ts'

/**
 * Who should own which partition. Pure, and the same for everybody who sees the same fleet, so that workers that look at the
 * same time agree without talking.
 *
 * Words
 *   weight   what a partition costs: its connections, and a little for itself, since new connections come to it
 *   load     what a worker carries: the weights of the partitions that it owns or was promised
 *   gain     how much a move lowers the imbalance: weight × (difference of the two loads − weight)
 */
export interface Load {
  readonly workerId: WorkerId
  readonly deployment: string
  readonly weight: number
  readonly connections: number
  readonly maxConnections: number
  /** May get partitions at all: alive, and not about to stop. */
  readonly receives: boolean
}

const weightPerConnection = 10

export function weightOf(partition: Pick<PartitionRow, 'connections'>): number {
  return partition.connections * weightPerConnection + 1
}

export interface PlacedPartition {
  readonly row: PartitionRow
  readonly decision: LeaseDecision
}

/**
 * Loads of all workers that are alive, by what the partitions' rows say. One whose counter stood still for `doubtMs` may be
 * dying: it keeps what it has, and is given nothing.
 */
export function loadsOf(
  workers: readonly { readonly row: WorkerRow; readonly standing: WorkerStanding }[],
  partitions: readonly PlacedPartition[],
  doubtMs: number,
): readonly Load[] {
  return workers.flatMap(({ row, standing }): Load[] => {
    if (standing.kind !== 'alive') return []
    const carried = partitions.filter((placed) => carrierOf(placed) === row.workerId)
    const load = {
      workerId: row.workerId,
      deployment: row.deployment,
      weight: carried.reduce((sum, placed) => sum + weightOf(placed.row), 0),
      connections: carried.reduce((sum, placed) => sum + placed.row.connections, 0),
      maxConnections: row.maxConnections,
      receives: row.state === 'live' && standing.stoodStillMs < doubtMs,
    }
    return [load]
  })
}

function carrierOf({ row, decision }: PlacedPartition): WorkerId | undefined {
  if (decision.kind === 'free') return undefined
  return row.owner ?? row.grant?.to
}

function hasRoom(load: Load, partition: Pick<PartitionRow, 'connections'>): boolean {
  return load.connections + partition.connections <= load.maxConnections
}

/** Partitions go to the newest deployment as long as it has room: its workers will be there longest. */
function newestDeployment(loads: readonly Load[]): string | undefined {
  return loads.reduce<string | undefined>(
    (newest, load) => (load.receives && (newest === undefined || load.deployment > newest) ? load.deployment : newest),
    undefined,
  )
}

/** Newest deployment first, then the smallest load, then an order that differs from partition to partition. */
function bestReceiver(
  partition: Pick<PartitionRow, 'partition' | 'connections'>,
  loads: readonly Load[],
): Load | undefined {
  let best: Load | undefined
  for (const load of loads) {
    if (!load.receives || !hasRoom(load, partition)) continue
    if (best === undefined || comesBefore(load, best, partition.partition)) best = load
  }
  return best
}

function comesBefore(a: Load, b: Load, partition: PartitionId): boolean {
  if (a.deployment !== b.deployment) return a.deployment > b.deployment
  if (a.weight !== b.weight) return a.weight < b.weight
  return scatter(partition, a.workerId) < scatter(partition, b.workerId)
}

/** FNV-1a: spreads ties by names, so that workers that start together neither collide nor depend on who was first. */
function scatter(partition: PartitionId, workerId: WorkerId): number {
  let hash = 0x811c9dc5
  for (const character of `${partition}:${workerId}`) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0
  }
  return hash
}

/** Whom to hand a partition to when its owner stops; undefined: nobody has room, leave it to anyone. */
export function chooseHeir(
  partition: Pick<PartitionRow, 'partition' | 'connections'>,
  loads: readonly Load[],
  self: WorkerId,
): WorkerId | undefined {
  return bestReceiver(
    partition,
    loads.filter((load) => load.workerId !== self),
  )?.workerId
}

export interface FreePlan {
  /** To take now, heaviest first. */
  readonly take: readonly PlacedPartition[]
  /** For nobody: no worker that receives has room. */
  readonly unplaced: readonly PartitionId[]
}

/**
 * Deals the free partitions out, heaviest first, each to the worker that carries least. What was dealt to another, and is still
 * free after `patienceMs`, anybody with room takes: that worker may be gone, or see the fleet otherwise.
 */
export function planFree(
  self: WorkerId,
  partitions: readonly PlacedPartition[],
  loads: readonly Load[],
  patienceMs: number,
): FreePlan {
  const free = partitions
    .filter((placed) => placed.decision.kind === 'free')
    .toSorted((a, b) => weightOf(b.row) - weightOf(a.row) || a.row.partition - b.row.partition)
  let dealt = loads
  const take: PlacedPartition[] = []
  const unplaced: PartitionId[] = []
  for (const placed of free) {
    const best = bestReceiver(placed.row, dealt)
    if (best === undefined) {
      unplaced.push(placed.row.partition)
      continue
    }
    const mine = dealt.find((load) => load.workerId === self)
    const overdue = placed.decision.kind === 'free' && placed.decision.sinceMs > patienceMs
    const toMe = overdue && mine?.receives === true && hasRoom(mine, placed.row)
    const receiver = toMe ? self : best.workerId
    if (receiver === self) take.push(placed)
    dealt = dealt.map((load) => (load.workerId === receiver ? carrying(load, placed.row) : load))
  }
  return { take, unplaced }
}

function carrying(load: Load, partition: PartitionRow): Load {
  return {
    ...load,
    weight: load.weight + weightOf(partition),
    connections: load.connections + partition.connections,
  }
}

/** Positive only where the receiver would still carry less than the giver did: so every move lowers the sum of squares. */
export function gainOfMove(partition: Pick<PartitionRow, 'connections'>, from: Load, to: Load): number {
  const weight = weightOf(partition)
  return weight * (from.weight - to.weight - weight)
}

export interface Move {
  readonly row: PartitionRow
  readonly from: WorkerId
  readonly to: WorkerId
}

/** Which partition a worker below its fair share asks for; undefined when no move would lower the imbalance. */
export function chooseRequest(
  self: WorkerId,
  partitions: readonly PlacedPartition[],
  loads: readonly Load[],
  refused: ReadonlySet<PartitionId>,
): Move | undefined {
  const mine = loads.find((load) => load.workerId === self)
  if (mine === undefined || !mine.receives || mine.deployment !== newestDeployment(loads)) return undefined
  // What is free comes first, and changes the shares.
  if (partitions.some((placed) => placed.decision.kind === 'free')) return undefined
  const moves = partitions.flatMap(({ row, decision }): Move[] => {
    if (decision.kind !== 'owned' || refused.has(row.partition)) return []
    if (row.request !== undefined && row.request.by !== self && isAlive(row.request.by, loads)) return []
    return [{ row, from: decision.by, to: self }]
  })
  return bestMove(moves, loads)
}

/** Which of the requests for its partitions an owner grants now; one at a time. `rested`: not granted in the last minutes. */
export function chooseGrant(
  self: WorkerId,
  partitions: readonly PlacedPartition[],
  loads: readonly Load[],
  rested: (partition: PartitionId) => boolean,
): Move | undefined {
  const newest = newestDeployment(loads)
  const moves = partitions.flatMap(({ row, decision }): Move[] => {
    if (decision.kind !== 'hold' || row.request === undefined || !rested(row.partition)) return []
    const by = row.request.by
    const asks = loads.find((load) => load.workerId === by)
    if (by === self || asks === undefined || !asks.receives || asks.deployment !== newest) return []
    return [{ row, from: self, to: by }]
  })
  return bestMove(moves, loads)
}

function isAlive(workerId: WorkerId, loads: readonly Load[]): boolean {
  return loads.some((load) => load.workerId === workerId)
}

function bestMove(moves: readonly Move[], loads: readonly Load[]): Move | undefined {
  let best: { readonly move: Move; readonly gain: number } | undefined
  for (const move of moves) {
    const from = loads.find((load) => load.workerId === move.from)
    const to = loads.find((load) => load.workerId === move.to)
    if (from === undefined || to === undefined || !hasRoom(to, move.row)) continue
    const gain = gainOfMove(move.row, from, to)
    if (gain > 0 && (best === undefined || gain > best.gain)) best = { move, gain }
  }
  return best?.move
}
