import { DeleteCommand, GetCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { statusText } from '../domain/status-text.ts'
import type {
  ApiConnections,
  ConnectionChange,
  ConnectionRow,
  FencedWrite,
  WatchdogConnections,
  WorkerConnections,
} from '../domain/stores/connections.ts'
import type { CommandKind, ConnectionRef, PartitionId } from '../domain/words.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { attributeNames, putIf, update } from './expressions.ts'
import { conditional, type Item, queryAll, queryPage, type StoreTable } from './requests.ts'

const keyOf = ({ businessProfileId, connectionId }: ConnectionRef) => ({ businessProfileId, connectionId })

/** The adapter wrote it, so the adapter believes it. */
const rowOf = (item: Item): ConnectionRow => item as unknown as ConnectionRow

/** Why a write that asked for existence and an epoch was refused. */
const refusal = (item: Item | undefined): FencedWrite => ({ kind: item === undefined ? 'gone' : 'fenced' })

/** 0.5 RCU per 4 KB. */
async function readRow({ documents, table }: StoreTable, ref: ConnectionRef): Promise<ConnectionRow | undefined> {
  const { Item } = await documents.send(new GetCommand({ TableName: table, Key: keyOf(ref), ConsistentRead: true }))
  return Item === undefined ? undefined : rowOf(Item)
}

async function listByPartition({ documents, table }: StoreTable, partition: PartitionId): Promise<ConnectionRow[]> {
  const condition = '#partition = :partition'
  const items = await queryAll(documents, {
    TableName: table,
    IndexName: 'byPartition',
    KeyConditionExpression: condition,
    ExpressionAttributeNames: attributeNames(condition),
    ExpressionAttributeValues: { ':partition': partition },
  })
  return items.map(rowOf)
}

/** The connector's side. `get` 1 RCU, `listByPartition` 0.5 RCU per 4 KB, `update` and `remove` 2 WCU (table and index). */
export function workerConnections(store: StoreTable): WorkerConnections {
  const { documents, table } = store
  const mine = 'attribute_exists(#connectionId) AND #epoch <= :epoch'
  return {
    get: (ref) => readRow(store, ref),
    listByPartition: (partition) => listByPartition(store, partition),

    async update(ref, epoch, change, now) {
      const written = await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, keyOf(ref), {
              set: { ...change, epoch, updatedAt: now },
              compute: { version: '#version + :one' },
              condition: mine,
              values: { ':epoch': epoch, ':one': 1 },
            }),
          ),
        ),
      )
      return written.kind === 'landed' ? { kind: 'written' } : refusal(written.item)
    },

    async remove(ref, epoch) {
      const removed = await conditional(() =>
        documents.send(
          new DeleteCommand({
            TableName: table,
            Key: keyOf(ref),
            ConditionExpression: mine,
            ExpressionAttributeNames: attributeNames(mine),
            ExpressionAttributeValues: { ':epoch': epoch },
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          }),
        ),
      )
      return removed.kind === 'landed' ? { kind: 'written' } : refusal(removed.item)
    },
  }
}

/** Open commands that a later command of this kind leaves alone: its own kind, and those that go further. */
const keeps: Readonly<Record<CommandKind, readonly CommandKind[]>> = {
  pair: ['pair', 'logout', 'delete'],
  restart: ['restart', 'logout', 'delete'],
  logout: ['logout', 'delete'],
  delete: ['delete'],
}

