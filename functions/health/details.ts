import type { HealthDetails } from '../../shared/api/health.ts'
import type { FleetView } from '../../shared/domain/stores/fleet.ts'

/** The fleet and what could not be done, in a few numbers, and what of them needs somebody. */
export function detailsOf(
  { workers, partitions }: FleetView,
  partitionCount: number,
  deadLetters: HealthDetails['deadLetters'],
): HealthDetails {
  const living = workers.filter(({ state }) => state !== 'dead')
  const staying = living.filter(({ state }) => state === 'live')
  const ids = new Set(living.map(({ workerId }) => workerId))
  const held = partitions.filter(({ partition, owner }) => partition < partitionCount && owner && ids.has(owner))
  const withoutWorker = partitionCount - held.length
  const restoring = living.flatMap((worker) => worker.restoring ?? [])
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)
  const attention = [
    ...(staying.length === 0 ? ['No worker runs.'] : []),
    ...(withoutWorker > 0 ? [`${withoutWorker} of ${partitionCount} partitions have no worker.`] : []),
    ...Object.entries(deadLetters)
      .filter(([, messages]) => messages > 0)
      .map(([queue, messages]) => `${messages} dead letters in ${queue}.`),
  ]
  return {
    attention,
    workers: {
      live: staying.length,
      draining: living.length - staying.length,
      connections: sum(living.map(({ connections }) => connections)),
      maxConnections: sum(staying.map(({ maxConnections }) => maxConnections)),
    },
    partitions: { total: partitionCount, withoutWorker },
    ...(restoring.length === 0
      ? {}
      : {
          restoring: { done: sum(restoring.map(({ done }) => done)), total: sum(restoring.map(({ total }) => total)) },
        }),
    deadLetters,
  }
}
