import { BatchGetCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { ConnectionRef } from '../domain/words.ts'
import { attributeNames } from './expressions.ts'
import { chatKey, itemKey } from './message-items.ts'
import { conditional, type StoreTable } from './requests.ts'

/** Of the oldest messages of a chat, one that arrived is soon found. */
const lookedAtMax = 25
/** A day's count outlives the day in every time zone. */
const countKeptSeconds = 3 * 24 * 3600
const arrived = ['sent', 'delivered', 'read', 'played']

/**
 * Whether something was exchanged in a chat: a message came in, or one of ours arrived at WhatsApp. By the index `byChat`,
 * eventually consistent. 1 RCU for the keys, 1 RCU per message that has to be looked at.
 */
export async function isKnownChat(
  { documents, table }: StoreTable,
  ref: ConnectionRef,
  chat: string,
): Promise<boolean> {
  const condition = '#chatKey = :chatKey'
  const { Items = [] } = await documents.send(
    new QueryCommand({
      TableName: table,
      IndexName: 'byChat',
      KeyConditionExpression: condition,
      ExpressionAttributeNames: attributeNames(condition),
      ExpressionAttributeValues: { ':chatKey': chatKey(ref, chat) },
      Limit: lookedAtMax,
    }),
  )
  if (Items.some(({ key }) => String(key).startsWith('in#'))) return true
  if (Items.length === 0) return false
  const Keys = Items.map(({ connectionKey, key }) => ({ connectionKey, key }))
  const projection = '#status'
  const { Responses } = await documents.send(
    new BatchGetCommand({
      RequestItems: {
        [table]: { Keys, ProjectionExpression: projection, ExpressionAttributeNames: attributeNames(projection) },
      },
    }),
  )
  return (Responses?.[table] ?? []).some(({ status }) => arrived.includes(String(status)))
}

/**
 * Counts a new chat for a day unless the day's limit is reached; the same chat counts once. The count belongs to the
 * connection, so that a new owner continues it. 1 WCU.
 *
 * @param day `2026-01-31`
 */
export async function admitNewChat(
  { documents, table }: StoreTable,
  ref: ConnectionRef,
  chat: string,
  { day, max, nowMs }: { readonly day: string; readonly max: number; readonly nowMs: number },
): Promise<boolean> {
  if (max === 0) return false
  const expression = 'SET #expireAt = :expireAt ADD #chats :chats'
  const condition = 'attribute_not_exists(#chats) OR contains(#chats, :chat) OR size(#chats) < :max'
  const counted = await conditional(() =>
    documents.send(
      new UpdateCommand({
        TableName: table,
        Key: itemKey(ref, `newchats#${day}`),
        UpdateExpression: expression,
        ConditionExpression: condition,
        ExpressionAttributeNames: attributeNames(expression, condition),
        ExpressionAttributeValues: {
          ':expireAt': Math.floor(nowMs / 1000) + countKeptSeconds,
          ':chats': new Set([chat]),
          ':chat': chat,
          ':max': max,
        },
      }),
    ),
  )
  return counted.kind === 'landed'
}