/** The API's side. `create`, `requestCommand` and `configure` 2 WCU, `get` 1 RCU, `list` and `count` 1 RCU per 4 KB. */
export function apiConnections(store: StoreTable): ApiConnections {
  const { documents, table } = store
  return {
    get: (ref) => readRow(store, ref),

    async create(row) {
      const put = await conditional(() =>
        documents.send(new PutCommand(putIf(table, row, 'attribute_not_exists(#connectionId)'))),
      )
      return { kind: put.kind === 'landed' ? 'created' : 'exists' }
    },

    async count(businessProfileId, max) {
      const condition = '#businessProfileId = :businessProfileId'
      let found = 0
      let start: Record<string, unknown> | undefined
      do {
        const page = await documents.send(
          new QueryCommand({
            TableName: table,
            ConsistentRead: true,
            Select: 'COUNT',
            KeyConditionExpression: condition,
            ExpressionAttributeNames: attributeNames(condition),
            ExpressionAttributeValues: { ':businessProfileId': businessProfileId },
            Limit: max - found,
            ExclusiveStartKey: start,
          }),
        )
        found += page.Count ?? 0
        start = page.LastEvaluatedKey
      } while (start !== undefined && found < max)
      return found
    },

    async list(businessProfileId, limit, next) {
      const start = next === undefined ? undefined : decodeCursor(next, ['connectionId'])
      const condition = '#businessProfileId = :businessProfileId'
      const { items, more } = await queryPage(
        documents,
        {
          TableName: table,
          ConsistentRead: true,
          KeyConditionExpression: condition,
          ExpressionAttributeNames: attributeNames(condition),
          ExpressionAttributeValues: { ':businessProfileId': businessProfileId },
          // The profile comes from the caller's key, never from the cursor.
          ...(start === undefined ? {} : { ExclusiveStartKey: { ...start, businessProfileId } }),
        },
        limit,
      )
      const rows = items.map(rowOf)
      const last = rows.at(-1)
      return more && last !== undefined
        ? { items: rows, next: encodeCursor({ connectionId: last.connectionId }) }
        : { items: rows }
    },

    async requestCommand(ref, command, change, now) {
      const kept = keeps[command.kind]
      const stored = await conditional(() =>
        documents.send(
          new UpdateCommand({
            ...update(table, keyOf(ref), {
              set: { ...change, command, updatedAt: now },
              compute: { version: '#version + :one' },
              condition:
                'attribute_exists(#connectionId) AND (attribute_not_exists(#command) ' +
                'OR #command.#commandId = #handledCommandId ' +
                `OR NOT #command.#kind IN (${kept.map((kind) => `:${kind}`).join(', ')}))`,
              values: { ':one': 1, ...Object.fromEntries(kept.map((kind) => [`:${kind}`, kind])) },
            }),
            ReturnValues: 'ALL_NEW',
          }),
        ),
      )
      if (stored.kind === 'landed') return { kind: 'accepted', row: rowOf(stored.output.Attributes ?? {}) }
      if (stored.item === undefined) return { kind: 'not_found' }
      const row = rowOf(stored.item)
      // Our own command from an attempt whose answer was lost.
      return { kind: row.command?.commandId === command.commandId ? 'accepted' : 'already', row }
    },

    async configure(ref, settings, now, version) {
      const seen = version === undefined ? '' : ' AND #version = :seen'
      const stored = await conditional(() =>
        documents.send(
          new UpdateCommand({
            ...update(table, keyOf(ref), {
              set: { ...settings, updatedAt: now },
              compute: { version: '#version + :one' },
              condition: `attribute_exists(#connectionId)${seen}`,
              values: { ':one': 1, ...(version === undefined ? {} : { ':seen': version }) },
            }),
            ReturnValues: 'ALL_NEW',
          }),
        ),
      )
      if (stored.kind === 'landed') return { kind: 'written', row: rowOf(stored.output.Attributes ?? {}) }
      return stored.item === undefined ? { kind: 'not_found' } : { kind: 'changed', row: rowOf(stored.item) }
    },
  }
}

const noWorker: ConnectionChange = {
  status: 'reconnecting',
  reason: 'no_worker',
  message: statusText('no_worker'),
  remedy: null,
  attempt: null,
  maxAttempts: null,
  nextAttemptAt: null,
}

/** The minutely check's side. `listByPartition` 0.5 RCU per 4 KB, `markNoWorker` 2 WCU. */
export function watchdogConnections(store: StoreTable): WatchdogConnections {
  const { documents, table } = store
  return {
    listByPartition: (partition) => listByPartition(store, partition),

    /** Also conditional on the version seen: whatever was said since, by a worker or a caller, is newer than the check. */
    async markNoWorker(row, now) {
      const written = await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, keyOf(row), {
              set: { ...noWorker, updatedAt: now },
              compute: { version: '#version + :one' },
              condition: 'attribute_exists(#connectionId) AND #epoch = :epoch AND #version = :version',
              values: { ':epoch': row.epoch, ':version': row.version, ':one': 1 },
            }),
          ),
        ),
      )
      return written.kind === 'landed' ? { kind: 'written' } : refusal(written.item)
    },
  }
}
