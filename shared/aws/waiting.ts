import { GetCommand, QueryCommand, type QueryCommandInput, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { type OutboundRow, previousKept } from '../domain/stores/messages.ts'
import type { ConnectionRef, PartitionId } from '../domain/words.ts'
import { attributeNames, type Change, update } from './expressions.ts'
import { asOutbound, counterKey, itemKey, toRow, waitingOrder, waitingOrderPrefix } from './message-items.ts'
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

/** Of one connection, between two numbers. Eventually consistent. 0.5 RCU per 4 KB. */
export async function listWaitingOf(
  { documents, table }: StoreTable,
  ref: ConnectionRef,
  partition: PartitionId,
  { after, before }: { readonly after: number; readonly before: number },
): Promise<OutboundRow[]> {
  if (before - after < 2) return []
  const condition = '#waitingPartition = :partition AND #waitingOrder BETWEEN :first AND :last'
  const items = await queryAll(documents, {
    TableName: table,
    IndexName: 'waiting',
    KeyConditionExpression: condition,
    ExpressionAttributeNames: attributeNames(condition),
    ExpressionAttributeValues: {
      ':partition': partition,
      ':first': waitingOrder(ref, after + 1),
      ':last': waitingOrder(ref, before - 1),
    },
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

/** The counter remembers who took the latest places: `last1` the latest one, and so on. */
const lastPlaces = Array.from({ length: previousKept + 1 }, (_, i) => `last${i + 1}`)
const nobody = ''
const shiftPlaces: Readonly<Record<string, string>> = Object.fromEntries(
  lastPlaces.map((name, i) => [name, i === 0 ? ':whatsappId' : `if_not_exists(#${lastPlaces[i - 1]}, :nobody)`]),
)

/**
 * Gives out the connection's next `seq`, says who took the places before it and, where the send is to wait, takes a place below
 * the limit. 1 WCU. An answer that was lost and asked for again leaves a gap in `seq` and a place taken;
 * {@link WaitingCounts.recount} frees it.
 *
 * @param expireAt the row's own, so that the counter outlives the last row that it counted.
 */
export async function takePlace(
  { documents, table }: StoreTable,
  ref: ConnectionRef,
  place: {
    readonly whatsappId: string
    readonly waits: boolean
    readonly waitingMax: number
    readonly expireAt: number
  },
): Promise<
  { readonly kind: 'taken'; readonly seq: number; readonly previous: readonly string[] } | { readonly kind: 'full' }
> {
  const one = place.waits ? 1 : 0
  const taken = await conditional(() =>
    documents.send(
      new UpdateCommand({
        ...update(table, counterKey(ref), {
          set: { expireAt: place.expireAt },
          compute: {
            seq: 'if_not_exists(#seq, :zero) + :one',
            waiting: 'if_not_exists(#waiting, :zero) + :place',
            ...shiftPlaces,
          },
          condition: 'attribute_not_exists(#waiting) OR #waiting < :max',
          values: {
            ':whatsappId': place.whatsappId,
            ':nobody': nobody,
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
  const counter = taken.output.Attributes ?? {}
  const before = lastPlaces.slice(1).map((name) => String(counter[name] ?? nobody))
  const first = before.indexOf(nobody)
  return { kind: 'taken', seq: Number(counter.seq), previous: first < 0 ? before : before.slice(0, first) }
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
