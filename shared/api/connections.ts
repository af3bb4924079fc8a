import { z } from 'zod'
import { mediaDownloads } from '../domain/media.ts'
import type { ConnectionRow } from '../domain/stores/connections.ts'
import { connectionReasons, connectionStatuses, remedies } from '../domain/words.ts'
import { idSchema, isoTimeSchema, pageSchema } from './common.ts'
import { paceSchema } from './pace.ts'
import { phoneNumberSchema } from './recipients.ts'

const pairingSchema = z.enum(['qr', 'code']).meta({
  description: '`qr`: scan a QR code. `code`: enter an eight-character code on the phone; needs `phoneNumber`.',
})

const labelSchema = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .meta({ description: 'A name for people.', example: 'Primary Device' })

const ignoreSchema = z
  .strictObject({
    groups: z.boolean().optional().meta({ description: 'Messages in groups. Default: false.' }),
    status: z.boolean().optional().meta({ description: 'Status updates of contacts. Default: true.' }),
    channels: z.boolean().optional().meta({ description: 'What channels publish. Default: true.' }),
  })
  .meta({ id: 'Ignore', description: 'What comes in and is not stored.' })

const downloadMediaSchema = z
  .enum(mediaDownloads)
  .meta({ description: 'Media of received messages: downloaded when they are asked for (default), or as they come.' })

const phoneNumberNeeded = { message: 'is required when pairing is by code', path: ['phoneNumber'] }

export const createConnectionSchema = z
  .strictObject({
    label: labelSchema,
    phoneNumber: phoneNumberSchema.optional(),
    pairing: pairingSchema.default('qr'),
    ignore: ignoreSchema.optional(),
    downloadMedia: downloadMediaSchema.optional(),
  })
  .refine((body) => body.pairing === 'qr' || body.phoneNumber !== undefined, phoneNumberNeeded)
  .meta({ id: 'CreateConnection' })
export type CreateConnection = z.output<typeof createConnectionSchema>

/** Whether a phone number is known already is only seen with the connection at hand. */
export const pairConnectionSchema = z
  .strictObject({
    pairing: pairingSchema.optional().meta({ description: 'As at creation when absent.' }),
    phoneNumber: phoneNumberSchema.optional(),
  })
  .meta({ id: 'PairConnection' })
export type PairConnection = z.output<typeof pairConnectionSchema>

/** What is not named stays as it is. */
export const updateConnectionSchema = z
  .strictObject({
    label: labelSchema.optional(),
    pace: paceSchema
      .nullable()
      .optional()
      .meta({ description: 'Takes the place of the pace as a whole; null: no limits.' }),
    ignore: ignoreSchema
      .nullable()
      .optional()
      .meta({ description: 'Takes the place of what is ignored as a whole; null: the defaults.' }),
    downloadMedia: downloadMediaSchema.optional(),
  })
  .refine(
    (body) => Object.values(body).some((value) => value !== undefined),
    'must name label, pace, ignore or downloadMedia',
  )
  .meta({ id: 'UpdateConnection', minProperties: 1, example: { label: 'Front desk' } })

export const connectionSchema = z
  .strictObject({
    connectionId: idSchema,
    label: z.string(),
    pairing: z.enum(['qr', 'code']),
    phoneNumber: z.string().optional().meta({ example: '+94714515253' }),
    status: z.enum(connectionStatuses),
    reason: z.enum(connectionReasons),
    message: z.string().meta({ description: 'One sentence for a person.' }),
    remedy: z.enum(remedies).optional().meta({ description: 'What a person can do. Absent: nothing is needed.' }),
    attempt: z
      .int()
      .min(1)
      .optional()
      .meta({ description: 'While reconnecting: the attempt that runs or comes next.' }),
    maxAttempts: z.int().min(1).optional(),
    nextAttemptAt: isoTimeSchema
      .optional()
      .meta({ description: 'While reconnecting, or quarantined: when it is tried next.' }),
    restriction: z
      .strictObject({ kind: z.literal('new_chats'), until: isoTimeSchema })
      .optional()
      .meta({ description: 'WhatsApp refuses messages to new chats until then.' }),
    ignore: ignoreSchema.optional(),
    downloadMedia: downloadMediaSchema.optional(),
    pace: paceSchema.optional().meta({ description: 'How fast the connection may write. Absent: no limits.' }),
    qr: z
      .strictObject({ text: z.string(), expiresAt: isoTimeSchema })
      .optional()
      .meta({ description: 'While `qr_pending`: the text of the current QR code.' }),
    pairingCode: z
      .strictObject({ code: z.string(), expiresAt: isoTimeSchema })
      .optional()
      .meta({ description: 'While `qr_pending`, pairing by code: what to enter on the phone.' }),
    linkedAt: isoTimeSchema.optional(),
    lastConnectedAt: isoTimeSchema.optional(),
    version: z.int().min(0).meta({ description: 'Rises with every change; merge by it.' }),
    createdAt: isoTimeSchema,
    updatedAt: isoTimeSchema,
  })
  .meta({ id: 'Connection' })
export type Connection = z.infer<typeof connectionSchema>

export const connectionPageSchema = pageSchema(connectionSchema, 'ConnectionPage')

export const qrSchema = z
  .strictObject({ qr: z.string().meta({ description: 'Text of the QR code.' }), expiresAt: isoTimeSchema })
  .meta({ id: 'Qr' })

/** The public shape: what callers and live clients see of a stored connection. */
export function toConnection(row: ConnectionRow): Connection {
  const pending = row.status === 'qr_pending'
  return {
    connectionId: row.connectionId,
    label: row.label,
    pairing: row.pairing,
    ...given('phoneNumber', row.phoneNumber),
    status: row.status,
    reason: row.reason,
    message: row.message,
    ...given('remedy', row.remedy),
    ...given('attempt', row.attempt),
    ...given('maxAttempts', row.maxAttempts),
    ...given('nextAttemptAt', row.nextAttemptAt),
    ...given('restriction', row.restriction),
    ...given('ignore', row.ignore),
    ...given('downloadMedia', row.downloadMedia),
    ...given('pace', row.pace),
    ...given('qr', pending && row.qr ? { text: row.qr.text, expiresAt: row.qr.expiresAt } : undefined),
    ...given(
      'pairingCode',
      pending && row.pairingCode ? { code: row.pairingCode.code, expiresAt: row.pairingCode.expiresAt } : undefined,
    ),
    ...given('linkedAt', row.linkedAt),
    ...given('lastConnectedAt', row.lastConnectedAt),
    version: row.version,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  }
}

/** A property that is left out rather than undefined. */
export function given<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V })
}
