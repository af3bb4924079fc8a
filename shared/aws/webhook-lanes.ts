import { setTimeout as delay } from 'node:timers/promises'
import {
  BatchWriteCommand,
  type BatchWriteCommandInput,
  DeleteCommand,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { eventsDaysDefault } from '../domain/tenancy.ts'
import type { LaneRef, WebhookRef } from '../domain/webhooks.ts'
import type { EpochMs, IsoTime } from '../domain/words.ts'
import { attributeNames, putIf, update } from './expressions.ts'
import { partitionOf } from './ids.ts'
import { conditional, type Item, queryPage, type StoreTable, transaction } from './requests.ts'

/** An event that waits in a lane. */
export interface PendingEvent {
  /** Place in the lane. The same event has the same place, so that it waits there once. */
  readonly order: string
  readonly eventId: string
  readonly event: string
  /** When it happened. */
  readonly at: IsoTime
  /** What is posted, to the byte. */
  readonly body: string
  /** When it came into the lane. */
  readonly waitingSince: IsoTime
}

export interface Lane {
  /** Rises whenever events come in: who finds the lane empty closes it only if none came meanwhile. */
  readonly generation: number
  readonly open: boolean
  /** Failures in a row of its first event. */
  readonly attempts: number
  readonly nextAttemptAt?: IsoTime
}

/** An event that was given up. */
export interface DeadEvent extends PendingEvent {
  readonly lane: string
  readonly diedAt: IsoTime
  readonly attempts: number
  readonly error: string
}

/** How many parts the index of lanes that are due has, so that no part is hot. */
export const dueShards = 8
/** The sweep may ring for a lane whose doorbell was never confirmed after this, and for others after that: milliseconds. */
const unrungGraceMs = 15_000
const rungGraceMs = 150_000
const daySeconds = 86_400
const batchMax = 25

/** `keptDays`: how long events wait, for a paused endpoint too, and dead ones for a replay; a fortnight where it is not given. */
export interface WebhookLanes {
  /** Puts the events into the lane. `ring`: nobody has rung for it, do so and say `rung`. */
  enqueue(
    lane: LaneRef,
    events: readonly PendingEvent[],
    nowMs: EpochMs,
    keptDays?: number,
  ): Promise<{ readonly ring: boolean }>
  rung(lane: LaneRef, nowMs: EpochMs): Promise<void>
  get(lane: LaneRef): Promise<Lane | undefined>
  /** First in first; consistent. */
  next(lane: LaneRef, limit: number): Promise<readonly PendingEvent[]>
  done(lane: LaneRef, event: PendingEvent): Promise<void>
  /** The first event was delivered, or given up: the next one starts afresh. */
  clearAttempts(lane: LaneRef): Promise<void>
  /** A doorbell that waits until then is in the queue. */
  retry(lane: LaneRef, attempts: number, atMs: EpochMs): Promise<void>
  /** The doorbell is handed on to a later time; the sweep leaves the lane alone until then. */
  postpone(lane: LaneRef, atMs: EpochMs): Promise<void>
  /** False where events came since `generation` was read. */
  close(lane: LaneRef, generation: number): Promise<boolean>
  /** Open, but nobody rings: its endpoint is paused. */
  park(lane: LaneRef): Promise<void>
  /** Out of the lane and among the dead letters, in one. */
  bury(
    lane: LaneRef,
    event: PendingEvent,
    attempts: number,
    error: string,
    nowMs: EpochMs,
    keptDays?: number,
  ): Promise<void>
  /** Out of the dead letters and into the lane, at the place that it had. */
  revive(lane: LaneRef, event: DeadEvent, nowMs: EpochMs, keptDays?: number): Promise<void>
  /** Dead letters of a webhook by the time of the event, oldest first. */
  dead(
    ref: WebhookRef,
    range: { readonly from?: IsoTime; readonly to?: IsoTime },
    limit: number,
    after?: string,
  ): Promise<{ readonly items: readonly DeadEvent[]; readonly next?: string }>
  /** Lanes of a webhook that are open. */
  openLanes(ref: WebhookRef): Promise<readonly LaneRef[]>
  /** Lanes that somebody must ring for. */
  due(shard: number, now: IsoTime, limit: number): Promise<readonly LaneRef[]>
  /** One of `count` places at an endpoint, held until it is given back or `untilMs`. */
  takeSlot(ref: WebhookRef, count: number, nowMs: EpochMs, untilMs: EpochMs): Promise<Slot | undefined>
  giveBack(ref: WebhookRef, slot: Slot): Promise<void>
  /** Removes some of what is kept of a webhook that is gone; false: call again. */
  purge(ref: WebhookRef): Promise<boolean>
}

export interface Slot {
  readonly number: number
  readonly until: number
}

const of = ({ businessProfileId, webhookId }: WebhookRef) => `${businessProfileId}#${webhookId}`
const laneKey = (lane: LaneRef) => ({ pk: `lanes#${of(lane)}`, sk: lane.lane })
const pendingPk = (lane: LaneRef) => `lane#${of(lane)}#${lane.lane}`
const pendingKey = (lane: LaneRef, { order }: PendingEvent) => ({ pk: pendingPk(lane), sk: order })
const deadPk = (ref: WebhookRef) => `dead#${of(ref)}`
const deadKey = (ref: WebhookRef, { at, eventId }: PendingEvent) => ({ pk: deadPk(ref), sk: `${at}#${eventId}` })
export const logPk = (ref: WebhookRef) => `log#${of(ref)}`
const slotKey = (ref: WebhookRef, number: number) => ({ pk: `slots#${of(ref)}`, sk: String(number) })

const iso = (ms: EpochMs): IsoTime => new Date(ms).toISOString()
export const expiry = (nowMs: EpochMs, days: number): number => Math.floor(nowMs / 1000) + days * daySeconds

function bare<T>(item: Item): T {
  const { pk: _pk, sk: _sk, expireAt: _expireAt, ...row } = item
  return row as T
}

/** Slots that are tried before a caller is sent away. */
const slotTries = 3

/**
 * The way of events to webhooks. `enqueue` 1 WCU per KB of each event and 2 per lane; a delivered event costs 1 WCU more, a lane
 * that is emptied 4.
 */
export function webhookLanes({ documents, table }: StoreTable): WebhookLanes {
  async function change(
    lane: LaneRef,
    set: Readonly<Record<string, unknown>>,
    condition = 'attribute_exists(#pk)',
    values: Readonly<Record<string, unknown>> = {},
  ): Promise<boolean> {
    const changed = await conditional(() =>
      documents.send(new UpdateCommand(update(table, laneKey(lane), { set, condition, values }))),
    )
    return changed.kind === 'landed'
  }

  async function batch(requests: NonNullable<BatchWriteCommandInput['RequestItems']>[string]): Promise<void> {
    for (let at = 0; at < requests.length; at += batchMax) {
      let rest = requests.slice(at, at + batchMax)
      for (let tries = 0; rest.length > 0; tries++) {
        if (tries === 5) throw new Error(`${rest.length} items were not written: the table is throttled`)
        if (tries > 0) await delay(Math.random() * 50 * 2 ** tries)
        const { UnprocessedItems } = await documents.send(new BatchWriteCommand({ RequestItems: { [table]: rest } }))
        rest = UnprocessedItems?.[table] ?? []
      }
    }
  }

  async function open(lane: LaneRef, nowMs: EpochMs, keptDays: number): Promise<boolean> {
    const shard = partitionOf(`${of(lane)}#${lane.lane}`, dueShards)
    const { Attributes } = await documents.send(
      new UpdateCommand({
        TableName: table,
        Key: laneKey(lane),
        UpdateExpression:
          'SET #open = :true, #dueShard = :shard, #dueAt = if_not_exists(#dueAt, :dueAt), #expireAt = :expireAt ADD #generation :one',
        ExpressionAttributeNames: attributeNames('#open #dueShard #dueAt #expireAt #generation'),
        ExpressionAttributeValues: {
          ':true': true,
          ':shard': shard,
          ':dueAt': iso(nowMs + unrungGraceMs),
          ':expireAt': expiry(nowMs, keptDays + 1),
          ':one': 1,
        },
        ReturnValues: 'ALL_OLD',
      }),
    )
    return Attributes?.rung !== true
  }

  const pendingItem = (lane: LaneRef, event: PendingEvent, nowMs: EpochMs, keptDays: number) => ({
    ...pendingKey(lane, event),
    ...event,
    expireAt: expiry(nowMs, keptDays),
  })

  return {
    async enqueue(lane, events, nowMs, keptDays = eventsDaysDefault) {
      // Two of one place may not be in one request; the later one says the same.
      const byPlace = new Map(events.map((event) => [event.order, event]))
      const items = [...byPlace.values()].map((event) => pendingItem(lane, event, nowMs, keptDays))
      await batch(items.map((Item) => ({ PutRequest: { Item } })))
      return { ring: await open(lane, nowMs, keptDays) }
    },

    async rung(lane, nowMs) {
      await change(lane, { rung: true, dueAt: iso(nowMs + rungGraceMs) }, '#open = :true', { ':true': true })
    },

    async get(lane) {
      const { Item } = await documents.send(
        new GetCommand({ TableName: table, Key: laneKey(lane), ConsistentRead: true }),
      )
      if (Item === undefined) return undefined
      const { generation, open: isOpen, attempts, nextAttemptAt } = Item
      return { generation, open: isOpen === true, attempts: attempts ?? 0, ...(nextAttemptAt ? { nextAttemptAt } : {}) }
    },

    async next(lane, limit) {
      const { items } = await queryPage(
        documents,
        {
          TableName: table,
          ConsistentRead: true,
          KeyConditionExpression: '#pk = :pk',
          ExpressionAttributeNames: { '#pk': 'pk' },
          ExpressionAttributeValues: { ':pk': pendingPk(lane) },
        },
        limit,
      )
      return items.map((item) => bare<PendingEvent>(item))
    },

    async done(lane, event) {
      await documents.send(new DeleteCommand({ TableName: table, Key: pendingKey(lane, event) }))
    },

    async clearAttempts(lane) {
      await change(lane, { attempts: null, nextAttemptAt: null })
    },

    async retry(lane, attempts, atMs) {
      await change(lane, { attempts, nextAttemptAt: iso(atMs), dueAt: iso(atMs + rungGraceMs) })
    },

    async postpone(lane, atMs) {
      await change(lane, { dueAt: iso(atMs + rungGraceMs) })
    },

    close: (lane, generation) =>
      change(
        lane,
        { open: null, rung: null, attempts: null, nextAttemptAt: null, dueShard: null, dueAt: null },
        '#generation = :generation',
        { ':generation': generation },
      ),

    async park(lane) {
      await change(lane, { rung: null, dueShard: null, dueAt: null, attempts: null, nextAttemptAt: null })
    },

    async bury(lane, event, attempts, error, nowMs, keptDays = eventsDaysDefault) {
      const dead: DeadEvent = { ...event, lane: lane.lane, diedAt: iso(nowMs), attempts, error }
      await transaction(documents, [
        { Delete: { TableName: table, Key: pendingKey(lane, event) } },
        {
          Put: {
            TableName: table,
            Item: { ...deadKey(lane, event), ...dead, expireAt: expiry(nowMs, keptDays) },
          },
        },
      ])
    },

    async revive(lane, event, nowMs, keptDays = eventsDaysDefault) {
      const { lane: _lane, diedAt: _diedAt, attempts: _attempts, error: _error, ...pending } = event
      const again: PendingEvent = { ...pending, waitingSince: iso(nowMs) }
      // Whoever else revives it at the same moment has done what was asked.
      await transaction(documents, [
        {
          Delete: {
            TableName: table,
            Key: deadKey(lane, event),
            ConditionExpression: 'attribute_exists(#pk)',
            ExpressionAttributeNames: { '#pk': 'pk' },
          },
        },
        { Put: { TableName: table, Item: pendingItem(lane, again, nowMs, keptDays) } },
      ])
    },

    async dead(ref, { from = '', to }, limit, after) {
      // Times sort as texts; `~` is behind every id.
      const values = { ':pk': deadPk(ref), ':from': from === '' ? ' ' : from, ':to': `${to ?? ''}~` }
      const condition = '#pk = :pk AND #sk BETWEEN :from AND :to'
      const { items, more } = await queryPage(
        documents,
        {
          TableName: table,
          ConsistentRead: true,
          KeyConditionExpression: condition,
          ExpressionAttributeNames: attributeNames(condition),
          ExpressionAttributeValues: values,
          ...(after === undefined ? {} : { ExclusiveStartKey: { pk: deadPk(ref), sk: after } }),
        },
        limit,
      )
      const last = items.at(-1)
      return {
        items: items.map((item) => bare<DeadEvent>(item)),
        ...(more && last !== undefined ? { next: String(last.sk) } : {}),
      }
    },

    async openLanes(ref) {
      const lanes: LaneRef[] = []
      let start: Record<string, unknown> | undefined
      do {
        const page = await documents.send(
          new QueryCommand({
            TableName: table,
            ConsistentRead: true,
            KeyConditionExpression: '#pk = :pk',
            FilterExpression: '#open = :true',
            ExpressionAttributeNames: { '#pk': 'pk', '#open': 'open' },
            ExpressionAttributeValues: { ':pk': `lanes#${of(ref)}`, ':true': true },
            ExclusiveStartKey: start,
          }),
        )
        const { businessProfileId, webhookId } = ref
        for (const { sk } of page.Items ?? []) lanes.push({ businessProfileId, webhookId, lane: String(sk) })
        start = page.LastEvaluatedKey
      } while (start !== undefined)
      return lanes
    },

    async due(shard, now, limit) {
      const condition = '#dueShard = :shard AND #dueAt <= :now'
      const { Items } = await documents.send(
        new QueryCommand({
          TableName: table,
          IndexName: 'due',
          KeyConditionExpression: condition,
          ExpressionAttributeNames: attributeNames(condition),
          ExpressionAttributeValues: { ':shard': shard, ':now': now },
          Limit: limit,
        }),
      )
      return (Items ?? []).map(({ pk, sk }) => {
        const [, businessProfileId = '', webhookId = ''] = String(pk).split('#')
        return { businessProfileId, webhookId, lane: String(sk) }
      })
    },

    async takeSlot(ref, count, nowMs, untilMs) {
      const first = Math.floor(Math.random() * count)
      for (let tried = 0; tried < Math.min(slotTries, count); tried++) {
        const number = (first + tried) % count
        const item = { ...slotKey(ref, number), until: untilMs, expireAt: expiry(untilMs, 1) }
        const taken = await conditional(() =>
          documents.send(
            new PutCommand({
              ...putIf(table, item, 'attribute_not_exists(#pk) OR #until < :now'),
              ExpressionAttributeValues: { ':now': nowMs },
            }),
          ),
        )
        if (taken.kind === 'landed') return { number, until: untilMs }
      }
      return undefined
    },

    async giveBack(ref, { number, until }) {
      await conditional(() =>
        documents.send(
          new DeleteCommand({
            TableName: table,
            Key: slotKey(ref, number),
            // Held by somebody else meanwhile: theirs.
            ConditionExpression: '#until = :until',
            ExpressionAttributeNames: { '#until': 'until' },
            ExpressionAttributeValues: { ':until': until },
          }),
        ),
      )
    },

    async purge(ref) {
      const lanes = await queryPage(documents, keysOf(`lanes#${of(ref)}`), batchMax)
      for (const { sk } of lanes.items) {
        const pending = await queryPage(documents, keysOf(pendingPk({ ...ref, lane: String(sk) })), 500)
        await remove(pending.items)
        if (pending.more) return false
      }
      await remove(lanes.items)
      if (lanes.more) return false
      for (const pk of [deadPk(ref), logPk(ref), `slots#${of(ref)}`]) {
        const { items, more } = await queryPage(documents, keysOf(pk), 500)
        await remove(items)
        if (more) return false
      }
      return true
    },
  }

  function keysOf(pk: string) {
    return {
      TableName: table,
      ConsistentRead: true,
      KeyConditionExpression: '#pk = :pk',
      ProjectionExpression: '#pk, #sk',
      ExpressionAttributeNames: { '#pk': 'pk', '#sk': 'sk' },
      ExpressionAttributeValues: { ':pk': pk },
    }
  }

  async function remove(items: readonly Item[]): Promise<void> {
    await batch(items.map(({ pk, sk }) => ({ DeleteRequest: { Key: { pk, sk } } })))
  }
}
