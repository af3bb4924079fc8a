import { z } from 'zod'
import { idSchema, isoTimeSchema, pageQuerySchema, pageSchema } from './common.ts'
import { everyScope, scopesSchema } from './scopes.ts'

const nameSchema = z.string().trim().min(1).max(100).meta({ description: 'A name for people.', example: 'Tea House' })

const days = z.int().min(1).max(3650)

const quotasSchema = z
  .strictObject({
    connections: z.int().min(0).max(100_000).optional().meta({ description: 'Connections at a time.' }),
    sendsPerDay: z
      .int()
      .min(0)
      .max(100_000_000)
      .optional()
      .meta({ description: 'Sends of one UTC day, by REST and by the queues.' }),
  })
  .meta({ id: 'Quotas', description: 'Absent: no bound.' })

const limitsSchema = z
  .strictObject({
    requestsPerSecond: z.int().min(1).max(10_000).optional(),
    sendsPerSecond: z.int().min(1).max(10_000).optional(),
  })
  .meta({ id: 'CallLimits', description: "Of each key. Absent: the deployment's default." })

const retentionSchema = z
  .strictObject({
    messagesDays: days.optional(),
    eventsDays: days.optional().meta({
      description: 'Events that wait for a webhook, those that were given up, and the log of deliveries. Absent: 14.',
    }),
    mediaDays: days
      .optional()
      .meta({ description: 'At most as long as the deployment keeps media: its setting, too.' }),
    auditDays: days.optional().meta({ description: 'Absent: 365.' }),
  })
  .meta({
    id: 'Retention',
    description:
      "How many days things are kept. Holds for what is written from then on. Absent: the deployment's default.",
  })

const settings = { quotas: quotasSchema, limits: limitsSchema, retention: retentionSchema }
const replaced = 'Replaced as a whole.'

export const createBusinessProfileSchema = z
  .strictObject({
    name: nameSchema,
    quotas: quotasSchema.optional(),
    limits: limitsSchema.optional(),
    retention: retentionSchema.optional(),
  })
  .meta({ id: 'CreateBusinessProfile' })

export const updateBusinessProfileSchema = z
  .strictObject({
    name: nameSchema.optional(),
    quotas: quotasSchema.optional().describe(replaced),
    limits: limitsSchema.optional().describe(replaced),
    retention: retentionSchema.optional().describe(replaced),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), {
    message: 'must name at least one of name, quotas, limits, retention',
  })
  .meta({ id: 'UpdateBusinessProfile', minProperties: 1, example: { quotas: { connections: 10 } } })

export const businessProfileSchema = z
  .strictObject({
    businessProfileId: idSchema,
    name: z.string(),
    state: z.enum(['active', 'erasing']),
    ...settings,
    version: z.int().min(1).meta({ description: 'Rises with every change.' }),
    createdAt: isoTimeSchema,
    updatedAt: isoTimeSchema,
  })
  .meta({ id: 'BusinessProfile' })
export type BusinessProfile = z.infer<typeof businessProfileSchema>
export const businessProfilePageSchema = pageSchema(businessProfileSchema, 'BusinessProfilePage')

export const createApiKeySchema = z
  .strictObject({
    label: nameSchema.default('default'),
    scopes: scopesSchema.default([everyScope]),
    expiresAt: isoTimeSchema
      .optional()
      .meta({ description: 'From then on the key is refused. Absent: it does not expire.' }),
  })
  .meta({ id: 'CreateApiKey' })

/** A month: who needs longer does not want the old key to end. */
const overlapSecondsMax = 31 * 86_400

export const rotateApiKeySchema = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(overlapSecondsMax)
      .default(86_400)
      .meta({ description: 'How long the old key goes on working.' }),
  })
  .meta({ id: 'RotateApiKey' })

export const apiKeySchema = z
  .strictObject({
    keyId: idSchema,
    businessProfileId: idSchema,
    label: z.string(),
    scopes: z.array(z.string()).meta({ example: ['connections:read', 'messages:send'] }),
    createdAt: isoTimeSchema,
    expiresAt: isoTimeSchema.optional(),
    revokedAt: isoTimeSchema.optional(),
    rotatedTo: idSchema.optional().meta({ description: 'The key that took its place.' }),
    lastUsedAt: isoTimeSchema.optional().meta({ description: 'To the minute.' }),
  })
  .meta({ id: 'ApiKey' })
export type ApiKey = z.infer<typeof apiKeySchema>

export const apiKeyListSchema = z.strictObject({ items: z.array(apiKeySchema) }).meta({ id: 'ApiKeyList' })

export const newApiKeySchema = apiKeySchema
  .extend({
    apiKey: z.string().meta({ description: 'The key itself. It is shown this once and never again.' }),
  })
  .meta({ id: 'NewApiKey' })
export type NewApiKey = z.infer<typeof newApiKeySchema>

export const auditQuerySchema = pageQuerySchema

const subSchema = z.string().meta({ description: 'The id that the sign-in provider has for the person.' })
const auditEntrySchema = z
  .strictObject({
    auditId: idSchema,
    at: isoTimeSchema,
    by: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('key'), keyId: idSchema }),
      z.strictObject({ kind: z.literal('person'), sub: subSchema }),
      z.strictObject({
        kind: z.literal('admin'),
        sub: subSchema.optional().meta({ description: 'Absent: with the admin key.' }),
      }),
    ]),
    operationId: z.string().meta({ example: 'createConnection' }),
    resource: z.string().meta({
      description: 'Path of what it was done to, or of what it made.',
      example: '/connections/con_0m4x2k8s5q7w1e3r9t6y',
    }),
    status: z.int().meta({ example: 201 }),
    requestId: z.string(),
    sourceIp: z.string().meta({ example: '203.0.113.7' }),
  })
  .meta({ id: 'AuditEntry' })
export const auditPageSchema = pageSchema(auditEntrySchema, 'AuditPage')
