import { z } from 'zod'
import {
  contactPresences,
  type OperationKind,
  operationErrorCodes,
  operationKinds,
  operationStatuses,
} from '../domain/operations.ts'
import type { OperationRow, PresenceRow } from '../domain/stores/operations.ts'
import { idSchema, isoTimeSchema } from './common.ts'
import { given } from './connections.ts'
import type { Scope } from './scopes.ts'

/** Seconds that a call waits for its answer. API Gateway ends a request after 30. */
export const operationWait = { defaultSeconds: 10, maxSeconds: 20 } as const

export const preferSchema = z
  .string()
  .max(256)
  .meta({
    description: `\`wait=N\`: seconds to wait for the answer, at most ${operationWait.maxSeconds}; without it ${operationWait.defaultSeconds}. \`respond-async\`: do not wait. What was applied is in \`Preference-Applied\`. (RFC 7240)`,
    example: 'wait=10',
  })

const ofContacts: readonly OperationKind[] = [
  'check_contacts',
  'get_contact',
  'list_blocked',
  'block_contact',
  'unblock_contact',
  'subscribe_presence',
]

/** What a key must be allowed to do to ask for an operation of this kind, and to see its answer. */
export function scopeOfOperation(kind: OperationKind): Scope {
  if (kind === 'download_media') return 'media'
  return ofContacts.includes(kind) ? 'contacts' : 'groups'
}

export const operationErrorSchema = z
  .strictObject({
    code: z.enum(operationErrorCodes),
    message: z.string().meta({ description: 'One sentence for a person.' }),
    whatsappCode: z.string().optional().meta({ description: "WhatsApp's own error code.", example: '403' }),
  })
  .meta({ id: 'OperationError' })

const common = {
  operationId: idSchema,
  connectionId: idSchema,
  deadlineAt: isoTimeSchema.meta({ description: 'When an operation that is still pending fails.' }),
  version: z.int().min(0),
  createdAt: isoTimeSchema,
  updatedAt: isoTimeSchema,
}

/** An operation of one kind: the answer to the call that asks for it, and what polling gives. */
export function operationSchema<Kind extends OperationKind, Result extends z.ZodType>(
  kind: Kind,
  result: Result,
  id: string,
) {
  const ofKind = { ...common, kind: z.literal(kind) }
  return z
    .discriminatedUnion('status', [
      z.strictObject({ ...ofKind, status: z.literal('pending') }),
      z.strictObject({ ...ofKind, status: z.literal('succeeded'), completedAt: isoTimeSchema, result }),
      z.strictObject({
        ...ofKind,
        status: z.literal('failed'),
        completedAt: isoTimeSchema,
        error: operationErrorSchema,
      }),
    ])
    .meta({ id })
}

/** Any kind, where the caller knows what was asked. */
export const anyOperationSchema = z
  .strictObject({
    ...common,
    kind: z.enum(operationKinds),
    status: z.enum(operationStatuses),
    result: z.record(z.string(), z.unknown()).optional().meta({
      description: 'When it succeeded: as at the call that asked for it.',
    }),
    error: operationErrorSchema.optional(),
    completedAt: isoTimeSchema.optional(),
    truncated: z.literal(true).optional().meta({
      description: 'In a live event: the result is too long for it; the REST API gives it.',
    }),
  })
  .meta({ id: 'Operation' })
export type AnyOperation = z.infer<typeof anyOperationSchema>

/** The public shape of a stored operation. */
export function toOperation(row: OperationRow): AnyOperation {
  return {
    operationId: row.operationId,
    connectionId: row.connectionId,
    kind: row.request.kind,
    status: row.status,
    ...given('result', row.result as AnyOperation['result']),
    ...given('error', row.error),
    deadlineAt: row.deadlineAt,
    version: row.version,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    ...given('completedAt', row.completedAt),
  }
}

/** Where a contact is whose presence is followed. */
export const presenceSchema = z
  .strictObject({
    connectionId: idSchema,
    contact: z.strictObject({ phoneNumber: z.string().optional(), lid: z.string().optional() }),
    presence: z.enum(contactPresences),
    lastSeenAt: isoTimeSchema.optional().meta({ description: 'With `unavailable`, where the contact shows it.' }),
  })
  .meta({ id: 'Presence' })
export type Presence = z.infer<typeof presenceSchema>

export function toPresence(row: PresenceRow): Presence {
  const { connectionId, contact, presence } = row
  return { connectionId, contact: { ...contact }, presence, ...given('lastSeenAt', row.lastSeenAt) }
}
