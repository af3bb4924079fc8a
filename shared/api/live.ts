import { z } from 'zod'
import { idSchema, isoTimeSchema } from './common.ts'
import { connectionSchema } from './connections.ts'
import { connectionEvents, messageEvents } from './events.ts'
import { messageSchema } from './messages.ts'
import { anyOperationSchema, presenceSchema } from './operations.ts'
import { problemSchema } from './problems.ts'

export { type ConnectionEvent, connectionEvents, type MessageEvent, messageEvents } from './events.ts'

/** What a browser opens its WebSocket with: `wss://…?ticket=`. Single use. */
export const liveTicketSchema = z
  .strictObject({
    ticket: z.string(),
    url: z.url({ protocol: /^wss?$/ }).meta({ description: 'Of the live API; add `?ticket=`.' }),
    expiresAt: isoTimeSchema,
  })
  .meta({ id: 'LiveTicket' })
export type LiveTicket = z.infer<typeof liveTicketSchema>

/** Seconds that a ticket lives. */
export const liveTicketSeconds = 60

/** Connections that one socket may name. Who wants more listens to all. */
export const socketConnectionsMax = 100

/** How long changes of messages are kept for those who come back, in seconds. */
export const resumeSeconds = 24 * 3_600

/** Query of the WebSocket's URL. */
export const liveConnectQuerySchema = z
  .strictObject({
    ticket: z.string().min(1).max(512),
    connectionId: z
      .string()
      .transform((text) => [...new Set(text.split(','))])
      .pipe(z.array(idSchema).max(socketConnectionsMax))
      .optional()
      .meta({
        description: `Only these connections: one id, or up to ${socketConnectionsMax} with commas between. Absent: all.`,
      }),
    since: isoTimeSchema.optional().meta({
      description:
        'The greatest `at` that was heard on the socket before. Messages that changed since then come again, each as it is now, and `resumed` after them.',
    }),
  })
  .meta({ id: 'LiveConnectQuery' })

/** What a client may say on the socket. */
export const liveRequestSchema = z
  .discriminatedUnion('action', [
    z.strictObject({ action: z.literal('subscribe'), connectionId: idSchema.optional() }),
    z.strictObject({ action: z.literal('unsubscribe'), connectionId: idSchema.optional() }),
    z.strictObject({ action: z.literal('ping') }),
  ])
  .meta({ id: 'LiveRequest' })
export type LiveRequest = z.infer<typeof liveRequestSchema>

const envelope = {
  id: z.string().meta({ description: 'Unique id of the frame; the same when it is delivered twice.' }),
  at: isoTimeSchema,
}
const ofConnection = { ...envelope, connectionId: idSchema, version: z.int().min(0) }

export const connectionFrameSchema = z
  .strictObject({ ...ofConnection, event: z.enum(connectionEvents), data: connectionSchema })
  .meta({ id: 'ConnectionFrame' })

/** `version` is one above the last that the connection had, so that a late change does not bring it back. */
export const connectionDeletedFrameSchema = z
  .strictObject({
    ...ofConnection,
    event: z.literal('connection-deleted'),
    data: z.strictObject({ connectionId: idSchema }),
  })
  .meta({ id: 'ConnectionDeletedFrame' })

export const messageFrameSchema = z
  .strictObject({ ...ofConnection, event: z.enum(messageEvents), data: messageSchema })
  .meta({ id: 'MessageFrame' })

/** A command with an answer has ended, also where the call that asked for it was given the answer. */
export const operationFrameSchema = z
  .strictObject({ ...ofConnection, event: z.literal('operation-completed'), data: anyOperationSchema })
  .meta({ id: 'OperationFrame' })

/** `version` is the contact's. */
export const presenceFrameSchema = z
  .strictObject({ ...ofConnection, event: z.literal('presence'), data: presenceSchema })
  .meta({ id: 'PresenceFrame' })

/**
 * All connections that the socket listens to. Large ones come in `parts` frames, `part` from 1; the snapshot is complete
 * with the last part. Connections that a client knows and that are in no part are gone, unless a frame said otherwise
 * meanwhile.
 */
export const snapshotFrameSchema = z
  .strictObject({
    ...envelope,
    event: z.literal('snapshot'),
    connectionId: z.null(),
    version: z.int().min(0).meta({ description: 'Rises with every snapshot of this socket.' }),
    data: z.strictObject({
      connections: z.array(connectionSchema),
      part: z.int().min(1),
      parts: z.int().min(1),
    }),
  })
  .meta({ id: 'SnapshotFrame' })

/**
 * After the messages that changed while the client was away. `complete: false`: it was away too long, or too much changed;
 * the REST API has it. Until this frame came, `since` of a further reconnect stays what it was.
 */
export const resumedFrameSchema = z
  .strictObject({
    ...envelope,
    event: z.literal('resumed'),
    connectionId: z.null(),
    version: z.int().min(0),
    data: z.strictObject({ since: isoTimeSchema, complete: z.boolean() }),
  })
  .meta({ id: 'ResumedFrame' })

export const pongFrameSchema = z
  .strictObject({
    ...envelope,
    event: z.literal('pong'),
    connectionId: z.null(),
    version: z.literal(0),
    data: z.strictObject({}),
  })
  .meta({ id: 'PongFrame' })

/** Answer to subscribe and unsubscribe: what the socket listens to now. `null`: everything. */
export const subscribedFrameSchema = z
  .strictObject({
    ...envelope,
    event: z.literal('subscribed'),
    connectionId: z.null(),
    version: z.int().min(0),
    data: z.strictObject({ connectionIds: z.array(idSchema).nullable() }),
  })
  .meta({ id: 'SubscribedFrame' })

export const errorFrameSchema = z
  .strictObject({
    ...envelope,
    event: z.literal('error'),
    connectionId: z.null(),
    version: z.literal(0),
    data: problemSchema,
  })
  .meta({ id: 'ErrorFrame' })

export const liveFrameSchema = z
  .discriminatedUnion('event', [
    connectionFrameSchema,
    connectionDeletedFrameSchema,
    messageFrameSchema,
    operationFrameSchema,
    presenceFrameSchema,
    snapshotFrameSchema,
    resumedFrameSchema,
    pongFrameSchema,
    subscribedFrameSchema,
    errorFrameSchema,
  ])
  .meta({ id: 'LiveFrame' })
export type LiveFrame = z.infer<typeof liveFrameSchema>
export type ConnectionFrame = z.infer<typeof connectionFrameSchema>
export type MessageFrame = z.infer<typeof messageFrameSchema>
export type OperationFrame = z.infer<typeof operationFrameSchema>
export type PresenceFrame = z.infer<typeof presenceFrameSchema>
/** A change of one item, as opposed to an answer to this one socket. */
export const changeFrameSchema = z.discriminatedUnion('event', [
  connectionFrameSchema,
  connectionDeletedFrameSchema,
  messageFrameSchema,
  operationFrameSchema,
  presenceFrameSchema,
])
export type ChangeFrame = z.infer<typeof changeFrameSchema>
export type SnapshotFrame = z.infer<typeof snapshotFrameSchema>
export type ResumedFrame = z.infer<typeof resumedFrameSchema>

/** What arrives in one WebSocket message. */
export const liveMessageSchema = z.union([liveFrameSchema, z.array(liveFrameSchema)])
