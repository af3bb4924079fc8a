/**
 * The DynamoDB tables, said once: the CDK app creates them from here, the tests create them from here, and the adapters
 * beside this file read and write them. Billing, encryption and backup belong to the CDK app.
 */

export type KeyType = 'S' | 'N'

export interface KeyAttribute {
  readonly name: string
  readonly type: KeyType
}

/** A global secondary index. An item without both keys is not in it (sparse). */
export interface IndexDefinition {
  readonly name: string
  readonly partitionKey: KeyAttribute
  readonly sortKey: KeyAttribute
  /** Keys only: written once per item, however often the item changes. Else every attribute is in it. */
  readonly keysOnly?: true
}

export interface TableDefinition {
  readonly partitionKey: KeyAttribute
  readonly sortKey: KeyAttribute
  readonly indexes: readonly IndexDefinition[]
  /** Attribute that holds the end of an item's life in seconds since 1970. */
  readonly ttl?: string
  /** `NEW_AND_OLD_IMAGES`: changes of this table are published. `KEYS_ONLY`: somebody must know which items go. */
  readonly stream?: 'NEW_AND_OLD_IMAGES' | 'KEYS_ONLY'
}

export const tableNames = ['connections', 'messages', 'fleet', 'auth', 'live', 'accounts', 'media', 'webhooks'] as const
export type TableName = (typeof tableNames)[number]

const text = (name: string): KeyAttribute => ({ name, type: 'S' })
const number = (name: string): KeyAttribute => ({ name, type: 'N' })

export const tables: Readonly<Record<TableName, TableDefinition>> = {
  connections: {
    partitionKey: text('businessProfileId'),
    sortKey: text('connectionId'),
    indexes: [{ name: 'byPartition', partitionKey: number('partition'), sortKey: text('connectionId') }],
    stream: 'NEW_AND_OLD_IMAGES',
  },
  messages: {
    partitionKey: text('connectionKey'),
    sortKey: text('key'),
    indexes: [
      { name: 'waiting', partitionKey: number('waitingPartition'), sortKey: text('waitingOrder') },
      { name: 'history', partitionKey: text('connectionKey'), sortKey: text('createdOrder') },
      { name: 'byChat', partitionKey: text('chatKey'), sortKey: text('createdOrder'), keysOnly: true },
    ],
    ttl: 'expireAt',
    stream: 'NEW_AND_OLD_IMAGES',
  },
  fleet: { partitionKey: text('kind'), sortKey: text('id'), indexes: [] },
  auth: { partitionKey: text('connectionKey'), sortKey: text('item'), indexes: [] },
  live: {
    partitionKey: text('pk'),
    sortKey: text('sk'),
    indexes: [],
    ttl: 'expireAt',
    stream: 'NEW_AND_OLD_IMAGES',
  },
  accounts: { partitionKey: text('pk'), sortKey: text('sk'), indexes: [], ttl: 'expireAt' },
  media: {
    partitionKey: text('businessProfileId'),
    sortKey: text('mediaId'),
    indexes: [],
    ttl: 'expireAt',
    stream: 'KEYS_ONLY',
  },
  webhooks: {
    partitionKey: text('pk'),
    sortKey: text('sk'),
    indexes: [{ name: 'due', partitionKey: number('dueShard'), sortKey: text('dueAt'), keysOnly: true }],
    ttl: 'expireAt',
  },
}
