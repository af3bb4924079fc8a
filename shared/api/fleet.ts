import { z } from 'zod'
import { isoTimeSchema } from './common.ts'

const workerIdSchema = z.string().meta({ description: 'The task and its boot.', example: '3f0c6d1e9a7b4c52-8d21' })

export const fleetWorkerSchema = z
  .strictObject({
    workerId: workerIdSchema,
    state: z.enum(['live', 'draining', 'dead']).meta({
      description: '`draining`: asked to stop, gives its partitions away. `dead`: can hold nothing any more.',
    }),
    heartbeat: z.int().min(0).meta({
      description: 'Rises by one every few seconds. No clock is compared: who asks twice sees whether it stands still.',
    }),
    connections: z.int().min(0).meta({ description: 'That it holds.' }),
    maxConnections: z.int().min(0).meta({ description: 'That it would hold at most.' }),
    partitions: z.int().min(0).meta({ description: 'That it owns.' }),
    restoring: z
      .strictObject({ done: z.int().min(0), total: z.int().min(0) })
      .optional()
      .meta({ description: 'Of the connections it took over, how many are restored. Absent: it is not restoring.' }),
    deployment: z.string().meta({ description: 'The newest one in order is preferred at a handover.', example: '12' }),
    startedAt: isoTimeSchema,
  })
  .meta({ id: 'FleetWorker' })

export const fleetPartitionSchema = z
  .strictObject({
    partition: z.int().min(0),
    epoch: z.int().min(0).meta({ description: 'Rises by one at every change of owner.' }),
    owner: workerIdSchema.optional().meta({ description: 'Absent: nobody’s at this moment.' }),
    connections: z.int().min(0).meta({ description: 'As its owner last counted.' }),
  })
  .meta({ id: 'FleetPartition' })

/** Who holds what. */
export const fleetSchema = z
  .strictObject({ workers: z.array(fleetWorkerSchema), partitions: z.array(fleetPartitionSchema) })
  .meta({ id: 'Fleet' })
