import { gunzipSync, gzipSync } from 'node:zlib'
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { OperationOutcome, SeenPresence } from '../domain/operations.ts'
import type { ApiOperations, OperationRow, WorkerOperations } from '../domain/stores/operations.ts'
import type { ConnectionRef, PartitionId } from '../domain/words.ts'
import { attributeNames, type Change, putIf, update } from './expressions.ts'
import { connectionKey } from './ids.ts'
import { conditional, type Item, queryAll, type StoreTable } from './requests.ts'

const keyPrefix = 'operation#'
/** JSON above this is stored compressed. */
const plainBytesMax = 16 * 1024
/** DynamoDB takes items of 400 KB; what was asked is beside it. */
const storedBytesMax = 120 * 1024

/**
 * Pending operations are in the index `waiting`, beside waiting sends and out of their way: those of partition n under -1 - n.
 */
const pendingPartition = (partition: PartitionId): number => -1 - partition

const operationKey = (ref: ConnectionRef, operationId: string) => ({
  connectionKey: connectionKey(ref),
  key: `${keyPrefix}${operationId}`,
})

/** True of the items of the table `messages` that are operations. */
export const isOperationKey = (key: string): boolean => key.startsWith(keyPrefix)

function toItem(row: OperationRow): Item {
  const pending = row.status === 'pending'
  return {
    ...row,
    ...operationKey(row, row.operationId),
    ...(pending && {
      waitingPartition: pendingPartition(row.partition),
      waitingOrder: `${connectionKey(row)}#${row.createdAt}#${row.operationId}`,
    }),
  }
}

/** The adapter wrote it, so the adapter believes it. */
export function toOperationRow(item: Item): OperationRow {
  const { connectionKey: _c, key: _k, waitingPartition: _p, waitingOrder: _o, packedResult, ...row } = item
  const result =
    packedResult === undefined ? {} : { result: JSON.parse(gunzipSync(packedResult as Uint8Array).toString()) }
  return { ...row, ...result } as unknown as OperationRow
}

async function read({ documents, table }: StoreTable, ref: ConnectionRef, operationId: string) {
  const { Item } = await documents.send(
    new GetCommand({ TableName: table, Key: operationKey(ref, operationId), ConsistentRead: true }),
  )
  return Item === undefined ? undefined : toOperationRow(Item)
}

async function listPending({ documents, table }: StoreTable, partition: PartitionId) {
  const condition = '#waitingPartition = :partition'
  const items = await queryAll(documents, {
    TableName: table,
    IndexName: 'waiting',
    KeyConditionExpression: condition,
    ExpressionAttributeNames: attributeNames(condition),
    ExpressionAttributeValues: { ':partition': pendingPartition(partition) },
  })
  return items.map(toOperationRow)
}

const noLongerPending = { waitingPartition: null, waitingOrder: null } as const
const isPending = '#status = :pending'

const presencePrefix = 'presence#'
/** Nobody reads it again; a contact that is heard of later goes on from its version. */
const presenceKeptSeconds = 24 * 3600

const presenceKey = (ref: ConnectionRef, { contact }: SeenPresence) => ({
  connectionKey: connectionKey(ref),
  key: `${presencePrefix}${contact.lid ?? contact.phoneNumber}`,
})

/** True of the items of the table `messages` that say where a contact is. */
export const isPresenceKey = (key: string): boolean => key.startsWith(presencePrefix)

/** Undefined where it is too large to be kept. */
function ended(outcome: OperationOutcome): Change['set'] | undefined {
  if (outcome.status === 'failed') return { status: 'failed', error: outcome.error }
  const json = JSON.stringify(outcome.result)
  if (Buffer.byteLength(json) <= plainBytesMax) return { status: 'succeeded', result: outcome.result }
  const packedResult = gzipSync(json)
  return packedResult.length > storedBytesMax ? undefined : { status: 'succeeded', packedResult }
}

