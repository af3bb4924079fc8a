import { z } from 'zod'
import { idSchema, isoTimeSchema, pageSchema } from './common.ts'

const nameSchema = z.string().trim().min(1).max(100).meta({ description: 'A name for people.' })

export const createBusinessProfileSchema = z.strictObject({ name: nameSchema }).meta({ id: 'CreateBusinessProfile' })

export const businessProfileSchema = z
  .strictObject({ businessProfileId: idSchema, name: z.string(), createdAt: isoTimeSchema })
  .meta({ id: 'BusinessProfile' })
export type BusinessProfile = z.infer<typeof businessProfileSchema>
export const businessProfilePageSchema = pageSchema(businessProfileSchema, 'BusinessProfilePage')

export const createApiKeySchema = z
  .strictObject({
    label: nameSchema.default('default'),
    expiresAt: isoTimeSchema
      .optional()
      .meta({ description: 'From then on the key is refused. Absent: it does not expire.' }),
  })
  .meta({ id: 'CreateApiKey' })

export const apiKeySchema = z
  .strictObject({
    keyId: idSchema,
    businessProfileId: idSchema,
    label: z.string(),
    scopes: z.array(z.string()),
    createdAt: isoTimeSchema,
    expiresAt: isoTimeSchema.optional(),
    revokedAt: isoTimeSchema.optional(),
    lastUsedAt: isoTimeSchema.optional().meta({ description: 'To the hour.' }),
  })
  .meta({ id: 'ApiKey' })
export type ApiKey = z.infer<typeof apiKeySchema>

export const apiKeyListSchema = z.strictObject({ items: z.array(apiKeySchema) }).meta({ id: 'ApiKeyList' })

export const newApiKeySchema = apiKeySchema
  .extend({ apiKey: z.string().meta({ description: 'The key itself. It is shown this once and never again.' }) })
  .meta({ id: 'NewApiKey' })
export type NewApiKey = z.infer<typeof newApiKeySchema>
