import { z } from 'zod'
import { idSchema, isoTimeSchema } from './common.ts'
import { type Connection, connectionSchema } from './connections.ts'
import type { Message } from './messages.ts'
import { messageSchema } from './messages.ts'
import { type AnyOperation, anyOperationSchema, presenceSchema } from './operations.ts'

/**
 * Every event that leaves Holdfast, said once. EventBridge and webhooks carry them as they are here; the live API has those
 * of connections and messages as frames of the same name, `version` and `data` (`live.ts`). `docs/events.md` is rendered from here.
 */

/** Changes of a connection; `data` is the connection. */
export const connectionEvents = [
  'connection-created',
  'whatsapp-qr',
  'whatsapp-connected',
  'whatsapp-reconnecting',
  'whatsapp-disconnected',
  'connection-updated',
] as const
export type ConnectionEvent = (typeof connectionEvents)[number]

/**
 * `message-status`: an outbound message was accepted or moved on. The others are inbound: a message, or what somebody did to one,
 * which names it as `message_id`.
 */
export const messageEvents = [
  'message-status',
  'message-received',
  'message-reaction',
  'message-edited',
  'message-deleted',
  'poll-vote',
] as const
export type MessageEvent = (typeof messageEvents)[number]

const expiring = z.strictObject({ expiresAt: isoTimeSchema })

/**
 * A connection without what links a device: whoever reads a QR code or a pairing code could link a phone of theirs, and
 * events pass queues, archives and logs of others. The live API and `GET /connections/{connectionId}/qr` give them.
 */
export const announcedConnectionSchema = connectionSchema
  .extend({
    qr: expiring.optional().meta({ description: 'There is a QR code: `GET /connections/{connectionId}/qr` gives it.' }),
    pairingCode: expiring.optional().meta({ description: 'There is a pairing code; the connection shows it.' }),
  })
  .meta({ id: 'AnnouncedConnection' })
export type AnnouncedConnection = z.infer<typeof announcedConnectionSchema>

export function announced({ qr, pairingCode, ...connection }: Connection): AnnouncedConnection {
  return {
    ...connection,
    ...(qr === undefined ? {} : { qr: { expiresAt: qr.expiresAt } }),
    ...(pairingCode === undefined ? {} : { pairingCode: { expiresAt: pairingCode.expiresAt } }),
  }
}

const deletedConnectionSchema = z.strictObject({ connectionId: idSchema })

const endpoint = { webhookId: idSchema, url: z.string() }
const pausedWebhookSchema = z.strictObject({
  ...endpoint,
  reason: z.enum(['failing', 'gone']).meta({ description: '`gone`: the endpoint answered 410.' }),
  message: z.string().meta({ description: 'One sentence for a person.' }),
})
const testedWebhookSchema = z.strictObject({ ...endpoint, message: z.string() })

const at = '2026-01-31T12:00:00.000Z'
const connectionId = 'con_4k2j9x8w7v6u5t4s3r2q'
const exampleConnection: AnnouncedConnection = {
  connectionId,
  label: 'Primary Device',
  pairing: 'qr',
  phoneNumber: '+94714515253',
  status: 'connected',
  reason: 'open',
  message: 'Connected.',
  version: 7,
  createdAt: '2026-01-31T11:58:00.000Z',
  updatedAt: at,
}
const { phoneNumber: _phoneNumber, ...unlinked } = exampleConnection
const exampleInbound = {
  messageId: 'wam_0b1c2d3e4f5g6h7i8j9k0l1m2n',
  connectionId,
  chat: '4915112345678@s.whatsapp.net',
  version: 1,
  createdAt: at,
  updatedAt: at,
  sentAt: '2026-01-31T11:59:59.000Z',
  direction: 'inbound',
  from: { phoneNumber: '+4915112345678', name: 'Ada' },
  receivedAt: at,
} as const
const about = 'msg_0a1b2c3d4e5f6g7h8i9j0k1l2m'
const exampleOutbound: Message = {
  messageId: about,
  connectionId,
  chat: '4915112345678@s.whatsapp.net',
  type: 'text',
  text: { body: 'Your tea is ready.' },
  version: 4,
  createdAt: '2026-01-31T11:59:58.000Z',
  updatedAt: at,
  sentAt: '2026-01-31T11:59:59.000Z',
  direction: 'outbound',
  to: '+4915112345678',
  status: 'delivered',
  enqueuedAt: '2026-01-31T11:59:58.100Z',
  deadlineAt: '2026-01-31T12:59:58.000Z',
  deliveredAt: at,
}

