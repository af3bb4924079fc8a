import { given } from '../../shared/api/connections.ts'
import { documentClient } from '../../shared/aws/clients.ts'
import { fleetStore } from '../../shared/aws/fleet.ts'
import { configure } from '../config.ts'
import { httpHandler } from './stack.ts'

const config = configure('FLEET_TABLE')
const fleet = fleetStore({ documents: documentClient(), table: config.FLEET_TABLE })

/** Who holds what, for operators. */
export const handler = httpHandler({
  getFleet: async () => {
    const { workers, partitions } = await fleet.view()
    const owned = Map.groupBy(partitions, ({ owner }) => owner)
    return {
      body: {
        workers: workers
          .map((worker) => ({
            workerId: worker.workerId,
            state: worker.state,
            heartbeat: worker.counter,
            connections: worker.connections,
            maxConnections: worker.maxConnections,
            partitions: owned.get(worker.workerId)?.length ?? 0,
            ...given('restoring', worker.restoring),
            deployment: worker.deployment,
            startedAt: worker.startedAt,
          }))
          .sort((a, b) => a.startedAt.localeCompare(b.startedAt)),
        partitions: partitions.map(({ partition, epoch, owner, connections }) => ({
          partition,
          epoch,
          ...given('owner', owner),
          connections,
        })),
      },
    }
  },
})
