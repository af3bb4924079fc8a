import { DeleteCommand, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { Page } from '../domain/stores/connections.ts'
import type { BusinessProfileId, ConnectionId, IsoTime } from '../domain/words.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { attributeNames, putIf, update } from './expressions.ts'
import { conditional, type Item, queryAll, queryPage, type StoreTable, transaction } from './requests.ts'

/** What is erased. */
export type ErasureSubject =
  /** Every message of a chat: in one connection, or in all of the profile. */
  | { readonly kind: 'contact'; readonly chat: string; readonly connectionId?: ConnectionId }
  /** What a deleted connection leaves: its messages. */
  | { readonly kind: 'connection'; readonly connectionId: ConnectionId }
  | { readonly kind: 'business_profile' }

/** A job that goes on, minute by minute and after every crash, until it is done. */
export interface Erasure {
  readonly erasureId: string
  readonly businessProfileId: BusinessProfileId
  readonly subject: ErasureSubject
  readonly state: 'running' | 'done'
  /** One sentence for a person: what it does, or waits for. */
  readonly progress: string
  readonly erasedMessages: number
  readonly erasedConnections: number
  /** Every connection that was found, so that what it leaves is found after it is gone. */
  readonly connectionIds: readonly ConnectionId[]
  /** The same of webhooks. */
  readonly webhookIds?: readonly string[]
  /** Since when nothing is there any more that others could add to: absent while there is. */
  readonly quietSince?: IsoTime
  readonly createdAt: IsoTime
  readonly updatedAt: IsoTime
  readonly endedAt?: IsoTime
}

export interface Erasures {
  /** Twice with one id is the same as once. */
  start(erasure: Erasure): Promise<void>
  get(businessProfileId: BusinessProfileId, erasureId: string): Promise<Erasure | undefined>
  /** Newest first: ids begin with their time. */
  list(businessProfileId: BusinessProfileId, limit: number, next?: string): Promise<Page<Erasure>>
  /** All that are not done, oldest first. */
  open(): Promise<readonly Erasure[]>
  note(
    erasure: Pick<Erasure, 'businessProfileId' | 'erasureId'>,
    change: {
      readonly progress?: string
      readonly messages?: number
      readonly connections?: number
      readonly connectionIds?: readonly ConnectionId[]
      readonly webhookIds?: readonly string[]
      readonly quietSince?: IsoTime
    },
    now: IsoTime,
  ): Promise<void>
  finish(erasure: Pick<Erasure, 'businessProfileId' | 'erasureId'>, progress: string, now: IsoTime): Promise<void>
}

/** Apart from the profile's own items, so that its progress can be seen after they are gone. */
export const erasurePk = (businessProfileId: BusinessProfileId): string => `erasure#${businessProfileId}`
export const openErasuresPk = 'erasures'

/** After its end a record is kept for this long. */
const keptSeconds = 90 * 86_400

const recordKey = ({ businessProfileId, erasureId }: Pick<Erasure, 'businessProfileId' | 'erasureId'>) => ({
  pk: erasurePk(businessProfileId),
  sk: erasureId,
})
const openKey = ({ erasureId }: Pick<Erasure, 'erasureId'>) => ({ pk: openErasuresPk, sk: erasureId })

function erasureOf(item: Item): Erasure {
  const { pk: _pk, sk: _sk, expireAt: _expireAt, ...row } = item
  return row as unknown as Erasure
}

/** `start` 4 WCU, `get` 1 RCU, `open` 1 RCU and 1 per job, `note` and `finish` 1 or 2 WCU. */
export function erasures({ documents, table }: StoreTable): Erasures {
  async function read(key: Readonly<Record<string, string>>): Promise<Erasure | undefined> {
    const { Item } = await documents.send(new GetCommand({ TableName: table, Key: key, ConsistentRead: true }))
    return Item === undefined ? undefined : erasureOf(Item)
  }

  return {
    async start(erasure) {
      const { businessProfileId, erasureId } = erasure
      await transaction(documents, [
        { Put: putIf(table, { ...recordKey(erasure), ...erasure }, 'attribute_not_exists(#pk)') },
        { Put: putIf(table, { ...openKey(erasure), businessProfileId, erasureId }, 'attribute_not_exists(#pk)') },
      ])
    },

    get: (businessProfileId, erasureId) => read(recordKey({ businessProfileId, erasureId })),

    async list(businessProfileId, limit, next) {
      const start = next === undefined ? undefined : decodeCursor(next, ['sk'])
      const condition = '#pk = :pk'
      const pk = erasurePk(businessProfileId)
      const { items, more } = await queryPage(
        documents,
        {
          TableName: table,
          ConsistentRead: true,
          ScanIndexForward: false,
          KeyConditionExpression: condition,
          ExpressionAttributeNames: attributeNames(condition),
          ExpressionAttributeValues: { ':pk': pk },
          ...(start === undefined ? {} : { ExclusiveStartKey: { pk, sk: start.sk } }),
        },
        limit,
      )
      const last = items.at(-1)
      return {
        items: items.map(erasureOf),
        ...(more && last !== undefined ? { next: encodeCursor({ sk: String(last.sk) }) } : {}),
      }
    },

    async open() {
      const condition = '#pk = :pk'
      const items = await queryAll(documents, {
        TableName: table,
        ConsistentRead: true,
        KeyConditionExpression: condition,
        ExpressionAttributeNames: attributeNames(condition),
        ExpressionAttributeValues: { ':pk': openErasuresPk },
      })
      const found = await Promise.all(
        items.map(({ businessProfileId, erasureId }) =>
          read(recordKey({ businessProfileId: String(businessProfileId), erasureId: String(erasureId) })),
        ),
      )
      return found.filter((erasure) => erasure !== undefined)
    },

    async note(erasure, { messages = 0, connections = 0, ...set }, now) {
      await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, recordKey(erasure), {
              set: { ...set, updatedAt: now },
              compute: {
                erasedMessages: '#erasedMessages + :messages',
                erasedConnections: '#erasedConnections + :connections',
              },
              condition: 'attribute_exists(#pk)',
              values: { ':messages': messages, ':connections': connections },
            }),
          ),
        ),
      )
    },

    async finish(erasure, progress, now) {
      const expireAt = Math.floor(Date.parse(now) / 1_000) + keptSeconds
      await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, recordKey(erasure), {
              set: { state: 'done', progress, updatedAt: now, endedAt: now, expireAt },
              condition: 'attribute_exists(#pk)',
            }),
          ),
        ),
      )
      await documents.send(new DeleteCommand({ TableName: table, Key: openKey(erasure) }))
    },
  }
}
