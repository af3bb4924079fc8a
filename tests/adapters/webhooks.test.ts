import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { StoreTable } from '../../shared/aws/requests.ts'
import { dueShards, type PendingEvent, type WebhookLanes, webhookLanes } from '../../shared/aws/webhook-lanes.ts'
import { webhookLog } from '../../shared/aws/webhook-log.ts'
import { type Webhooks, webhookStore } from '../../shared/aws/webhooks.ts'
import type { Webhook } from '../../shared/domain/webhooks.ts'
import type { DynamoLocal } from './emulators.ts'
import { sharedDynamo } from './shared-dynamo.ts'

let dynamo: DynamoLocal
let table: StoreTable
let lanes: WebhookLanes
let webhooks: Webhooks
beforeAll(async () => {
  dynamo = sharedDynamo()
})
afterAll(() => dynamo?.stop())
beforeEach(async () => {
  table = await dynamo.fresh('webhooks')
  lanes = webhookLanes(table)
  webhooks = webhookStore(table)
})

const ref = { businessProfileId: 'bp_1', webhookId: 'whk_1' }
const lane = { ...ref, lane: 'con_1' }
const nowMs = Date.UTC(2026, 0, 31, 12)
const at = (seconds: number) => new Date(nowMs + seconds * 1000).toISOString()
const event = (n: number): PendingEvent => ({
  order: String(n).padStart(5, '0'),
  eventId: `evt_${n}`,
  event: 'message-received',
  at: at(n),
  body: `{"n":${n}}`,
  waitingSince: at(0),
})
const row: Webhook = {
  ...ref,
  url: 'https://shop.example/',
  headerNames: [],
  sealed: 'x',
  state: 'active',
  version: 1,
  createdAt: at(0),
  updatedAt: at(0),
}

describe('lanes', () => {
  test('give events in their order, each once, however often and in whatever order they come in', async () => {
    expect(await lanes.enqueue(lane, [event(3), event(1)], nowMs)).toEqual({ ring: true })
    await lanes.rung(lane, nowMs)
    expect(await lanes.enqueue(lane, [event(1), event(2), event(2)], nowMs)).toEqual({ ring: false })
    expect(await lanes.next(lane, 10)).toEqual([event(1), event(2), event(3)])
    expect(await lanes.next({ ...lane, lane: 'con_2' }, 10)).toEqual([])
    await lanes.done(lane, event(1))
    expect(await lanes.next(lane, 1)).toEqual([event(2)])
  })

  test('close only where nothing came in since they were read', async () => {
    await lanes.enqueue(lane, [event(1)], nowMs)
    const seen = await lanes.get(lane)
    await lanes.enqueue(lane, [event(2)], nowMs)
    expect(await lanes.close(lane, seen?.generation ?? 0)).toBe(false)
    expect(await lanes.close(lane, (seen?.generation ?? 0) + 1)).toBe(true)
    expect(await lanes.get(lane)).toMatchObject({ open: false })
    expect(await lanes.enqueue(lane, [event(3)], nowMs)).toEqual({ ring: true })
  })

  test('are due when nobody rang for them, or when their time has passed, and not while they are parked', async () => {
    const due = async (seconds: number) =>
      (await Promise.all(Array.from({ length: dueShards }, (_, n) => lanes.due(n, at(seconds), 10)))).flat()
    await lanes.enqueue(lane, [event(1)], nowMs)
    expect(await due(14)).toEqual([])
    expect(await due(16)).toEqual([lane])
    await lanes.rung(lane, nowMs)
    expect(await due(16)).toEqual([])
    await lanes.retry(lane, 3, nowMs + 600_000)
    expect(await lanes.get(lane)).toMatchObject({ attempts: 3, nextAttemptAt: at(600) })
    expect(await due(600)).toEqual([])
    expect(await due(751)).toEqual([lane])
    await lanes.park(lane)
    expect(await due(10_000)).toEqual([])
    expect(await lanes.openLanes(ref)).toEqual([lane])
  })

  test('bury what is given up and revive it at its place, by time range', async () => {
    await lanes.enqueue(lane, [event(1), event(2), event(3)], nowMs)
    for (const n of [1, 2]) await lanes.bury(lane, event(n), 7, 'The endpoint answered 500.', nowMs)
    expect(await lanes.next(lane, 10)).toEqual([event(3)])
    const { items } = await lanes.dead(ref, { from: at(2), to: at(2) }, 10)
    expect(items).toMatchObject([{ eventId: 'evt_2', lane: 'con_1', attempts: 7, error: 'The endpoint answered 500.' }])
    const first = await lanes.dead(ref, {}, 1)
    expect(first.items).toMatchObject([{ eventId: 'evt_1' }])
    expect((await lanes.dead(ref, {}, 1, first.next)).items).toMatchObject([{ eventId: 'evt_2' }])
    await lanes.revive(lane, items[0] as (typeof items)[number], nowMs + 1_000)
    expect(await lanes.next(lane, 10)).toEqual([{ ...event(2), waitingSince: at(1) }, event(3)])
    expect((await lanes.dead(ref, {}, 10)).items).toHaveLength(1)
  })

  test('give so many places at an endpoint, and those of the dead again', async () => {
    const first = await lanes.takeSlot(ref, 2, nowMs, nowMs + 60_000)
    const second = await lanes.takeSlot(ref, 2, nowMs, nowMs + 60_000)
    expect(new Set([first?.number, second?.number])).toEqual(new Set([0, 1]))
    expect(await lanes.takeSlot(ref, 2, nowMs, nowMs + 60_000)).toBeUndefined()
    expect(await lanes.takeSlot({ ...ref, webhookId: 'whk_2' }, 2, nowMs, nowMs + 60_000)).toBeDefined()
    if (first !== undefined) await lanes.giveBack(ref, first)
    expect(await lanes.takeSlot(ref, 2, nowMs, nowMs + 60_000)).toMatchObject({ number: first?.number })
    expect(await lanes.takeSlot(ref, 2, nowMs + 60_001, nowMs + 120_000)).toBeDefined()
  })

  test('go with their webhook', async () => {
    const ids = Array.from({ length: 60 }, (_, n) => event(n))
    await lanes.enqueue(lane, ids, nowMs)
    await lanes.bury(lane, event(1), 1, 'x', nowMs)
    await webhookLog(table).add(ref, {
      deliveryId: 'dlv_1',
      at: at(0),
      eventId: 'evt_1',
      event: 'x',
      connectionId: null,
      attempt: 1,
      delivered: true,
      durationMs: 1,
    })
    while (!(await lanes.purge(ref)));
    expect(await lanes.next(lane, 10)).toEqual([])
    expect((await lanes.dead(ref, {}, 10)).items).toEqual([])
    expect((await webhookLog(table).list(ref, 10)).items).toEqual([])
  })
})

