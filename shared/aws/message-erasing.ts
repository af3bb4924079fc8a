import { QueryCommand } from '@aws-sdk/lib-dynamodb'
import type { ConnectionRef } from '../domain/words.ts'
import { deleteItems } from './deleting-items.ts'
import { attributeNames } from './expressions.ts'
import { connectionKey, mediaIdOfMessage, outboundKey } from './ids.ts'
import type { MediaErasing } from './media-erasing.ts'
import { chatKey, itemKey } from './message-items.ts'
import { receiptKeysOf } from './receipts.ts'
import type { StoreTable } from './requests.ts'

export interface MessageErasing {
  /** Deletes some of a chat's messages, both directions, with their media. `more`: call again. The index may lag: nothing found is not yet none. */
  eraseChat(ref: ConnectionRef, chat: string): Promise<Erased>
  /** Deletes some of everything that the table holds of a connection. Consistent. */
  eraseConnection(ref: ConnectionRef): Promise<Erased>
}

export interface Erased {
  readonly erased: number
  readonly more: boolean
}

/** A query's page. */
const pageSize = 100

/**
 * With the media of the messages and, in groups, the members' receipts: what belongs to a message goes before it, so that a crash
 * leaves the message to be found. 0.5 RCU per 4 KB of what is found and 1 WCU per item, index and KB of what is deleted.
 */
export function messageErasing(store: StoreTable, media: Pick<MediaErasing, 'erase'>): MessageErasing {
  const { documents, table } = store

  async function page(ref: ConnectionRef, condition: string, value: string, index?: string): Promise<Found> {
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
    const keys = Items.map(({ key }) => String(key))
    const mediaIds = keys.filter((key) => /^(in|out)#/.test(key)).map((key) => mediaIdOfMessage(ref, key))
    await media.erase(ref.businessProfileId, mediaIds)
    return { keys, more: LastEvaluatedKey !== undefined }
  }

  const erase = (ref: ConnectionRef, keys: readonly string[]): Promise<void> =>
    deleteItems(
      store,
      keys.map((key) => itemKey(ref, key)),
    )

  return {
    async eraseChat(ref, chat) {
      const { keys, more } = await page(ref, '#chatKey = :of', chatKey(ref, chat), 'byChat')
      if (chat.endsWith('@g.us')) {
        for (const key of keys.filter((each) => each.startsWith(outboundKey('')))) {
          await erase(ref, await receiptKeysOf(store, ref, key.slice(outboundKey('').length)))
        }
      }
      await erase(ref, keys)
      return { erased: keys.length, more }
    },

    async eraseConnection(ref) {
      const { keys, more } = await page(ref, '#connectionKey = :of', connectionKey(ref))
      await erase(ref, keys)
      return { erased: keys.length, more }
    },
  }
}

interface Found {
  readonly keys: readonly string[]
  readonly more: boolean
}
