import type { FleetView, PartitionRow, Sighting, WorkerRow } from './stores/fleet.ts'
import type { Epoch, EpochMs, PartitionId, WorkerId } from './words.ts'

/**
 * Words
 *   lease     a worker's right to act for the partitions whose rows name it; one lease per worker, renewed by its counter
 *   stamp     a moment of one process on both of its clocks
 *   deadline  stamp of the newest confirmed renewal, taken before it was sent, + lease time − margin: the holder stops here
 *   sighting  how long an observer has seen a counter (a grant, a free partition) stand still, on the observer's own clock
 *
 * Why no two workers hold a partition: a renewal is stamped before it is sent, so an observer first sees its counter at that
 * moment or later, waits a full lease time from there, and takes under the condition that the counter did not move. The
 * holder stops a margin before a lease time is over. With clocks that run up to r too fast or too slow this holds as long
 * as (lease − margin) / (1 − r) < lease / (1 + r); for 12 s and 2 s that is r = 9 %.
 */
export interface LeaseTerms {
  readonly leaseMs: number
  readonly marginMs: number
  readonly renewMs: number
}

export interface Stamp {
  /** Milliseconds that never go back. Stands still while some virtual machines are suspended. */
  readonly monotonic: number
  /** Wall clock: may be set, but runs on through a suspension. */
  readonly wall: EpochMs
}

/** What is wrong with the terms, in words that name the settings; empty when nothing is. */
export function leaseTermProblems(terms: LeaseTerms): readonly string[] {
  const problems: string[] = []
  if (terms.renewMs * 3 > terms.leaseMs) problems.push('renewMs must be at most a third of leaseMs')
  if (terms.marginMs * 2 >= terms.leaseMs) problems.push('marginMs must be less than half of leaseMs')
  return problems
}

/** The larger of both clocks counts: whichever stood still or was set back, the other tells. */
export function elapsedMs(since: Stamp, now: Stamp): number {
  return Math.max(now.monotonic - since.monotonic, now.wall - since.wall)
}

/** How long the holder may go on without another confirmed renewal; 0 or less: it must have stopped. */
export function leaseRemainingMs(confirmed: Stamp | undefined, now: Stamp, terms: LeaseTerms): number {
  if (confirmed === undefined) return 0
  return terms.leaseMs - terms.marginMs - elapsedMs(confirmed, now)
}

export function isLeaseValid(confirmed: Stamp | undefined, now: Stamp, terms: LeaseTerms): boolean {
  return leaseRemainingMs(confirmed, now, terms) > 0
}

/** What an observer remembers between two looks at the fleet. */
export interface FleetMemory {
  readonly workers: ReadonlyMap<WorkerId, WorkerSighting>
  /** Partitions that nobody owns, by what was seen (`epoch` and grant): a change starts the time anew. */
  readonly ownerless: ReadonlyMap<PartitionId, OwnerlessSighting>
}

export interface WorkerSighting extends Sighting {
  /** First look that showed its row marked dead. */
  readonly deadSince?: EpochMs
}

export interface OwnerlessSighting {
  readonly epoch: Epoch
  readonly grantId?: string
  readonly since: EpochMs
}

/** When a look was asked for and when it was answered, on the observer's monotonic clock; the truth lies in between. */
export interface LookTimes {
  readonly askedAt: EpochMs
  readonly answeredAt: EpochMs
}

export const emptyMemory: FleetMemory = { workers: new Map(), ownerless: new Map() }

/** A worker named as owner whose row does not exist is watched like one whose counter never moves. */
export const counterOfMissingWorker = -1

/**
 * Adds a look to what is remembered. A new counter counts from the answer, the latest moment at which it can have been read,
 * so that standing still is never overestimated.
 */
export function observe(memory: FleetMemory, view: FleetView, times: LookTimes): FleetMemory {
  const workers = new Map<WorkerId, WorkerSighting>()
  const see = (workerId: WorkerId, counter: number, dead: boolean) => {
    const before = memory.workers.get(workerId)
    const seen = before?.counter === counter ? before : { counter, since: times.answeredAt }
    workers.set(workerId, dead && seen.deadSince === undefined ? { ...seen, deadSince: times.answeredAt } : seen)
  }
  for (const row of view.workers) see(row.workerId, row.counter, row.state === 'dead')
  const ownerless = new Map<PartitionId, OwnerlessSighting>()
  for (const row of view.partitions) {
    if (row.owner !== undefined) {
      if (!workers.has(row.owner)) see(row.owner, counterOfMissingWorker, false)
      continue
    }
    const before = memory.ownerless.get(row.partition)
    const same = before !== undefined && before.epoch === row.epoch && before.grantId === row.grant?.grantId
    const seen = row.grant === undefined ? { epoch: row.epoch } : { epoch: row.epoch, grantId: row.grant.grantId }
    ownerless.set(row.partition, same ? before : { ...seen, since: times.answeredAt })
  }
  return { workers, ownerless }
}

