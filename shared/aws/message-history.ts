import { BatchGetCommand, QueryCommand, type QueryCommandInput } from '@aws-sdk/lib-dynamodb'
import type { Page } from '../domain/stores/connections.ts'
import type { MessageFilter, MessageRow } from '../domain/stores/messages.ts'
import type { ConnectionRef, MessageId } from '../domain/words.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { attributeNames } from './expressions.ts'
import { connectionKey, messageKey } from './ids.ts'
import { chatKey, toRow } from './message-items.ts'
import type { Item, StoreTable } from './requests.ts'

/** Index entries that one call looks at where a filter passes few of them; the caller goes on with `next`. */
const lookedAtMax = 2_000
/** A query's page, and DynamoDB's limit of a batch. */
const pageMax = 100
/** What a batch left out for load is asked for again, at once, this often. */
const batchTriesMax = 5

/** A connection's messages, newest first, by the index `history`, or, of one chat, by `byChat`. Eventually consistent. */
export async function listMessages(
  store: StoreTable,
  ref: ConnectionRef,
  limit: number,
  next: string | undefined,
  filter: MessageFilter,
): Promise<Page<MessageRow>> {
  const found: Item[] = []
  let place = next === undefined ? undefined : decodeCursor(next, ['createdOrder', 'key'])
  for (let lookedAt = 0; ; ) {
    const filtered = filter.status !== undefined || filter.direction !== undefined
    const page = await readIndex(store, ref, filter.chat, place, filtered ? pageMax : Math.min(pageMax, limit + 1))
    const items = filter.chat === undefined ? page.items : await readItems(store, page.items)
    lookedAt += page.items.length
    for (const item of items) {
      if (!passes(item, filter)) continue
      // There is one more than fits: the page ends in front of something.
      if (found.length === limit) return { items: found.map(toRow), next: cursorAt(found.at(-1) as Item) }
      found.push(item)
    }
    const last = page.items.at(-1)
    if (!page.more || last === undefined) return { items: found.map(toRow) }
    if (lookedAt >= lookedAtMax) return { items: found.map(toRow), next: cursorAt(last) }
    place = { createdOrder: String(last.createdOrder), key: String(last.key) }
  }
}

const cursorAt = (item: Item): string =>
  encodeCursor({ createdOrder: String(item.createdOrder), key: String(item.key) })

const passes = (item: Item, { status, direction }: MessageFilter): boolean =>
  (status === undefined || item.status === status) && (direction === undefined || item.direction === direction)

async function readIndex(
  { documents, table }: StoreTable,
  ref: ConnectionRef,
  chat: string | undefined,
  place: { readonly createdOrder: string; readonly key: string } | undefined,
  limit: number,
): Promise<{ readonly items: readonly Item[]; readonly more: boolean }> {
  // The connection comes from the caller's path, never from the cursor.
  const keys = {
    connectionKey: connectionKey(ref),
    ...(chat === undefined ? {} : { chatKey: chatKey(ref, chat) }),
  }
  const condition = chat === undefined ? '#connectionKey = :of' : '#chatKey = :of'
  const input: QueryCommandInput = {
    TableName: table,
    IndexName: chat === undefined ? 'history' : 'byChat',
    ScanIndexForward: false,
    KeyConditionExpression: condition,
    ExpressionAttributeNames: attributeNames(condition),
    ExpressionAttributeValues: { ':of': chat === undefined ? keys.connectionKey : keys.chatKey },
    Limit: limit,
    ...(place === undefined ? {} : { ExclusiveStartKey: { ...place, ...keys } }),
  }
  const { Items, LastEvaluatedKey } = await documents.send(new QueryCommand(input))
  return { items: Items ?? [], more: LastEvaluatedKey !== undefined }
}

/** The items behind an index that has keys only, in its order; one that is gone is left out. */
const readItems = (store: StoreTable, entries: readonly Item[]): Promise<readonly Item[]> =>
  readBatch(
    store,
    entries.map(({ connectionKey, key }) => itemAt(String(connectionKey), String(key))),
    'eventual',
  )

/** Messages by their names, in the order asked for; one that is gone is left out. Consistent. 1 RCU per message and 4 KB. */
export async function readMessages(
  store: StoreTable,
  names: readonly (ConnectionRef & { readonly messageId: MessageId })[],
): Promise<readonly MessageRow[]> {
  const rows: MessageRow[] = []
  for (let start = 0; start < names.length; start += pageMax) {
    const keys = names
      .slice(start, start + pageMax)
      .map((name) => itemAt(connectionKey(name), messageKey(name.messageId)))
    rows.push(...(await readBatch(store, keys, 'consistent')).map(toRow))
  }
  return rows
}

interface ItemKey {
  readonly connectionKey: string
  readonly key: string
}
const itemAt = (connectionKey: string, key: string): ItemKey => ({ connectionKey, key })
const nameOf = ({ connectionKey, key }: ItemKey): string => `${connectionKey} ${key}`

/** At most `pageMax` items. One that is named twice is there twice: DynamoDB would refuse the whole request. */
export async function readBatch(
  { documents, table }: StoreTable,
  wanted: readonly ItemKey[],
  reading: 'consistent' | 'eventual',
): Promise<readonly Item[]> {
  const items = new Map<string, Item>()
  let keys = [...new Map(wanted.map((key) => [nameOf(key), key])).values()]
  for (let tries = 1; keys.length > 0; tries++) {
    const request = { Keys: keys, ConsistentRead: reading === 'consistent' }
    const { Responses, UnprocessedKeys } = await documents.send(
      new BatchGetCommand({ RequestItems: { [table]: request } }),
    )
    for (const item of Responses?.[table] ?? []) items.set(nameOf(item as unknown as ItemKey), item)
    keys = (UnprocessedKeys?.[table]?.Keys ?? []) as unknown as ItemKey[]
    if (keys.length > 0 && tries === batchTriesMax) throw new Error('the table left out a part of the messages')
  }
  return wanted.map((key) => items.get(nameOf(key))).filter((item) => item !== undefined)
}
