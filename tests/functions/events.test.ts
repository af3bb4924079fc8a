import type { SQSEvent } from 'aws-lambda'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { outwardEventSchema } from '../../shared/api/events.ts'
import { apiOperations, workerOperations } from '../../shared/aws/operations.ts'
import { webhookLanes } from '../../shared/aws/webhook-lanes.ts'
import { webhookStore } from '../../shared/aws/webhooks.ts'
import { operation } from '../contracts/operations.ts'
import { type Image, image, lambdaContext, streamRecord } from './cloud.ts'
import {
  businessProfileId,
  change,
  cloud,
  connection,
  connectionImage,
  inMs,
  opening,
  run,
  useLiveScene,
} from './live-scene.ts'
import { send, step } from './message-rows.ts'

useLiveScene()

let handlers: Awaited<ReturnType<typeof load>>
async function load() {
  return {
    connections: (await import('../../functions/streams/events-connections.ts')).handler,
    messages: (await import('../../functions/streams/events-messages.ts')).handler,
    retry: (await import('../../functions/queues/events-retry.ts')).handler,
  }
}
beforeAll(async () => {
  handlers = await load()
})
beforeEach(() => {
  Object.assign(cloud.services.bus, { mood: 'well', refuses: new Set(), entries: [] })
})

const onBus = () => cloud.services.bus.entries.map(({ Detail }) => outwardEventSchema.parse(JSON.parse(Detail)))
async function aside() {
  const messages = await cloud.drain(cloud.urls.eventsRetry)
  return messages.map(({ Body, MessageId }) => ({ body: Body ?? '', messageId: MessageId ?? '' }))
}
async function webhook(webhookId: string, more: object = {}) {
  const row = { businessProfileId, webhookId, url: 'https://shop.example/', headerNames: [], sealed: 'x', ...more }
  await webhookStore(cloud.tables.webhooks).create({
    ...row,
    state: 'active',
    version: 1,
    createdAt: inMs(0),
    updatedAt: inMs(0),
  })
  return { businessProfileId, webhookId }
}

describe('events on their way out', () => {
  test('go on the bus under their names, and into the lanes of webhooks that want them', async () => {
    const all = await webhook('whk_all')
    const some = await webhook('whk_some', { events: ['whatsapp-connected'] })
    const row = await connection()
    const created = streamRecord({ after: await connectionImage(row) })
    await run(handlers.connections, created, await change(row, opening))
    expect(onBus().map(({ event }) => event)).toEqual(['connection-created', 'whatsapp-connected'])
    expect(cloud.services.bus.entries[0]).toMatchObject({
      EventBusName: 'holdfast-test',
      Source: 'holdfast',
      DetailType: 'connection-created',
    })
    const lanes = webhookLanes(cloud.tables.webhooks)
    const waiting = async (ref: typeof all) =>
      (await lanes.next({ ...ref, lane: row.connectionId }, 10)).map(({ eventId, event }) => ({ eventId, event }))
    expect(await waiting(all)).toEqual(onBus().map(({ id, event }) => ({ eventId: id, event })))
    expect((await waiting(some)).map(({ event }) => event)).toEqual(['whatsapp-connected'])
    const rung = (await cloud.drain(cloud.urls.webhooks)).map(({ Body }) => JSON.parse(Body ?? ''))
    expect(rung.map(({ webhookId }) => webhookId).sort()).toEqual(['whk_all', 'whk_some'])
    expect(JSON.stringify(rung)).not.toContain('data')
  })

  test('steps of a send that were stored in one write go out one by one, in their order', async () => {
    const ref = await webhook('whk_steps')
    const row = await send(await connection())
    const record = await step(row, 'sent', 'delivered', 'read')
    await run(handlers.messages, record, await step(row, 'played'))
    await run(handlers.messages, record)
    const told = onBus().map(({ data, version }) => [(data as { status?: string }).status, version])
    const [sent, delivered, read] = [
      ['sent', 2],
      ['delivered', 3],
      ['read', 4],
    ]
    expect(told).toEqual([sent, delivered, read, ['played', 5], sent, delivered, read])
    const waiting = await webhookLanes(cloud.tables.webhooks).next({ ...ref, lane: row.connectionId }, 10)
    expect(waiting.map(({ body }) => JSON.parse(body).data.status)).toEqual(['sent', 'delivered', 'read', 'played'])
    expect(waiting.map(({ eventId }) => eventId)).toEqual(
      onBus()
        .slice(0, 4)
        .map(({ id }) => id),
    )
    expect(await cloud.drain(cloud.urls.webhooks)).not.toEqual([])
  })

  test('a record that comes again makes the same events, and rings no second time', async () => {
    const ref = await webhook('whk_again')
    const row = await connection()
    const record = streamRecord({ after: await connectionImage(row) })
    await run(handlers.connections, record)
    await run(handlers.connections, record)
    const [first, second] = onBus()
    expect(second).toEqual(first)
    const lanes = webhookLanes(cloud.tables.webhooks)
    expect(await lanes.next({ ...ref, lane: row.connectionId }, 10)).toHaveLength(1)
    expect(await cloud.drain(cloud.urls.webhooks)).toHaveLength(1)
  })

  test('a QR code does not leave, only that there is one', async () => {
    const row = await connection()
    await run(handlers.connections, await change(row, { qr: { text: '2@secret', expiresAt: inMs(20_000) } }))
    expect(onBus()).toMatchObject([{ event: 'whatsapp-qr', data: { qr: { expiresAt: expect.any(String) } } }])
    expect(JSON.stringify(cloud.services.bus.entries)).not.toContain('2@secret')
  })

  test('what the bus refuses, entry by entry, is put again later; the rest is not repeated', async () => {
    const row = await connection()
    cloud.services.bus.refuses.add('whatsapp-connected')
    const created = streamRecord({ after: await connectionImage(row) })
    expect(await run(handlers.connections, created, await change(row, opening))).toEqual([])
    expect(onBus().map(({ event }) => event)).toEqual(['connection-created'])
    const [left] = await aside()
    expect(JSON.parse(left?.body ?? '')).toMatchObject({ kind: 'bus', events: [{ event: 'whatsapp-connected' }] })
    const again = { Records: [left] } as SQSEvent
    expect((await handlers.retry(again, lambdaContext)).batchItemFailures).toHaveLength(1)
    cloud.services.bus.refuses.clear()
    expect((await handlers.retry(again, lambdaContext)).batchItemFailures).toEqual([])
    expect(onBus().map(({ event }) => event)).toEqual(['connection-created', 'whatsapp-connected'])
  })

  test('a bus that is down delays no webhook', async () => {
    const ref = await webhook('whk_down')
    cloud.services.bus.mood = 'down'
    const row = await connection()
    expect(await run(handlers.connections, streamRecord({ after: await connectionImage(row) }))).toEqual([])
    expect(await aside()).toHaveLength(1)
    expect(await webhookLanes(cloud.tables.webhooks).next({ ...ref, lane: row.connectionId }, 10)).toHaveLength(1)
  })

  test('a record that is no row is put aside and holds up no other', async () => {
    const row = await connection()
    const strange = streamRecord({ after: { businessProfileId: { S: 'bp' }, connectionId: { S: 'con' } } as Image })
    expect(await run(handlers.connections, strange, streamRecord({ after: await connectionImage(row) }))).toEqual([])
    expect(onBus()).toHaveLength(1)
    const [left] = await aside()
    expect(JSON.parse(left?.body ?? '')).toMatchObject({ kind: 'undecodable' })
    const outcome = await handlers.retry({ Records: [left] } as SQSEvent, lambdaContext)
    expect(outcome.batchItemFailures).toHaveLength(1)
  })
})