export type WorkerStanding =
  | { readonly kind: 'alive'; readonly stoodStillMs: number }
  /** Its counter stood still for a lease time: may be taken from, under the condition that it still does. */
  | { readonly kind: 'silent'; readonly counterSeen: number; readonly stoodStillMs: number }
  /** Its row says so: cannot renew, holds nothing. */
  | { readonly kind: 'dead'; readonly counterSeen: number; readonly deadForMs: number }

/** `askedAt` of the newest look: until then, at least, the counter had not moved. */
export function standingOf(
  workerId: WorkerId,
  row: WorkerRow | undefined,
  memory: FleetMemory,
  askedAt: EpochMs,
  terms: LeaseTerms,
): WorkerStanding {
  const sighting = memory.workers.get(workerId)
  if (sighting === undefined) return { kind: 'alive', stoodStillMs: 0 }
  const stoodStillMs = askedAt - sighting.since
  if (row?.state === 'dead') {
    return { kind: 'dead', counterSeen: row.counter, deadForMs: askedAt - (sighting.deadSince ?? askedAt) }
  }
  if (stoodStillMs < terms.leaseMs) return { kind: 'alive', stoodStillMs }
  return { kind: 'silent', counterSeen: sighting.counter, stoodStillMs }
}

/** What one partition's row means to this worker. */
export type LeaseDecision =
  /** The row says what this worker holds, or is older than it. */
  | { readonly kind: 'hold' }
  /** The row names another owner or a later epoch than the one held here: stop at once. */
  | { readonly kind: 'lost' }
  /**
   * The row names this worker, which does not hold it (its lease had lapsed, or the answer of a take was lost): taking it
   * again raises the epoch, so that nothing older that is still in flight lands.
   */
  | { readonly kind: 'retake' }
  | { readonly kind: 'claim'; readonly grantId: string }
  /** Anybody's. `previousOwner`: whose death the take must prove. `sinceMs`: free at least that long. */
  | {
      readonly kind: 'free'
      readonly previousOwner?: { readonly workerId: WorkerId; readonly counterSeen: number }
      readonly sinceMs: number
    }
  /** Granted to another worker, which has a renewal period to claim it. */
  | { readonly kind: 'promised'; readonly to: WorkerId }
  | { readonly kind: 'owned'; readonly by: WorkerId }

export interface LeaseQuestion {
  readonly self: WorkerId
  readonly row: PartitionRow
  /** Epoch that this worker holds, absent when it does not hold the partition. */
  readonly heldEpoch: Epoch | undefined
  readonly owner: WorkerStanding | undefined
  readonly ownerless: OwnerlessSighting | undefined
  readonly askedAt: EpochMs
  readonly terms: LeaseTerms
}

export function decideLease(question: LeaseQuestion): LeaseDecision {
  const { self, row, heldEpoch, owner, ownerless, askedAt, terms } = question
  if (heldEpoch !== undefined) {
    const newer = row.epoch > heldEpoch
    const notMine = row.epoch === heldEpoch && row.owner !== self
    return newer || notMine ? { kind: 'lost' } : { kind: 'hold' }
  }
  if (row.owner === self) return { kind: 'retake' }
  if (row.owner !== undefined) return decideOwned(row.owner, owner, terms)
  const sinceMs = ownerless === undefined ? 0 : askedAt - ownerless.since
  if (row.grant === undefined) return { kind: 'free', sinceMs }
  if (row.grant.to === undefined || row.grant.to === self) return { kind: 'claim', grantId: row.grant.grantId }
  if (sinceMs < terms.renewMs) return { kind: 'promised', to: row.grant.to }
  return { kind: 'free', sinceMs: sinceMs - terms.renewMs }
}

function decideOwned(by: WorkerId, standing: WorkerStanding | undefined, terms: LeaseTerms): LeaseDecision {
  switch (standing?.kind) {
    case 'dead':
      return {
        kind: 'free',
        previousOwner: { workerId: by, counterSeen: standing.counterSeen },
        sinceMs: standing.deadForMs,
      }
    case 'silent':
      return {
        kind: 'free',
        previousOwner: { workerId: by, counterSeen: standing.counterSeen },
        sinceMs: standing.stoodStillMs - terms.leaseMs,
      }
    default:
      return { kind: 'owned', by }
  }
}
