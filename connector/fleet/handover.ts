import type { PartitionId, WorkerId } from '../../shared/domain/words.ts'
import type { Clock } from '../ports.ts'

interface PartitionToGive {
  readonly partition: PartitionId
  readonly connections: number
}

export interface HandoverSteps {
  readonly clock: Clock
  readonly withinMs: number
  /** How long to wait for the receiver of one partition before the next one goes. */
  readonly giveTimeoutMs: number
  readonly connectionsPerSecond: number
  readonly lanes: number
  held(): readonly PartitionToGive[]
  /** Takes and gives that were begun before. */
  underWay(): readonly Promise<void>[]
  heirOf(partition: PartitionToGive): WorkerId | undefined
  /** Sessions closed, partition released. */
  give(partition: PartitionId, to: WorkerId | undefined): Promise<void>
  /** The newest look shows another owner. */
  claimed(partition: PartitionId): boolean
  nextLook(): Promise<void>
}

/**
 * Gives a worker's partitions away, a few at a time, so that a connection is down only while it moves itself and not while
 * others queue up before it at the receiver. Where nobody can receive, all go at once. Resolves after `withinMs` at the
 * latest, with whatever is held then.
 */
export async function handOver(steps: HandoverSteps): Promise<void> {
  const { clock } = steps
  const endsAt = clock.monotonic() + steps.withinMs
  const given = new Set<PartitionId>()
  const ended = pause(clock, steps.withinMs)

  const next = (): PartitionToGive | undefined => {
    const partition = steps.held().find((candidate) => !given.has(candidate.partition))
    if (partition !== undefined) given.add(partition.partition)
    return partition
  }

  const lane = async () => {
    for (let partition = next(); partition !== undefined; partition = next()) {
      const startedAt = clock.monotonic()
      const to = steps.heirOf(partition)
      await steps.give(partition.partition, to)
      if (to === undefined) continue
      await untilClaimed(partition.partition)
      const restMs = startedAt + paceMs(partition) - clock.monotonic()
      if (restMs > 0) await pause(clock, restMs).promise
    }
  }

  const untilClaimed = async (partition: PartitionId) => {
    const patience = pause(clock, steps.giveTimeoutMs)
    let patient = true
    void patience.promise.then(() => {
      patient = false
    })
    while (patient && !steps.claimed(partition)) await Promise.race([steps.nextLook(), patience.promise])
    patience.cancel()
  }

  /** A lane's share of the rate, or faster where the time left would not do. */
  const paceMs = (partition: PartitionToGive) => {
    const leftMs = Math.max(0, endsAt - clock.monotonic())
    const left = steps.held().reduce((sum, each) => sum + each.connections, 0) + partition.connections
    const fairMs = left === 0 ? 0 : (leftMs / 2) * (partition.connections / left)
    const rateMs = (partition.connections / steps.connectionsPerSecond) * 1_000 * steps.lanes
    return Math.min(rateMs, fairMs * steps.lanes)
  }

  const giveAll = async () => {
    // Who may receive is known from a look at the fleet of now.
    const patience = pause(clock, steps.giveTimeoutMs)
    await Promise.race([steps.nextLook(), patience.promise])
    patience.cancel()
    // A take that is under way may still bring something to give.
    do {
      const receivers = steps.held().some((partition) => steps.heirOf(partition) !== undefined)
      const lanes = receivers ? steps.lanes : Math.max(1, steps.held().length)
      await Promise.all(Array.from({ length: lanes }, lane))
      await Promise.all(steps.underWay())
    } while (steps.held().some((partition) => !given.has(partition.partition)))
  }

  await Promise.race([giveAll(), ended.promise])
  ended.cancel()
}

function pause(clock: Clock, delayMs: number): { readonly promise: Promise<void>; readonly cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = clock.after(delayMs, resolve)
  return { promise, cancel: () => timer.cancel() }
}
