import { z } from 'zod'
import { receivedMedium, sentMedium } from '../domain/content.ts'
import type { ParticipantReceipt } from '../domain/receipts.ts'
import type { MessageRow } from '../domain/stores/messages.ts'
import { assertNever, chatPresences, type SendContent, sendErrorCodes, sendStatuses } from '../domain/words.ts'
import { idSchema, isoTimeSchema, pageQuerySchema, pageSchema } from './common.ts'
import { given } from './connections.ts'
import { sendKinds, sendSchema } from './content.ts'
import { recipientSchema } from './recipients.ts'
import { shownContent, shownContentFields } from './shown-content.ts'

/** Default and bounds of how long a send may wait, in seconds. */
export const expiry = { defaultSeconds: 3600, minSeconds: 10, maxSeconds: 7 * 24 * 3600 } as const

export const scheduleDaysMax = 30

/** Any ISO 8601 time with its offset; parses to UTC with milliseconds. */
const sendAtSchema = z.iso
  .datetime({ offset: true, error: 'expected an ISO 8601 time with its offset, such as 2026-01-31T12:00:00Z' })
  .transform((text) => new Date(text).toISOString())

export const idempotencyKeySchema = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
  .meta({ description: 'The same key and body again give the same answer and no second message.' })

/** What every kind of send has, by REST and by the sends queues. */
const sendFields = {
  to: recipientSchema,
  expiresInSeconds: z
    .int()
    .min(expiry.minSeconds)
    .max(expiry.maxSeconds)
    .optional()
    .meta({ description: `How long the message may wait for the connection. Default ${expiry.defaultSeconds}.` }),
  sendAt: sendAtSchema.optional().meta({
    description: `Not before then, at most ${scheduleDaysMax} days ahead. \`expiresInSeconds\` counts from it.`,
  }),
}

export const sendMessageSchema = sendSchema(sendFields).meta({ id: 'SendMessage' })
export type SendMessage = z.output<typeof sendMessageSchema>

/** Body of a message on the sends queues. */
export const queuedSendSchema = sendSchema({
  version: z.literal(1, { error: 'must be 1' }),
  businessProfileId: idSchema,
  connectionId: idSchema,
  idempotencyKey: idempotencyKeySchema.optional(),
  ...sendFields,
}).meta({ id: 'QueuedSend' })
export type QueuedSend = z.output<typeof queuedSendSchema>

/** The fields of its kind, in the schema's order: the same send gives the same JSON. */
export function sendContent(send: SendMessage): SendContent {
  const given = send as Readonly<Record<string, unknown>>
  const names = Object.keys(sendKinds[send.type]).filter((name) => given[name] !== undefined)
  return Object.fromEntries([['type', send.type], ...names.map((name) => [name, given[name]])]) as SendContent
}

/** What the other side sees while somebody writes. */
export const chatPresenceSchema = z
  .strictObject({ to: recipientSchema, presence: z.enum(chatPresences) })
  .meta({ id: 'SetChatPresence' })

const sendErrorSchema = z
  .strictObject({
    code: z.enum(sendErrorCodes),
    message: z.string().meta({ description: 'One sentence for a person.' }),
    whatsappCode: z.string().optional().meta({ description: "WhatsApp's own error code.", example: '463' }),
  })
  .meta({ id: 'SendError' })

const common = {
  messageId: idSchema,
  connectionId: idSchema,
  chat: z.string().meta({ description: 'JID of the chat.' }),
  media: z
    .strictObject({ href: z.string().meta({ description: 'Path of the call that gives it.' }) })
    .optional()
    .meta({ description: 'The message has a medium that can be downloaded.' }),
  group: z.literal(true).optional().meta({ description: 'The chat is a group; `from` is who wrote it.' }),
  ...shownContentFields,
  version: z.int().min(0),
  createdAt: isoTimeSchema,
  updatedAt: isoTimeSchema,
  sentAt: isoTimeSchema.optional(),
}

const participantReceiptSchema = z
  .strictObject({
    participant: z.strictObject({ phoneNumber: z.string().optional(), lid: z.string().optional() }),
    deliveredAt: isoTimeSchema.optional(),
    readAt: isoTimeSchema.optional(),
    playedAt: isoTimeSchema.optional(),
  })
  .meta({ id: 'ParticipantReceipt', description: 'What one member of the group said, as far as they said it.' })

const members = (what: string) =>
  z
    .int()
    .min(0)
    .meta({ description: `How many members ${what}.` })