const exampleOperation: AnyOperation = {
  operationId: 'opr_0a1b2c3d4e5f6g7h8i9j0k1l2m',
  connectionId,
  kind: 'check_contacts',
  status: 'succeeded',
  result: { contacts: [{ phoneNumber: '+4915112345678', onWhatsApp: true, lid: '103981532254412@lid' }] },
  deadlineAt: '2026-01-31T12:01:59.000Z',
  version: 2,
  createdAt: '2026-01-31T11:59:59.000Z',
  updatedAt: at,
  completedAt: at,
}

/** What an event is about: a connection and one of its messages, or an endpoint of the business profile. */
type Subject = 'connection' | 'message' | 'webhook'

interface EventDefinition {
  readonly subject: Subject
  readonly summary: string
  readonly data: z.ZodType
  readonly example: unknown
}

const ofConnection = (summary: string, example: AnnouncedConnection) =>
  ({ subject: 'connection', summary, data: announcedConnectionSchema, example }) as const
const ofMessage = (summary: string, example: Message) =>
  ({ subject: 'message', summary, data: messageSchema, example }) as const

export const events = {
  'connection-created': ofConnection('A connection was created and waits to be paired.', {
    ...unlinked,
    status: 'qr_pending',
    reason: 'pairing_requested',
    message: 'Pairing was requested.',
    version: 1,
  }),
  'whatsapp-qr': ofConnection('There is a new QR code to scan. The event does not carry it.', {
    ...unlinked,
    status: 'qr_pending',
    reason: 'waiting_for_scan',
    message: 'Scan the QR code with WhatsApp.',
    remedy: 'scan_qr',
    qr: { expiresAt: '2026-01-31T12:00:20.000Z' },
    version: 3,
  }),
  'whatsapp-connected': ofConnection('The connection is open.', exampleConnection),
  'whatsapp-reconnecting': ofConnection('The connection was lost and is being opened again.', {
    ...exampleConnection,
    status: 'reconnecting',
    reason: 'connection_lost',
    message: 'The connection was lost.',
    attempt: 1,
    maxAttempts: 5,
    nextAttemptAt: '2026-01-31T12:00:05.000Z',
    version: 9,
  }),
  'whatsapp-disconnected': ofConnection('The connection has ended; `remedy` says what a person can do.', {
    ...exampleConnection,
    status: 'disconnected',
    reason: 'logged_out',
    message: 'The device was logged out.',
    remedy: 'scan_qr',
    version: 12,
  }),
  'connection-updated': ofConnection('Something else of the connection changed: label, pace, restriction, …', {
    ...exampleConnection,
    label: 'Second floor',
    version: 8,
  }),
  'connection-deleted': {
    subject: 'connection',
    summary: 'The connection and everything of it is gone.',
    data: deletedConnectionSchema,
    example: { connectionId },
  },
  'message-status': ofMessage('A message to be sent was accepted, or came to another status.', exampleOutbound),
  'message-received': ofMessage('A message came in.', {
    ...exampleInbound,
    type: 'text',
    text: { body: 'Thank you!' },
  }),
  'message-reaction': ofMessage('Somebody reacted to a message; an empty emoji takes it back.', {
    ...exampleInbound,
    type: 'reaction',
    reaction: { message_id: about, emoji: '👍' },
  }),
  'message-edited': ofMessage('Somebody edited a message of theirs.', {
    ...exampleInbound,
    type: 'edit',
    edit: { message_id: about, text: 'Thank you very much!' },
  }),
  'message-deleted': ofMessage('Somebody deleted a message for everyone.', {
    ...exampleInbound,
    type: 'delete',
    delete: { message_id: about },
  }),
  'poll-vote': ofMessage('Somebody voted in a poll; all that they have chosen now.', {
    ...exampleInbound,
    type: 'poll_vote',
    poll_vote: { message_id: about, options: ['Black'] },
  }),
  'operation-completed': {
    subject: 'connection',
    summary: 'A command with an answer has ended, also where the call that asked for it was given the answer.',
    data: anyOperationSchema,
    example: exampleOperation,
  },
  presence: {
    subject: 'connection',
    summary: 'A contact whose presence is followed came online, left, types or records.',
    data: presenceSchema,
    example: {
      connectionId,
      contact: { phoneNumber: '+4915112345678', lid: '103981532254412@lid' },
      presence: 'typing',
    },
  },
  'webhook-paused': {
    subject: 'webhook',
    summary: 'An endpoint was paused, since nothing could be delivered to it.',
    data: pausedWebhookSchema,
    example: {
      webhookId: 'whk_4k2j9x8w7v6u5t4s3r2q',
      url: 'https://shop.example/hooks',
      reason: 'failing',
      message: 'Nothing could be delivered for a day. Last: answered 503.',
    },
  },
  'webhook-test': {
    subject: 'webhook',
    summary: 'Somebody asked for a test delivery. Goes to that endpoint only, never to EventBridge.',
    data: testedWebhookSchema,
    example: {
      webhookId: 'whk_4k2j9x8w7v6u5t4s3r2q',
      url: 'https://shop.example/hooks',
      message: 'This is a test.',
    },
  },
} as const satisfies Readonly<Record<string, EventDefinition>>