/** The connector's side. `get` 1 RCU, `listPending` 0.5 RCU per 4 KB, `begin` 2 WCU, `complete` 2 WCU per KB, `tellPresence` 1 WCU. */
export function workerOperations(store: StoreTable): WorkerOperations {
  const { documents, table } = store
  const write = (ref: ConnectionRef, operationId: string, change: Change) =>
    conditional(() => documents.send(new UpdateCommand(update(table, operationKey(ref, operationId), change))))

  return {
    get: (ref, operationId) => read(store, ref, operationId),
    listPending: (partition) => listPending(store, partition),

    async begin(ref, operationId, epoch, token, now) {
      const written = await write(ref, operationId, {
        set: { begunBy: token, epoch, updatedAt: now },
        compute: { version: '#version + :one' },
        condition: `${isPending} AND #epoch <= :epoch AND attribute_not_exists(#begunBy)`,
        values: { ':pending': 'pending', ':epoch': epoch, ':one': 1 },
      })
      if (written.kind === 'landed') return { kind: 'begun' }
      if (written.item === undefined) return { kind: 'gone' }
      const row = toOperationRow(written.item)
      if (row.epoch > epoch) return { kind: 'fenced' }
      if (row.status !== 'pending') return { kind: 'ended' }
      return { kind: row.begunBy === token ? 'begun' : 'begun_before' }
    },

    async complete(ref, operationId, epoch, outcome, now) {
      const set = ended(outcome)
      if (set === undefined) return { kind: 'too_large' }
      const written = await write(ref, operationId, {
        set: { ...noLongerPending, ...set, epoch, updatedAt: now, completedAt: now },
        compute: { version: '#version + :one' },
        condition: `${isPending} AND #epoch <= :epoch`,
        values: { ':pending': 'pending', ':epoch': epoch, ':one': 1 },
      })
      if (written.kind === 'landed') return { kind: 'written' }
      if (written.item === undefined) return { kind: 'gone' }
      return { kind: toOperationRow(written.item).epoch > epoch ? 'fenced' : 'stale' }
    },

    async tellPresence(ref, epoch, seen, now) {
      const { businessProfileId, connectionId } = ref
      const { contact, presence, lastSeenAt = null } = seen
      const expireAt = Math.floor(Date.parse(now) / 1000) + presenceKeptSeconds
      const set = { businessProfileId, connectionId, contact, presence, lastSeenAt, epoch, updatedAt: now, expireAt }
      const written = await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, presenceKey(ref, seen), {
              set,
              compute: { version: 'if_not_exists(#version, :zero) + :one' },
              condition: 'attribute_not_exists(#epoch) OR #epoch <= :epoch',
              values: { ':epoch': epoch, ':zero': 0, ':one': 1 },
            }),
          ),
        ),
      )
      return { kind: written.kind === 'landed' ? 'written' : 'fenced' }
    },
  }
}

/** The API's side. `accept` 2 WCU per KB, `get` 1 RCU per 4 KB, `expire` 2 WCU. */
export function apiOperations(store: StoreTable): ApiOperations {
  const { documents, table } = store
  return {
    get: (ref, operationId) => read(store, ref, operationId),
    listPending: (partition) => listPending(store, partition),

    async accept(row) {
      const put = await conditional(() =>
        documents.send(new PutCommand(putIf(table, toItem(row), 'attribute_not_exists(#key)'))),
      )
      if (put.kind === 'landed') return { kind: 'created', row }
      if (put.item === undefined)
        throw new Error(`operation ${row.operationId}: refused, but the stored row did not come back`)
      const existing = toOperationRow(put.item)
      return existing.requestHash === row.requestHash ? { kind: 'replayed', row: existing } : { kind: 'conflict' }
    },

    async expire(row, error, at) {
      const written = await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, operationKey(row, row.operationId), {
              set: { ...noLongerPending, status: 'failed', error, updatedAt: at, completedAt: at },
              compute: { version: '#version + :one' },
              condition: isPending,
              values: { ':pending': 'pending', ':one': 1 },
            }),
          ),
        ),
      )
      return { kind: written.kind === 'landed' ? 'written' : 'stale' }
    },
  }
}
