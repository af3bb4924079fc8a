import { PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { AcceptOutcome, ApiMessages, OutboundRow } from '../domain/stores/messages.ts'
import type { SendError } from '../domain/words.ts'
import { putIf, update } from './expressions.ts'
import { isInboundMessageId, messageKey, outboundKey } from './ids.ts'
import { listMessages } from './message-history.ts'
import { asOutbound, itemKey, readMessage, toItem, toRow } from './message-items.ts'
import { readReceipts } from './receipts.ts'
import { conditional, type StoreTable } from './requests.ts'
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

const cancelled: SendError = { code: 'cancelled', message: 'The message was cancelled before it was sent.' }

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
 * The API's side. `accept`: 1 RCU where it has an idempotency key, 1 WCU for the counter, 4 WCU for the row and its indexes.
 * `markEnqueued` 3 WCU, `get` 1 RCU, `list` 0.5 RCU per 4 KB (by chat 1 RCU per message besides), `expire` and `cancel` 6 WCU.
 */
export function apiMessages(store: StoreTable, limits: MessageLimits = {}): ApiMessages & WaitingCounts {
  const { documents, table } = store
  const waitingMax = limits.waitingMax ?? 5_000

  async function replayOf(row: Omit<OutboundRow, 'seq' | 'previous'>): Promise<AcceptOutcome | undefined> {
    if (row.idempotencyKey === undefined) return undefined
    const existing = await readMessage(store, row, row.key)
    return existing === undefined ? undefined : answer(asOutbound(existing), row.bodyHash)
  }

  return {
    ...waitingCounts(store),
    listWaiting: (partition) => listWaiting(store, partition),
    get: (ref, messageId) => readMessage(store, ref, messageKey(messageId)),
    receipts: (ref, whatsappId) => readReceipts(store, ref, whatsappId),

    async accept(row) {
      // Read before a place is taken: a replay must be answered even where the connection is at its limit.
      const before = await replayOf(row)
      if (before !== undefined) return before
      const waits = row.waitingPartition !== undefined
      const { whatsappId, expireAt } = row
      const place = await takePlace(store, row, { whatsappId, waits, waitingMax, expireAt })
      if (place.kind === 'full') {
        // The last place may have gone to this very send, brought twice at the same time.
        return (await replayOf(row)) ?? { kind: 'too_many_waiting', limit: waitingMax }
      }
      const { seq, previous } = place
      const accepted: OutboundRow = { ...row, seq, ...(previous.length === 0 ? {} : { previous }) }
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

    list: (ref, limit, next, filter = {}) => listMessages(store, ref, limit, next, filter),

    async cancel(ref, messageId, at) {
      const key = messageKey(messageId)
      if (isInboundMessageId(messageId)) return { kind: 'not_found' }
      const ended = await endWaiting(store, ref, key, {
        set: { ...noLongerWaiting, status: 'failed', error: cancelled, failedAt: at, updatedAt: at },
        compute: { version: '#version + :one' },
        condition: 'attribute_exists(#waitingPartition) AND attribute_exists(#heldAt)',
        values: { ':one': 1 },
      })
      const stored = await readMessage(store, ref, key)
      if (stored === undefined) return { kind: 'not_found' }
      const row = asOutbound(stored)
      // A lost answer of our own, or a caller who asks twice.
      const done = ended.kind === 'landed' || row.error?.code === 'cancelled'
      return { kind: done ? 'cancelled' : 'not_cancellable', row }
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