export type EventName = keyof typeof events
export const eventNames = Object.keys(events) as [EventName, ...EventName[]]
export const definitionOf = (name: EventName): EventDefinition => events[name]

const envelope = {
  id: z
    .string()
    .regex(/^evt_[0-9a-z]{26}$/)
    .meta({ description: 'The same when it is delivered twice.' }),
  at: isoTimeSchema.meta({ description: 'When it happened.' }),
  businessProfileId: idSchema,
  connectionId: idSchema.nullable().meta({ description: 'Null where it is about no connection.' }),
  version: z
    .int()
    .min(0)
    .meta({ description: 'Of what `data` shows: of two events about one item the higher is newer.' }),
}

/** The schema of one event, whole: the body of a webhook, the `detail` on the bus. */
export const eventSchemaOf = (name: EventName) =>
  z.strictObject({ event: z.literal(name), ...envelope, data: definitionOf(name).data })

/** An event on its way out. */
export const outwardEventSchema = z.discriminatedUnion(
  'event',
  eventNames.map(eventSchemaOf) as [ReturnType<typeof eventSchemaOf>, ...ReturnType<typeof eventSchemaOf>[]],
)
type Envelope = { readonly [K in keyof typeof envelope]: z.infer<(typeof envelope)[K]> }
export type OutwardEvent = {
  readonly [Name in EventName]: Envelope & {
    readonly event: Name
    readonly data: z.infer<(typeof events)[Name]['data']>
  }
}[EventName]

/** `source` of every event on the bus. */
export const eventSource = 'holdfast'

/** The example of an event, whole. */
export function exampleOf(name: EventName): OutwardEvent {
  const { subject, example } = definitionOf(name)
  const version = (example as { readonly version?: number }).version ?? 1
  return {
    id: 'evt_2m8n7b6v5c4x3z2l1k0j9h8g7f',
    event: name,
    at,
    businessProfileId: 'bp_7h3g2f1d0s9a8q7w6e5r',
    connectionId: subject === 'webhook' ? null : connectionId,
    version,
    data: example,
  } as OutwardEvent
}