const groupReceiptsSchema = z
  .strictObject({
    delivered: members('have it'),
    read: members('have read it'),
    played: members('have played it'),
    participants: z
      .array(participantReceiptSchema)
      .optional()
      .meta({ description: 'Member by member; only where one message is asked for.' }),
  })
  .meta({ id: 'GroupReceipts', description: 'In a group, where `status` is as far as the first member got.' })

export const outboundMessageSchema = z
  .strictObject({
    ...common,
    direction: z.literal('outbound'),
    to: z.string(),
    status: z.enum(sendStatuses),
    error: sendErrorSchema.optional(),
    note: z.string().optional().meta({ description: 'While it waits: why.' }),
    sendAt: isoTimeSchema.optional().meta({ description: 'Scheduled: not sent before.' }),
    enqueuedAt: isoTimeSchema.optional().meta({ description: 'When the worker was told of it.' }),
    deadlineAt: isoTimeSchema.meta({ description: 'When a message that still waits becomes `failed` / `expired`.' }),
    deliveredAt: isoTimeSchema.optional(),
    readAt: isoTimeSchema.optional(),
    playedAt: isoTimeSchema.optional(),
    receipts: groupReceiptsSchema.optional(),
    failedAt: isoTimeSchema.optional(),
  })
  .meta({ id: 'OutboundMessage' })

export const inboundMessageSchema = z
  .strictObject({
    ...common,
    direction: z.literal('inbound'),
    from: z.strictObject({
      phoneNumber: z.string().optional(),
      lid: z.string().optional(),
      name: z.string().optional(),
    }),
    receivedAt: isoTimeSchema,
  })
  .meta({ id: 'InboundMessage' })

export const messageSchema = z
  .discriminatedUnion('direction', [outboundMessageSchema, inboundMessageSchema])
  .meta({ id: 'Message' })
export type Message = z.infer<typeof messageSchema>

/** Query of a connection's messages. */
export const messageQuerySchema = pageQuerySchema.extend({
  status: z.enum(sendStatuses).optional().meta({ description: 'Only sends with this status.' }),
  chat: recipientSchema.optional().meta({ description: 'Only messages of this chat: a phone number or a JID.' }),
  direction: z.enum(['inbound', 'outbound']).optional(),
})

export const messagePageSchema = pageSchema(messageSchema, 'MessagePage')

export const acceptedMessageSchema = z
  .strictObject({ messageId: idSchema, status: z.enum(sendStatuses), error: sendErrorSchema.optional() })
  .meta({ id: 'AcceptedMessage' })
export type AcceptedMessage = z.infer<typeof acceptedMessageSchema>

const toReceipt = ({ participant, deliveredAt, readAt, playedAt }: ParticipantReceipt) => ({
  participant: { ...participant },
  ...given('deliveredAt', deliveredAt),
  ...given('readAt', readAt),
  ...given('playedAt', playedAt),
})

const mediaHref = ({ connectionId, messageId }: MessageRow): string =>
  `/connections/${connectionId}/messages/${messageId}/media`

function hasMedium(row: MessageRow): boolean {
  return row.direction === 'outbound'
    ? sentMedium(row.content) !== undefined
    : receivedMedium(row.content)?.medium.source !== undefined
}

/**
 * The public shape of a stored message, both directions.
 *
 * @param participants of a message of ours in a group
 */
export function toMessage(row: MessageRow, participants?: readonly ParticipantReceipt[]): Message {
  const base = {
    messageId: row.messageId,
    connectionId: row.connectionId,
    chat: row.chat,
    ...(row.chat.endsWith('@g.us') ? { group: true as const } : {}),
    ...shownContent(row.content),
    ...given('media', hasMedium(row) ? { href: mediaHref(row) } : undefined),
    version: row.version,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    ...given('sentAt', row.sentAt),
  }
  switch (row.direction) {
    case 'outbound':
      return {
        ...base,
        direction: 'outbound',
        to: row.to,
        status: row.status,
        ...given('error', row.error),
        ...given('note', row.status === 'queued' ? row.note : undefined),
        ...given('sendAt', row.sendAt),
        ...given('enqueuedAt', row.enqueuedAt),
        deadlineAt: row.deadlineAt,
        ...given('deliveredAt', row.deliveredAt),
        ...given('readAt', row.readAt),
        ...given('playedAt', row.playedAt),
        ...given(
          'receipts',
          row.receipts && { ...row.receipts, ...given('participants', participants?.map(toReceipt)) },
        ),
        ...given('failedAt', row.failedAt),
      }
    case 'inbound':
      return { ...base, direction: 'inbound', from: { ...row.from }, receivedAt: row.receivedAt }
    default:
      return assertNever(row)
  }
}
