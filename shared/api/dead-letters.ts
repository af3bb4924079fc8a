import { z } from 'zod'
import { isoTimeSchema } from './common.ts'

/**
 * Where what could not be done ends: posted sends, doorbells of the partitions, changes to publish, events to announce,
 * doorbells of webhooks.
 */
export const deadLetterQueueNames = ['sends', 'sends-fifo', 'doorbells', 'publish', 'events', 'webhooks'] as const
export const deadLetterQueueNameSchema = z.enum(deadLetterQueueNames)
export type DeadLetterQueueName = z.infer<typeof deadLetterQueueNameSchema>

export const deadLetterQueueListSchema = z
  .strictObject({
    items: z.array(
      z.strictObject({
        queue: deadLetterQueueNameSchema,
        messages: z.int().min(0).meta({ description: 'Approximately, as SQS counts.' }),
        hidden: z.int().min(0).meta({ description: 'Being looked at by somebody at this moment.' }),
      }),
    ),
  })
  .meta({ id: 'DeadLetterQueueList' })

export const deadLetterSchema = z
  .strictObject({
    id: z.string().meta({ description: 'For `redrive` and `drop`.' }),
    sentAt: isoTimeSchema,
    body: z.string().meta({ description: 'As it came.' }),
    code: z.string().optional(),
    reason: z.string().optional().meta({ description: 'Why it was rejected, where somebody said so.' }),
    redrivable: z.boolean().meta({ description: 'Whether it is known where it belongs.' }),
  })
  .meta({ id: 'DeadLetter' })
export type DeadLetterShown = z.infer<typeof deadLetterSchema>

export const deadLetterListSchema = z.strictObject({ items: z.array(deadLetterSchema) }).meta({ id: 'DeadLetterList' })

export const peekQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(50).default(10).meta({ description: 'At most so many messages.' }),
})

export const chosenDeadLettersSchema = z
  .strictObject({ ids: z.array(z.string().min(1).max(100)).min(1).max(50) })
  .meta({ id: 'ChosenDeadLetters' })

export const deadLetterOutcomesSchema = z
  .strictObject({
    items: z.array(
      z.strictObject({
        id: z.string(),
        outcome: z.enum(['redriven', 'dropped', 'not_redrivable', 'not_found']).meta({
          description: '`not_found`: it is not there, or somebody else looks at it.',
        }),
      }),
    ),
  })
  .meta({ id: 'DeadLetterOutcomes' })
