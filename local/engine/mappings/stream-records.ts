/** DynamoDB stream records as Lambda shows them to a function. */
import type { AttributeValue, _Record as SdkRecord } from '@aws-sdk/client-dynamodb-streams'

/** An attribute value in DynamoDB JSON, binary as base64. */
export type AttributeJson = Readonly<Record<string, unknown>>

/** One of `Records` in the event of a DynamoDB event source mapping. */
export interface StreamRecord {
  readonly eventID: string
  readonly eventName: 'INSERT' | 'MODIFY' | 'REMOVE'
  readonly eventVersion: string
  readonly eventSource: 'aws:dynamodb'
  readonly awsRegion: string
  readonly dynamodb: {
    /** Seconds since 1970. */
    readonly ApproximateCreationDateTime: number
    readonly Keys: Readonly<Record<string, AttributeJson>>
    readonly NewImage?: Readonly<Record<string, AttributeJson>>
    readonly OldImage?: Readonly<Record<string, AttributeJson>>
    readonly SequenceNumber: string
    readonly SizeBytes: number
    readonly StreamViewType: string
  }
  readonly userIdentity?: { readonly type: string; readonly principalId: string }
  readonly eventSourceARN: string
}

export function streamRecord(record: SdkRecord, eventSourceArn: string): StreamRecord {
  const [, , , region = ''] = eventSourceArn.split(':')
  const { dynamodb = {}, userIdentity } = record
  const name = eventName(record.eventName)
  // DynamoDB Local names the deletions by TTL in a way of its own and leaves out who made them.
  const byTtl = record.eventName !== undefined && record.eventName !== name
  const identity = byTtl ? { Type: 'Service', PrincipalId: 'dynamodb.amazonaws.com' } : userIdentity
  return {
    eventID: record.eventID ?? '',
    eventName: name,
    eventVersion: record.eventVersion ?? '1.1',
    eventSource: 'aws:dynamodb',
    awsRegion: region,
    dynamodb: {
      ApproximateCreationDateTime: Math.floor((dynamodb.ApproximateCreationDateTime?.getTime() ?? 0) / 1000),
      Keys: image(dynamodb.Keys ?? {}),
      ...(dynamodb.NewImage === undefined ? {} : { NewImage: image(dynamodb.NewImage) }),
      ...(dynamodb.OldImage === undefined ? {} : { OldImage: image(dynamodb.OldImage) }),
      SequenceNumber: dynamodb.SequenceNumber ?? '',
      SizeBytes: dynamodb.SizeBytes ?? 0,
      StreamViewType: dynamodb.StreamViewType ?? '',
    },
    ...(identity === undefined
      ? {}
      : { userIdentity: { type: identity.Type ?? '', principalId: identity.PrincipalId ?? '' } }),
    eventSourceARN: eventSourceArn,
  }
}

function eventName(name: string | undefined): StreamRecord['eventName'] {
  return name === 'INSERT' || name === 'MODIFY' ? name : 'REMOVE'
}

function image(attributes: Readonly<Record<string, AttributeValue>>): Readonly<Record<string, AttributeJson>> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attributeJson(value)]))
}

function attributeJson(value: AttributeValue): AttributeJson {
  if (value.B !== undefined) return { B: base64(value.B) }
  if (value.BS !== undefined) return { BS: value.BS.map(base64) }
  if (value.L !== undefined) return { L: value.L.map(attributeJson) }
  if (value.M !== undefined) return { M: image(value.M) }
  // DynamoDB Local's streams leave out an empty map, which tables give as `{ M: {} }`.
  return Object.keys(value).length === 0 ? { M: {} } : { ...value }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** Sequence numbers are decimal numbers of any length. */
export function isAfter(sequenceNumber: string, other: string): boolean {
  return BigInt(sequenceNumber) > BigInt(other)
}
