import { z } from 'zod'
import { deadLetterQueueNames } from './dead-letters.ts'

const count = z.int().min(0)

/** For operators: what `GET /admin/fleet` and `GET /admin/dead-letters` show one by one, summed up. */
const healthDetailsSchema = z
  .strictObject({
    attention: z.array(z.string()).meta({
      description: 'What somebody should look at, one sentence each. Empty: nothing.',
      example: ['3 of 16 partitions have no worker.'],
    }),
    workers: z.strictObject({
      live: count,
      draining: count.meta({ description: 'Asked to stop; they give their partitions away.' }),
      connections: count.meta({ description: 'That they hold.' }),
      maxConnections: count.meta({ description: 'That those which stay would hold at most.' }),
    }),
    partitions: z.strictObject({
      total: count,
      withoutWorker: count.meta({ description: 'Nobody’s at this moment, or of a worker that is dead.' }),
    }),
    restoring: z.strictObject({ done: count, total: count }).optional().meta({
      description: 'Of the connections that workers took over, how many are restored. Absent: none is restoring.',
    }),
    deadLetters: z
      .record(z.enum(deadLetterQueueNames), count)
      .meta({ description: 'By queue; approximately, as SQS counts.', example: { sends: 0, webhooks: 2 } }),
  })
  .meta({ id: 'HealthDetails' })
export type HealthDetails = z.infer<typeof healthDetailsSchema>

export const healthSchema = z
  .strictObject({
    status: z.literal('ok').meta({ description: 'The API answers and its tables can be read.' }),
    stage: z.string().meta({ example: 'production' }),
    version: z.string().meta({ description: 'Of Holdfast.', example: '0.1.0' }),
    details: healthDetailsSchema.optional().meta({ description: 'With the admin key only.' }),
  })
  .meta({ id: 'Health' })
