import { GetCommand, QueryCommand, type QueryCommandInput, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { OutboundRow } from '../domain/stores/messages.ts'
import type { ConnectionRef, PartitionId } from '../domain/words.ts'
import { attributeNames, type Change, update } from './expressions.ts'
import { asOutbound, counterKey, itemKey, toRow, waitingOrderPrefix } from './message-items.ts'
import { conditional, type Item, queryAll, type StoreTable, transaction } from './requests.ts'

/**
 * Waiting sends: the sparse index that a partition's owner and the sweep read, and the connection's counter, which gives out
 * `seq` and holds the limit.
 */

/** Attributes that a send loses when it stops waiting. */
export const noLongerWaiting = { waitingPartition: null, waitingOrder: null, note: null, heldAt: null } as const

/** Per connection in order of acceptance. Eventually consistent. 0.5 RCU per 4 KB. */
export async function listWaiting({ documents, table }: StoreTable, partition: PartitionId): Promise<OutboundRow[]> {
  const condition = '#waitingPartition = :partition'
  const items = await queryAll(documents, {
    TableName: table,
    IndexName: 'waiting',
    KeyConditionExpression: condition,
    ExpressionAttributeNames: attributeNames(condition),
    ExpressionAttributeValues: { ':partition': partition },
  })
  return items.map((item) => asOutbound(toRow(item)))
}

/**
 * Changes a send and takes it off the count in one transaction, so that it leaves the count exactly once whatever is tried
 * again. The caller's condition must demand `waitingPartition`. 6 WCU: 2 for the row, 1 for each of its
 * indexes, 2 for the counter.
 */
export async function endWaiting(
  { documents, table }: StoreTable,
  ref: ConnectionRef,
  key: string,
  change: Change,
): Promise<{ readonly kind: 'landed' } | { readonly kind: 'refused'; readonly item?: Item }> {
  const {
    ReturnValuesOnConditionCheckFailure: _none,
    ConditionExpression: _always,
    ...counter
  } = update(table, counterKey(ref), {
    compute: { waiting: 'if_not_exists(#waiting, :one) - :one' },
    condition: '',
    values: { ':one': 1 },
  })
  const ended = await transaction(documents, [
    { Update: update(table, itemKey(ref, key), change) },
    { Update: counter },
  ])
  if (ended.kind === 'landed') return ended
  const item = ended.refusals[0]?.item
  return item === undefined ? { kind: 'refused' } : { kind: 'refused', item }
}

/**
 * Gives out the connection's next `seq` and, where the send is to wait, a place below the limit. 1 WCU. An answer that was
 * lost and asked for again leaves a gap in `seq` and a place taken; {@link WaitingCounts.recount} frees it.
 *
 * @param expireAt the row's own, so that the counter outlives the last row that it counted.
 */
export async function takePlace(
  { documents, table }: StoreTable,
  ref: ConnectionRef,
  place: { readonly waits: boolean; readonly waitingMax: number; readonly expireAt: number },
): Promise<{ readonly kind: 'taken'; readonly seq: number } | { readonly kind: 'full' }> {
  const one = place.waits ? 1 : 0
  const taken = await conditional(() =>
    documents.send(
      new UpdateCommand({
        ...update(table, counterKey(ref), {
          set: { expireAt: place.expireAt },
          compute: { seq: 'if_not_exists(#seq, :zero) + :one', waiting: 'if_not_exists(#waiting, :zero) + :place' },
          condition: 'attribute_not_exists(#waiting) OR #waiting < :max',
          values: {
            ':zero': 0,
            ':one': 1,
            ':place': one,
            ':max': place.waits ? place.waitingMax : Number.MAX_SAFE_INTEGER,
          },
        }),
        ReturnValues: 'UPDATED_NEW',
      }),
    ),
  )
  if (taken.kind === 'refused') return { kind: 'full' }
  return { kind: 'taken', seq: Number(taken.output.Attributes?.seq) }
}

/** The place was taken for a send that another had already brought. 1 WCU. */
export async function giveBackPlace({ documents, table }: StoreTable, ref: ConnectionRef): Promise<void> {
  await conditional(() =>
    documents.send(
      new UpdateCommand(
        update(table, counterKey(ref), {
          compute: { waiting: '#waiting - :one' },
          condition: '#waiting > :zero',
          values: { ':zero': 0, ':one': 1 },
        }),
      ),
    ),
  )
}

/** The count of waiting sends may be wrong after a crash or a lost answer; the owner or the sweep sets it right. */
export interface WaitingCounts {
  /**
   * Sets the connection's count to the number of sends in the waiting index. `moved`: sends came or went meanwhile, nothing
   * was written. A send between its place and its row at that moment is not seen, so the limit may let a few more in; the
   * next recount sees them. 1 RCU for the counter, 0.5 RCU per 4 KB of waiting rows, 1 WCU where the count was wrong.
   */
  recount(
    ref: ConnectionRef,
    partition: PartitionId,
  ): Promise<{ readonly kind: 'counted'; readonly waiting: number } | { readonly kind: 'moved' }>
}

export function waitingCounts({ documents, table }: StoreTable): WaitingCounts {
  async function countInIndex(ref: ConnectionRef, partition: PartitionId): Promise<number> {
    const condition = '#waitingPartition = :partition AND begins_with(#waitingOrder, :prefix)'
    let count = 0
    let start: QueryCommandInput['ExclusiveStartKey']
    do {
      const page = await documents.send(
        new QueryCommand({
          TableName: table,
          IndexName: 'waiting',
          Select: 'COUNT',
          KeyConditionExpression: condition,
          ExpressionAttributeNames: attributeNames(condition),
          ExpressionAttributeValues: { ':partition': partition, ':prefix': waitingOrderPrefix(ref) },
          ExclusiveStartKey: start,
        }),
      )
      count += page.Count ?? 0
      start = page.LastEvaluatedKey
    } while (start !== undefined)
    return count
  }

  return {
    async recount(ref, partition) {
      const { Item: counter } = await documents.send(
        new GetCommand({ TableName: table, Key: counterKey(ref), ConsistentRead: true }),
      )
      // No counter: the connection never accepted a send.
      if (counter === undefined) return { kind: 'counted', waiting: 0 }
      const waiting = await countInIndex(ref, partition)
      if (waiting === counter.waiting) return { kind: 'counted', waiting }
      const set = await conditional(() =>
        documents.send(
          new UpdateCommand(
            update(table, counterKey(ref), {
              set: { waiting },
              condition: '#seq = :seq AND #waiting = :seen',
              values: { ':seq': counter.seq, ':seen': counter.waiting },
            }),
          ),
        ),
      )
      return set.kind === 'landed' ? { kind: 'counted', waiting } : { kind: 'moved' }
    },
  }
}
