import { randomUUID } from 'node:crypto'
import { PutCommand } from '@aws-sdk/lib-dynamodb'
import type { BusinessProfileId, ConnectionId, EpochMs, MessageId } from '../domain/words.ts'
import { deleteItems } from './deleting-items.ts'
import { attributeNames } from './expressions.ts'
import { queryAll, type StoreTable, withoutConflict } from './requests.ts'

/** Names a message that changed. Its row has what it is now. */
export interface ChangedMessage {
  readonly connectionId: ConnectionId
  readonly messageId: MessageId
}

/**
 * Which messages changed when, for clients that come back. An entry names the messages of one batch of changes, so that many
 * changes cost few writes; it is put before the batch goes to the sockets.
 */
export interface LiveChanges {
  /** @param keptMs how long it is remembered */
  note(
    businessProfileId: BusinessProfileId,
    messages: readonly ChangedMessage[],
    nowMs: EpochMs,
    keptMs: number,
  ): Promise<void>
  /** Consistent. Each message once, in the order of its last change. */
  since(businessProfileId: BusinessProfileId, ms: EpochMs): Promise<readonly ChangedMessage[]>
  /** All that is remembered of a profile. */
  erase(businessProfileId: BusinessProfileId): Promise<void>
}

/** Names of messages in one item: some 40 KB. */
const namesMax = 600

const partition = (businessProfileId: BusinessProfileId): string => `changes#${businessProfileId}`
const order = (ms: EpochMs): string => new Date(ms).toISOString()

/**
 * In the table of tickets and sockets. `note` 1 WCU per 16 messages; `since` 1 RCU per 4 KB; `erase` as `since`, and 1 WCU per KB.
 */
export function liveChanges(store: StoreTable): LiveChanges {
  const { documents, table } = store
  return {
    async note(businessProfileId, messages, nowMs, keptMs) {
      const names = [...new Set(messages.map(({ connectionId, messageId }) => `${connectionId} ${messageId}`))]
      for (let start = 0; start < names.length; start += namesMax) {
        const item = {
          pk: partition(businessProfileId),
          sk: `${order(nowMs)}#${randomUUID()}`,
          messages: names.slice(start, start + namesMax),
          expireAt: Math.ceil((nowMs + keptMs) / 1_000),
        }
        await withoutConflict(() => documents.send(new PutCommand({ TableName: table, Item: item })))
      }
    },

    async since(businessProfileId, ms) {
      const condition = '#pk = :pk AND #sk >= :from'
      const entries = await queryAll(documents, {
        TableName: table,
        ConsistentRead: true,
        KeyConditionExpression: condition,
        ExpressionAttributeNames: attributeNames(condition),
        ExpressionAttributeValues: { ':pk': partition(businessProfileId), ':from': order(ms) },
      })
      const names = new Set<string>()
      for (const name of entries.flatMap(({ messages }) => messages as readonly string[])) {
        names.delete(name)
        names.add(name)
      }
      return [...names].map((name) => {
        const [connectionId = '', messageId = ''] = name.split(' ')
        return { connectionId, messageId }
      })
    },

    async erase(businessProfileId) {
      const pk = partition(businessProfileId)
      const condition = '#pk = :pk'
      const entries = await queryAll(documents, {
        TableName: table,
        ConsistentRead: true,
        KeyConditionExpression: condition,
        ProjectionExpression: '#sk',
        ExpressionAttributeNames: attributeNames(condition, '#sk'),
        ExpressionAttributeValues: { ':pk': pk },
      })
      await deleteItems(
        store,
        entries.map(({ sk }) => ({ pk, sk: String(sk) })),
      )
    },
  }
}
