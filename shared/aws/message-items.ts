import { GetCommand } from '@aws-sdk/lib-dynamodb'
import type { MessageRow, OutboundRow } from '../domain/stores/messages.ts'
import type { ConnectionRef } from '../domain/words.ts'
import { connectionKey } from './ids.ts'
import type { Item, StoreTable } from './requests.ts'

/**
 * Storage attributes of a message beside its row: `connectionKey` (partition key), `createdOrder` (sort key of `history` and
 * `byChat`), `chatKey` (partition key of `byChat`), `waitingOrder` (sort key of `waiting`, only while it waits). The
 * connection's counter is the item `counter`.
 */
export const counterKey = (ref: ConnectionRef) => ({ connectionKey: connectionKey(ref), key: 'counter' })

export const itemKey = (ref: ConnectionRef, key: string) => ({ connectionKey: connectionKey(ref), key })

export const waitingOrderPrefix = (ref: ConnectionRef): string => `${connectionKey(ref)}#`

/** Sorts by connection, then by acceptance. */
export const waitingOrder = (ref: ConnectionRef, seq: number): string =>
  `${waitingOrderPrefix(ref)}${String(seq).padStart(12, '0')}`

export const chatKey = (ref: ConnectionRef, chat: string): string => `${connectionKey(ref)}#${chat}`

export function toItem(row: MessageRow): Item {
  return {
    ...row,
    connectionKey: connectionKey(row),
    createdOrder: `${row.createdAt}#${row.messageId}`,
    chatKey: chatKey(row, row.chat),
    ...(row.direction === 'outbound' && row.waitingPartition !== undefined
      ? { waitingOrder: waitingOrder(row, row.seq) }
      : {}),
  }
}

/** The adapter wrote it, so the adapter believes it. */
export function toRow(item: Item): MessageRow {
  const { connectionKey: _key, createdOrder: _created, chatKey: _chat, waitingOrder: _waiting, ...row } = item
  return row as unknown as MessageRow
}

export function asOutbound(row: MessageRow): OutboundRow {
  if (row.direction !== 'outbound') throw new Error(`message ${row.messageId}: expected an outbound row`)
  return row
}

/** Consistent. 1 RCU per 4 KB. */
export async function readMessage(
  { documents, table }: StoreTable,
  ref: ConnectionRef,
  key: string,
): Promise<MessageRow | undefined> {
  const { Item } = await documents.send(
    new GetCommand({ TableName: table, Key: itemKey(ref, key), ConsistentRead: true }),
  )
  return Item === undefined ? undefined : toRow(Item)
}