describe('of operations and contacts', () => {
  const group = (n: number) => ({
    groupId: `1203630${n}@g.us`,
    subject: `Group ${n}`,
    size: n,
    role: 'member' as const,
    announce: false,
    locked: false,
    joinApproval: false,
  })

  test.each([
    ['the end of an operation', 2],
    ['the end of one whose result is stored compressed', 1_000],
  ])('%s goes out once, and its beginning does not', async (_, groups) => {
    const ref = await webhook(`whk_groups_${groups}`, { events: ['operation-completed'] })
    const { connectionId } = await connection()
    const row = operation({ businessProfileId, connectionId, request: { kind: 'list_groups' } })
    const api = apiOperations(cloud.tables.messages)
    const worker = workerOperations(cloud.tables.messages)
    const stored = () =>
      image(cloud.tables.messages, {
        connectionKey: `${businessProfileId}#${connectionId}`,
        key: `operation#${row.operationId}`,
      })
    await api.accept(row)
    const before = await stored()
    const result = { groups: Array.from({ length: groups }, (_, n) => group(n)) }
    await worker.complete(row, row.operationId, 1, { status: 'succeeded', result }, inMs(0))
    const after = await stored()
    expect('packedResult' in after).toBe(groups > 2)
    const ended = streamRecord({ before, after })
    expect(await run(handlers.messages, streamRecord({ after: before }), ended)).toEqual([])
    expect(await run(handlers.messages, ended)).toEqual([])
    const [event, again] = onBus()
    expect(event).toMatchObject({
      event: 'operation-completed',
      connectionId,
      data: { operationId: row.operationId, kind: 'list_groups', status: 'succeeded', result },
    })
    expect(again).toEqual(event)
    expect(await aside()).toEqual([])
    const waiting = await webhookLanes(cloud.tables.webhooks).next({ ...ref, lane: connectionId }, 10)
    expect(waiting.map(({ eventId }) => eventId)).toEqual([event?.id])
  })

  test('what a followed contact does goes out, each contact for itself', async () => {
    const ref = await webhook('whk_presence')
    const { connectionId } = await connection()
    const worker = workerOperations(cloud.tables.messages)
    const stored = (name: string) =>
      image(cloud.tables.messages, {
        connectionKey: `${businessProfileId}#${connectionId}`,
        key: `presence#${name}`,
      })
    const tell = async (lid: string, presence: 'typing' | 'available') => {
      const seen = { contact: { lid }, presence }
      await worker.tellPresence({ businessProfileId, connectionId }, 1, seen, inMs(0))
      return stored(lid)
    }
    const first = await tell('1@lid', 'typing')
    const other = await tell('2@lid', 'typing')
    const second = await tell('1@lid', 'available')
    await run(
      handlers.messages,
      streamRecord({ after: first }),
      streamRecord({ after: other }),
      streamRecord({ before: first, after: second }),
    )
    const told = onBus()
    expect(told).toMatchObject([
      { event: 'presence', connectionId, data: { contact: { lid: '1@lid' }, presence: 'typing' } },
      { event: 'presence', connectionId, data: { contact: { lid: '2@lid' }, presence: 'typing' } },
      { event: 'presence', connectionId, data: { contact: { lid: '1@lid' }, presence: 'available' } },
    ])
    expect(new Set(told.map(({ id }) => id)).size).toBe(3)
    const waiting = await webhookLanes(cloud.tables.webhooks).next({ ...ref, lane: connectionId }, 10)
    expect(waiting.map(({ event }) => event)).toEqual(['presence', 'presence', 'presence'])
  })
})
