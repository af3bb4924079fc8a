import { createHash, randomBytes } from 'node:crypto'
import type { BusinessProfileId, ConnectionId, ConnectionRef, MessageId, PartitionId } from '../domain/words.ts'

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Hex SHA-256 of a text in UTF-8: what is stored of a secret that only its holder knows. */
export const sha256Hex = (text: string): string => sha256(text).toString('hex')

/** Joins parts so that no two lists of parts give the same text, whatever the parts contain. */
const unambiguous = (parts: readonly string[]): string => JSON.stringify(parts)

/** The last `length` digits in base 36 of a big number: the bias over 256 bits is far below one in 2^100. */
const digits = (bytes: Buffer, length: number): string =>
  BigInt(`0x${bytes.toString('hex')}`)
    .toString(36)
    .padStart(length, '0')
    .slice(-length)

const random = (length: number): string => digits(randomBytes(32), length)

export const newBusinessProfileId = (): BusinessProfileId => `bp_${random(20)}`
export const newConnectionId = (): ConnectionId => `con_${random(20)}`
/** For an operation without an idempotency key. */
export const newOperationId = (): string => `opr_${random(26)}`
export const newApiKeyId = (): string => random(16)
export const newWebhookId = (): string => `whk_${random(20)}`
/** Of one attempt to deliver one event. */
export const newDeliveryId = (): string => `dlv_${random(26)}`
/** For an event that nothing stored stands behind. */
export const newEventId = (): string => `evt_${random(26)}`

/** What happened to one version of one item: the same event, however often it is read from the stream. */
export const eventIdOf = (owner: string, item: string, version: number, event: string): string =>
  `evt_${digits(sha256(unambiguous([owner, item, String(version), event])), 26)}`

/** For a send without an idempotency key. */
export const newMessageId = (): MessageId => `msg_${random(26)}`

export const newMediaId = (): string => `med_${random(26)}`

/** `<businessProfileId>#<connectionId>`: partition key of everything that belongs to one connection. */
export const connectionKey = (ref: ConnectionRef): string => `${ref.businessProfileId}#${ref.connectionId}`

/** The same idempotency key on the same connection names the same message, so that a replay finds its row without an index. */
export const messageIdOf = (ref: ConnectionRef, idempotencyKey: string): MessageId =>
  `msg_${digits(sha256(unambiguous([connectionKey(ref), idempotencyKey])), 26)}`

/** As `messageIdOf`, of an operation: the same key may name a message as well. */
export const operationIdOf = (ref: ConnectionRef, idempotencyKey: string): string =>
  `opr_${digits(sha256(unambiguous(['operation', connectionKey(ref), idempotencyKey])), 26)}`

/** The id that WhatsApp sees. It follows from ours, so that every retry by any worker carries the same one. */
export const whatsappIdOf = (messageId: MessageId): string =>
  `3EB0${sha256(messageId).toString('hex').slice(0, 18).toUpperCase()}`

/** @param sender JID of who wrote it: in a group another than the chat; WhatsApp's id is unique only together with both. */
export const inboundMessageIdOf = (chat: string, sender: string, whatsappId: string): MessageId =>
  `wam_${digits(sha256(unambiguous([chat, sender, whatsappId])), 26)}`

export const isInboundMessageId = (messageId: MessageId): boolean => messageId.startsWith('wam_')

/** Sort key of an outbound message, from what an ack or a receipt carries. */
export const outboundKey = (whatsappId: string): string => `out#${whatsappId}`

/** Sort key of any message, from its id alone. */
export const messageKey = (messageId: MessageId): string =>
  isInboundMessageId(messageId) ? `in#${messageId.slice('wam_'.length)}` : outboundKey(whatsappIdOf(messageId))

/** Where a new connection goes. Stored on its row and never computed again, since the count may change. */
export const partitionOf = (connectionId: ConnectionId, partitionCount: number): PartitionId =>
  sha256(connectionId).readUInt32BE(0) % partitionCount

/** Sorts by its time: the first nine digits are milliseconds since 1970 in base 36. */
export const newErasureId = (nowMs: number): string => `era_${nowMs.toString(36).padStart(9, '0')}${random(17)}`

/** The same idempotency key of one business profile names the same connection. */
export const connectionIdOf = (businessProfileId: BusinessProfileId, idempotencyKey: string): ConnectionId =>
  `con_${digits(sha256(unambiguous(['connection', businessProfileId, idempotencyKey])), 20)}`

/** The medium that comes with a message (`key` of its row), sent by link or received: asked for again, it is the same. */
export const mediaIdOfMessage = (ref: ConnectionRef, key: string): string =>
  `med_${digits(sha256(unambiguous([connectionKey(ref), key])), 26)}`