describe('webhooks', () => {
  test('belong to their business profile, and a change names the version that it is meant for', async () => {
    expect(await webhooks.create(row)).toEqual({ kind: 'created' })
    expect(await webhooks.create(row)).toEqual({ kind: 'exists' })
    expect(await webhooks.get({ ...ref, businessProfileId: 'bp_2' })).toBeUndefined()
    expect(await webhooks.list('bp_2')).toEqual([])
    const changed = await webhooks.change(ref, { label: 'Shop', events: ['poll-vote'] }, at(1), 1)
    expect(changed).toMatchObject({ kind: 'written', webhook: { version: 2, label: 'Shop', events: ['poll-vote'] } })
    expect(await webhooks.change(ref, { label: 'Late' }, at(2), 1)).toEqual({ kind: 'changed' })
    expect(await webhooks.change({ ...ref, businessProfileId: 'bp_2' }, { label: 'x' }, at(2))).toEqual({
      kind: 'not_found',
    })
    await webhooks.change(ref, { events: null }, at(3))
    expect(await webhooks.list('bp_1')).toEqual([{ ...row, label: 'Shop', version: 3, updatedAt: at(3) }])
    expect(await webhooks.remove({ ...ref, businessProfileId: 'bp_2' })).toEqual({ kind: 'not_found' })
    expect(await webhooks.remove(ref)).toEqual({ kind: 'removed' })
  })

  test('count failures by rounds: attempts that began before a round was noted are part of it', async () => {
    await webhooks.create(row)
    await webhooks.noteFailure(ref, 1, 'first', at(0), at(5))
    await webhooks.noteFailure(ref, 1, 'at the same time', at(1), at(6))
    expect(await webhooks.get(ref)).toMatchObject({
      failures: 1,
      lastError: 'first',
      failingSince: at(0),
      retryAt: at(5),
    })
    await webhooks.noteFailure(ref, 2, 'second', at(6), at(16))
    expect(await webhooks.get(ref)).toMatchObject({ failures: 2, failingSince: at(0), retryAt: at(16), version: 1 })
    await webhooks.noteSuccess(ref)
    expect(await webhooks.get(ref)).toEqual(row)
    await webhooks.noteFailure({ ...ref, webhookId: 'whk_gone' }, 1, 'x', at(0), at(5))
    expect(await webhooks.get({ ...ref, webhookId: 'whk_gone' })).toBeUndefined()
  })
})
