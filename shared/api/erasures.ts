import { z } from 'zod'
import { idSchema, isoTimeSchema, pageSchema } from './common.ts'
import { recipientSchema } from './recipients.ts'

/** Erases every message of one chat. */
export const startErasureSchema = z
  .strictObject({
    contact: recipientSchema.meta({
      description: 'Whose chat: a phone number or a JID.',
      example: '+94714515253',
    }),
    connectionId: idSchema.optional().meta({ description: 'Only in this connection. Absent: in all.' }),
  })
  .meta({ id: 'StartErasure' })

const erasureSubjectSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('contact'), chat: z.string(), connectionId: idSchema.optional() }),
  z.strictObject({ kind: z.literal('connection'), connectionId: idSchema }),
  z.strictObject({ kind: z.literal('business_profile') }),
])

export const erasureSchema = z
  .strictObject({
    erasureId: idSchema,
    businessProfileId: idSchema,
    subject: erasureSubjectSchema,
    state: z.enum(['running', 'done']),
    progress: z.string().meta({ description: 'One sentence for a person: what it does, or waits for.' }),
    erasedMessages: z.int().min(0),
    erasedConnections: z.int().min(0),
    createdAt: isoTimeSchema,
    updatedAt: isoTimeSchema,
    endedAt: isoTimeSchema.optional(),
  })
  .meta({ id: 'Erasure', description: 'A job that goes on, minute by minute, until it is done.' })
export const erasurePageSchema = pageSchema(erasureSchema, 'ErasurePage')
