import { z } from 'zod'
import { pauseReasons } from '../domain/webhooks.ts'
import { idSchema, isoTimeSchema, pageQuerySchema, pageSchema } from './common.ts'
import { eventNames } from './events.ts'

/** Endpoints of one business profile. */
export const webhooksMax = 20
const headersMax = 10
const headersBytesMax = 2048

const urlSchema = z
  .url({ protocol: /^https?$/, error: 'must be an https:// address' })
  .max(2000)
  .meta({
    description: 'Called by POST. A public https address; redirects are not followed.',
    example: 'https://shop.example/hooks',
  })

const labelSchema = z.string().trim().min(1).max(100).meta({ description: 'A name for people.', example: 'Shop' })

const eventFilterSchema = z
  .array(z.enum(eventNames))
  .min(1)
  .max(eventNames.length)
  .meta({ description: 'Only these events. Absent: all.', example: ['message-received', 'message-status'] })

const connectionFilterSchema = z
  .array(idSchema)
  .min(1)
  .max(100)
  .meta({ description: 'Only events of these connections. Absent: all.' })

/** What the request itself is made of, and what a proxy would act on. */
const ownHeaders =
  /^(?:host|content-.*|connection|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|webhook-.*|user-agent)$/

const headersSchema = z
  .record(
    z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'must be a header name'),
    z
      .string()
      .max(1000)
      .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII'),
  )
  .refine((headers) => Object.keys(headers).length <= headersMax, `at most ${headersMax} headers`)
  .refine((headers) => JSON.stringify(headers).length <= headersBytesMax, `at most ${headersBytesMax} bytes in all`)
  .refine(
    (headers) => Object.keys(headers).every((name) => !ownHeaders.test(name.toLowerCase())),
    'must not name headers that the request itself is made of',
  )
  .meta({
    description: 'Sent with each request. Stored encrypted; only the names are shown again.',
    example: { authorization: 'Bearer 5f3c…' },
  })

export const createWebhookSchema = z
  .strictObject({
    url: urlSchema,
    label: labelSchema.optional(),
    events: eventFilterSchema.optional(),
    connectionIds: connectionFilterSchema.optional(),
    headers: headersSchema.optional(),
  })
  .meta({ id: 'CreateWebhook' })

/** What is not named stays as it is; null removes. */
export const updateWebhookSchema = z
  .strictObject({
    url: urlSchema.optional(),
    label: labelSchema.nullable().optional(),
    events: eventFilterSchema.nullable().optional(),
    connectionIds: connectionFilterSchema.nullable().optional(),
    headers: headersSchema.nullable().optional(),
    state: z.enum(['active', 'paused']).optional().meta({
      description:
        '`paused`: events wait, up to 14 days or `retention.eventsDays`. `active`: what waits goes out, in order.',
    }),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), 'must name something to change')
  .meta({ id: 'UpdateWebhook' })

const webhookFields = {
  webhookId: idSchema.meta({ example: 'whk_4k2j9x8w7v6u5t4s3r2q' }),
  url: z.string().meta({ example: 'https://shop.example/hooks' }),
  label: z.string().optional(),
  events: z.array(z.string()).optional().meta({ description: 'Absent: all.' }),
  connectionIds: z.array(idSchema).optional().meta({ description: 'Absent: all.' }),
  headerNames: z.array(z.string()),
  state: z.enum(['active', 'paused']),
  paused: z
    .strictObject({
      reason: z.enum(pauseReasons).meta({
        description:
          '`requested`: by you. `failing`: nothing could be delivered for a day. `gone`: the endpoint answered 410.',
      }),
      message: z.string().meta({ description: 'One sentence for a person.' }),
      at: isoTimeSchema,
    })
    .optional()
    .meta({ description: 'Why it is paused.' }),
  failing: z
    .strictObject({ since: isoTimeSchema, error: z.string() })
    .optional()
    .meta({ description: 'The last deliveries failed; they are tried again.' }),
  version: z.int().min(1),
  createdAt: isoTimeSchema,
  updatedAt: isoTimeSchema,
}

export const webhookSchema = z.strictObject(webhookFields).meta({ id: 'Webhook' })
export type WebhookShown = z.infer<typeof webhookSchema>

export const webhookListSchema = z.strictObject({ items: z.array(webhookSchema) }).meta({ id: 'WebhookList' })

const secretSchema = z.string().meta({
  description: 'Signs every request (Standard Webhooks). Shown this once.',
  example: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
})

export const newWebhookSchema = z.strictObject({ ...webhookFields, secret: secretSchema }).meta({ id: 'NewWebhook' })

export const rotateWebhookSecretSchema = z
  .strictObject({
    overlapHours: z
      .int()
      .min(0)
      .max(168)
      .default(24)
      .meta({ description: 'So long the old secret signs as well: two signatures in one header.' }),
  })
  .meta({ id: 'RotateWebhookSecret' })

export const webhookSecretSchema = z
  .strictObject({
    secret: secretSchema,
    previousUntil: isoTimeSchema.optional().meta({ description: 'Until then the old secret signs as well.' }),
  })
  .meta({ id: 'WebhookSecret' })

const outcomeFields = {
  deliveryId: idSchema,
  delivered: z.boolean(),
  statusCode: z.int().optional().meta({ description: 'Absent: no answer came.' }),
  durationMs: z.int().min(0),
  error: z.string().optional().meta({ description: 'Why it failed, in one sentence.' }),
}

export const webhookTestSchema = z.strictObject({ ...outcomeFields, eventId: z.string() }).meta({ id: 'WebhookTest' })

export const webhookDeliverySchema = z
  .strictObject({
    ...outcomeFields,
    at: isoTimeSchema,
    eventId: z.string(),
    event: z.string(),
    connectionId: idSchema.nullable(),
    attempt: z.int().min(1),
  })
  .meta({ id: 'WebhookDelivery' })
export const webhookDeliveryPageSchema = pageSchema(webhookDeliverySchema, 'WebhookDeliveryPage')

export const webhookDeadLetterSchema = z
  .strictObject({
    eventId: z.string(),
    event: z.string(),
    connectionId: idSchema.nullable(),
    at: isoTimeSchema.meta({ description: 'When it happened.' }),
    diedAt: isoTimeSchema.meta({ description: 'When it was given up.' }),
    attempts: z.int().min(1).meta({ description: 'The failures in a row that came last.' }),
    error: z.string(),
  })
  .meta({ id: 'WebhookDeadLetter' })
export const webhookDeadLetterPageSchema = pageSchema(webhookDeadLetterSchema, 'WebhookDeadLetterPage')

const range = {
  from: isoTimeSchema.optional().meta({ description: 'Events that happened then or later.' }),
  to: isoTimeSchema.optional().meta({ description: 'Events that happened then or earlier.' }),
}
const isRange = ({ from, to }: { readonly from?: string; readonly to?: string }): boolean =>
  from === undefined || to === undefined || from <= to
const rangeExpected = { message: 'must not be before `from`', path: ['to'] }

export const webhookDeadLetterQuerySchema = pageQuerySchema.extend(range).refine(isRange, rangeExpected)
export const replayWebhookSchema = z.strictObject(range).refine(isRange, rangeExpected).meta({ id: 'ReplayWebhook' })
export const webhookReplaySchema = z
  .strictObject({
    replayed: z.int().min(0).meta({ description: 'So many are on their way again.' }),
    more: z.boolean().meta({ description: 'There are more in the range: call again.' }),
  })
  .meta({ id: 'WebhookReplay' })

/** Dead letters that one call replays. */
export const replayedMax = 500
