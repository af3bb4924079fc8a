import { PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { AcceptOutcome, ApiMessages, OutboundRow } from '../domain/stores/messages.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { attributeNames, putIf, update } from './expressions.ts'
import { connectionKey, messageKey, outboundKey } from './ids.ts'
import { asOutbound, itemKey, readMessage, toItem, toRow } from './message-items.ts'
import { conditional, queryPage, type StoreTable } from './requests.ts'
import {
  endWaiting,
  giveBackPlace,
  listWaiting,
  noLongerWaiting,
  takePlace,
  type WaitingCounts,
  waitingCounts,
} from './waiting.ts'

export { workerMessages } from './worker-messages.ts'

export interface MessageLimits {
  /** Waiting sends per connection; 5,000 where absent. */
  readonly waitingMax?: number
}

/** Whether another's row under the same id is the same send. */
function answer(existing: OutboundRow, bodyHash: string) {
  return existing.bodyHash === bodyHash
    ? ({ kind: 'replayed', row: existing } as const)
    : ({ kind: 'conflict' } as const)
}

/**
 * The API's side. `accept`: 1 RCU where it has an idempotency key, 1 WCU for the counter, 3 WCU for the row and its indexes.
 * `markEnqueued` 3 WCU, `get` 1 RCU, `list` 0.5 RCU per 4 KB, `expire` 6 WCU.
 */
export function apiMessages(store: StoreTable, limits: MessageLimits = {}): ApiMessages & WaitingCounts {
  const { documents, table } = store
  const waitingMax = limits.waitingMax ?? 5_000

  async function replayOf(row: Omit<OutboundRow, 'seq'>): Promise<AcceptOutcome | undefined> {
    if (row.idempotencyKey === undefined) return undefined
    const existing = await readMessage(store, row, row.key)
    return existing === undefined ? undefined : answer(asOutbound(existing), row.bodyHash)
  }

  return {
    ...waitingCounts(store),
    listWaiting: (partition) => listWaiting(store, partition),
    get: (ref, messageId) => readMessage(store, ref, messageKey(messageId)),

    async accept(row) {
      // Read before a place is taken: a replay must be answered even where the connection is at its limit.
      const before = await replayOf(row)
      if (before !== undefined) return before
      const waits = row.waitingPartition !== undefined
      const place = await takePlace(store, row, { waits, waitingMax, expireAt: row.expireAt })
      if (place.kind === 'full') {
        // The last place may have gone to this very send, brought twice at the same time.
        return (await replayOf(row)) ?? { kind: 'too_many_waiting', limit: waitingMax }
      }
      const accepted: OutboundRow = { ...row, seq: place.seq }
      const put = await conditional(() =>
        documents.send(new PutCommand(putIf(table, toItem(accepted), 'attribute_not_exists(#key)'))),
      )
      if (put.kind === 'landed') return { kind: 'created', row: accepted }
      if (put.item === undefined)
        throw new Error(`message ${row.messageId}: refused, but the stored row did not come back`)
      const existing = asOutbound(toRow(put.item))
      // Ours, from an attempt whose answer was lost: nobody else was given this number.
      if (existing.seq === accepted.seq) return { kind: 'created', row: existing }
      if (waits) await giveBackPlace(store, row)
      return answer(existing, row.bodyHash)
    },

    async markEnqueued(ref, whatsappId, generation, at) {
      await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, itemKey(ref, outboundKey(whatsappId)), {
              set: { enqueuedAt: at, generation, updatedAt: at },
              compute: { version: '#version + :one' },
              condition: 'attribute_exists(#waitingPartition) AND #generation <= :generation',
              values: { ':generation': generation, ':one': 1 },
            }),
          ),
        ),
      )
    },

    async list(ref, limit, next) {
      const start = next === undefined ? undefined : decodeCursor(next, ['createdOrder', 'key'])
      const condition = '#connectionKey = :connectionKey'
      const { items, more } = await queryPage(
        documents,
        {
          TableName: table,
          IndexName: 'history',
          ScanIndexForward: false,
          KeyConditionExpression: condition,
          ExpressionAttributeNames: attributeNames(condition),
          ExpressionAttributeValues: { ':connectionKey': connectionKey(ref) },
          // The connection comes from the caller's path, never from the cursor.
          ...(start === undefined ? {} : { ExclusiveStartKey: { ...start, connectionKey: connectionKey(ref) } }),
        },
        limit,
      )
      const last = items.at(-1)
      const rows = items.map(toRow)
      return more && last !== undefined
        ? { items: rows, next: encodeCursor({ createdOrder: String(last.createdOrder), key: String(last.key) }) }
        : { items: rows }
    },

    async expire(row, error, at) {
      const ended = await endWaiting(store, row, row.key, {
        set: { ...noLongerWaiting, status: 'failed', error, failedAt: at, updatedAt: at },
        compute: { version: '#version + :one' },
        condition: 'attribute_exists(#waitingPartition) AND #status = :queued',
        values: { ':queued': 'queued', ':one': 1 },
      })
      return { kind: ended.kind === 'landed' ? 'written' : 'stale' }
    },
  }
}
