import type { AttributeValue as StoredValue } from '@aws-sdk/client-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import type { AttributeValue, DynamoDBRecord } from 'aws-lambda'
import { z } from 'zod'
import { isOperationKey, isPresenceKey, toOperationRow } from '../../shared/aws/operations.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { MessageRow } from '../../shared/domain/stores/messages.ts'
import type { OperationRow, PresenceRow } from '../../shared/domain/stores/operations.ts'

type Image = Record<string, AttributeValue>

/** The same wire format under two names, but for bytes: Lambda gives them in base64, what the SDK has are bytes. */
const plain = (image: Image): unknown =>
  unmarshall(Object.fromEntries(Object.entries(image).map(([name, value]) => [name, stored(value)])))

function stored(value: AttributeValue): StoredValue {
  return typeof value.B === 'string' ? { B: Buffer.from(value.B, 'base64') } : (value as StoredValue)
}

/** What the adapters wrote is believed; that it is a row of theirs at all is checked. */
const connectionShape = z.looseObject({
  businessProfileId: z.string(),
  connectionId: z.string(),
  status: z.string(),
  reason: z.string(),
  version: z.number(),
  updatedAt: z.string(),
})
const messageShape = z.looseObject({
  businessProfileId: z.string(),
  connectionId: z.string(),
  messageId: z.string(),
  direction: z.enum(['inbound', 'outbound']),
  version: z.number(),
  updatedAt: z.string(),
})

export const connectionOf = (image: Image): ConnectionRow =>
  connectionShape.parse(plain(image)) as unknown as ConnectionRow

/** Undefined for the other items of the table: counters. */
export function messageOf(image: Image): MessageRow | undefined {
  if (image.direction === undefined) return undefined
  return messageShape.parse(plain(image)) as unknown as MessageRow
}

const operationShape = z.looseObject({
  businessProfileId: z.string(),
  connectionId: z.string(),
  operationId: z.string(),
  status: z.string(),
  version: z.number(),
  updatedAt: z.string(),
})

/** Undefined for the other items of the table. */
export function operationOf(image: Image): OperationRow | undefined {
  if (image.key?.S === undefined || !isOperationKey(image.key.S)) return undefined
  return toOperationRow(operationShape.parse(plain(image)))
}

const presenceShape = z.looseObject({
  businessProfileId: z.string(),
  connectionId: z.string(),
  contact: z.looseObject({}),
  presence: z.string(),
  version: z.number(),
  updatedAt: z.string(),
})

/** Undefined for the other items of the table. */
export function presenceOf(image: Image): PresenceRow | undefined {
  if (image.key?.S === undefined || !isPresenceKey(image.key.S)) return undefined
  return presenceShape.parse(plain(image)) as unknown as PresenceRow
}

/** What a stream record says of its item: absent before it was created, absent after it was removed. */
export interface Images {
  readonly before?: Image
  readonly after?: Image
}

export const imagesOf = ({ dynamodb }: DynamoDBRecord): Images => ({
  ...(dynamodb?.OldImage === undefined ? {} : { before: dynamodb.OldImage }),
  ...(dynamodb?.NewImage === undefined ? {} : { after: dynamodb.NewImage }),
})

/** A stream record without its sequence number could neither be reported nor retried. */
export function sequenceNumberOf({ dynamodb }: DynamoDBRecord): string {
  if (dynamodb?.SequenceNumber === undefined) throw new Error('stream record without a sequence number')
  return dynamodb.SequenceNumber
}

const subscriptionShape = z.looseObject({ socketId: z.string(), businessProfileId: z.string(), version: z.number() })

/** What a stream record tells of a socket's subscription; undefined for the table's other items. */
export function subscriptionOf(image: Image): z.infer<typeof subscriptionShape> | undefined {
  if (image.interest === undefined) return undefined
  return subscriptionShape.parse(plain(image))
}
