import { setTimeout as delay } from 'node:timers/promises'
import { BatchWriteCommand, QueryCommand } from '@aws-sdk/lib-dynamodb'
import type { ConnectionRef } from '../domain/words.ts'
import { attributeNames } from './expressions.ts'
import { connectionKey } from './ids.ts'
import { chatKey } from './message-items.ts'
import type { Item, StoreTable } from './requests.ts'

export interface MessageErasing {
  /** Deletes some of a chat's messages, both directions. `more`: call again. The index may lag: nothing found is not yet none. */
  eraseChat(ref: ConnectionRef, chat: string): Promise<Erased>
  /** Deletes some of everything that the table holds of a connection. Consistent. */
  eraseConnection(ref: ConnectionRef): Promise<Erased>
}

export interface Erased {
  readonly erased: number
  readonly more: boolean
}

/** A query's page: a batch write takes 25. */
const pageSize = 100
const batchSize = 25
const triesMax = 8

/** 0.5 RCU per 4 KB of what is found and 1 WCU per item, index and KB of what is deleted. */
export function messageErasing({ documents, table }: StoreTable): MessageErasing {
  async function page(condition: string, value: string, index?: string): Promise<Erased> {
    const { Items = [], LastEvaluatedKey } = await documents.send(
      new QueryCommand({
        TableName: table,
        ...(index === undefined ? { ConsistentRead: true } : { IndexName: index }),
        KeyConditionExpression: condition,
        ExpressionAttributeNames: attributeNames(condition, '#connectionKey, #key'),
        ExpressionAttributeValues: { ':of': value },
        ProjectionExpression: '#connectionKey, #key',
        Limit: pageSize,
      }),
    )
    for (let at = 0; at < Items.length; at += batchSize) await deleteBatch(Items.slice(at, at + batchSize))
    return { erased: Items.length, more: LastEvaluatedKey !== undefined }
  }

  async function deleteBatch(items: readonly Item[]): Promise<void> {
    let requests = items.map(({ connectionKey: of, key }) => ({ DeleteRequest: { Key: { connectionKey: of, key } } }))
    for (let tries = 1; ; tries++) {
      const { UnprocessedItems } = await documents.send(new BatchWriteCommand({ RequestItems: { [table]: requests } }))
      requests = (UnprocessedItems?.[table] ?? []) as typeof requests
      if (requests.length === 0) return
      if (tries === triesMax) throw new Error(`${requests.length} messages could not be deleted for load`)
      await delay(Math.random() * 50 * 2 ** tries)
    }
  }

  return {
    eraseChat: (ref, chat) => page('#chatKey = :of', chatKey(ref, chat), 'byChat'),
    eraseConnection: (ref) => page('#connectionKey = :of', connectionKey(ref)),
  }
}
