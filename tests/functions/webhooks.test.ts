import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { webhookLanes } from '../../shared/aws/webhook-lanes.ts'
import { type Cloud, startCloud } from './cloud.ts'
import { type RestClient, restClient } from './rest-client.ts'
import { createTenant } from './tenant.ts'

let cloud: Cloud
let call: RestClient
let key: string
let other: string
let businessProfileId: string
beforeAll(async () => {
  cloud = await startCloud()
  call = await restClient()
  ;({ key, businessProfileId } = await createTenant(call))
  other = (await createTenant(call)).key
})
afterAll(() => cloud?.stop())

const url = 'https://1.1.1.1/hooks'
const create = (body: object = {}) => call('POST', '/webhooks', { key, body: { url, ...body } })

describe('/webhooks', () => {
  test('shows the secret once, and header values never; neither is stored as it is', async () => {
    const headers = { Authorization: 'Bearer of-the-shop' }
    const created = await create({ label: 'Shop', events: ['message-received'], headers })
    expect(created).toMatchObject({
      status: 201,
      json: { state: 'active', version: 1, headerNames: ['authorization'] },
    })
    const { webhookId, secret } = created.json
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    const shown = await call('GET', `/webhooks/${webhookId}`, { key })
    expect(shown.headers).toMatchObject({ etag: '"1"' })
    const { secret: _, ...rest } = created.json
    expect(shown.json).toEqual(rest)
    expect((await call('GET', '/webhooks', { key })).json.items).toContainEqual(rest)
    const { documents, table } = cloud.tables.webhooks
    const stored = JSON.stringify((await documents.send(new ScanCommand({ TableName: table }))).Items)
    expect(stored).not.toContain(secret)
    expect(stored).not.toContain('of-the-shop')
  })

  test.each([
    ['http://example.com/', 'url'],
    ['https://127.0.0.1/', 'url'],
    ['https://169.254.169.254/latest/meta-data/', 'url'],
    ['https://[::ffff:10.0.0.1]/', 'url'],
    ['https://user:secret@1.1.1.1/', 'url'],
    ['not an address', 'url'],
  ])('refuses %s, at creation and later', async (refused, field) => {
    expect(await create({ url: refused })).toMatchObject({ status: 400, json: { errors: [{ field }] } })
    const { webhookId } = (await create()).json
    const changed = await call('PATCH', `/webhooks/${webhookId}`, { key, body: { url: refused } })
    expect(changed).toMatchObject({ status: 400, json: { errors: [{ field }] } })
    await call('DELETE', `/webhooks/${webhookId}`, { key })
  })

  test('refuses headers that the request itself is made of', async () => {
    expect(await create({ headers: { 'Webhook-Signature': 'v1,x' } })).toMatchObject({ status: 400 })
    expect(await create({ headers: { host: 'metadata' } })).toMatchObject({ status: 400 })
  })

  test('is paused, resumed and changed under the version that its owner saw', async () => {
    const { webhookId } = (await create({ events: ['poll-vote'] })).json
    await cloud.drain(cloud.urls.webhooks)
    const paused = await call('PATCH', `/webhooks/${webhookId}`, {
      key,
      body: { state: 'paused' },
      headers: { 'if-match': '"1"' },
    })
    expect(paused.json).toMatchObject({ state: 'paused', paused: { reason: 'requested' }, version: 2 })
    const late = await call('PATCH', `/webhooks/${webhookId}`, {
      key,
      body: { label: 'x' },
      headers: { 'if-match': '"1"' },
    })
    expect(late).toMatchObject({ status: 412, json: { code: 'precondition_failed' } })
    const active = await call('PATCH', `/webhooks/${webhookId}`, { key, body: { state: 'active', events: null } })
    expect(active.json).toMatchObject({ state: 'active' })
    expect(active.json).not.toHaveProperty('paused')
    expect(active.json).not.toHaveProperty('events')
    const [rung] = await cloud.drain(cloud.urls.webhooks)
    expect(JSON.parse(rung?.Body ?? '')).toMatchObject({ kind: 'resume', webhookId })
  })

  test('gives a new secret, and says until when the old one signs', async () => {
    const { webhookId, secret } = (await create()).json
    const rotated = await call('POST', `/webhooks/${webhookId}/secret`, { key })
    expect(rotated).toMatchObject({ status: 201, json: { previousUntil: expect.any(String) } })
    expect(rotated.json.secret).not.toBe(secret)
    const atOnce = await call('POST', `/webhooks/${webhookId}/secret`, { key, body: { overlapHours: 0 } })
    expect(atOnce.json).not.toHaveProperty('previousUntil')
  })

  test('dead letters are listed and replayed by time range', async () => {
    const { webhookId } = (await create()).json
    const lane = { businessProfileId, webhookId, lane: 'con_1' }
    const lanes = webhookLanes(cloud.tables.webhooks)
    const event = (n: number) => ({
      order: String(n),
      eventId: `evt_${n}`,
      event: 'message-received',
      at: `2026-01-31T12:00:0${n}.000Z`,
      body: '{}',
      waitingSince: `2026-01-31T12:00:0${n}.000Z`,
    })
    await lanes.enqueue(lane, [event(1), event(2)], Date.now())
    for (const n of [1, 2]) await lanes.bury(lane, event(n), 9, 'The endpoint answered 500.', Date.now())
    const listed = await call('GET', `/webhooks/${webhookId}/dead-letters`, { key, query: { limit: '1' } })
    expect(listed.json).toMatchObject({
      items: [{ eventId: 'evt_1', connectionId: 'con_1', attempts: 9 }],
      next: expect.any(String),
    })
    // A range that ends before it begins, and a page of another range.
    const refused = { status: 400, json: { code: 'invalid_request' } }
    const backwards = { from: '2026-01-31T12:00:02.000Z', to: '2026-01-31T12:00:01.000Z' }
    const path = `/webhooks/${webhookId}`
    expect(await call('GET', `${path}/dead-letters`, { key, query: backwards })).toMatchObject(refused)
    expect(await call('POST', `${path}/replay`, { key, body: backwards })).toMatchObject(refused)
    const elsewhere = { next: listed.json.next, from: '2026-01-31T12:00:02.000Z' }
    expect(await call('GET', `${path}/dead-letters`, { key, query: elsewhere })).toMatchObject(refused)
    await cloud.drain(cloud.urls.webhooks)
    const body = { from: '2026-01-31T12:00:02.000Z' }
    expect(await call('POST', `/webhooks/${webhookId}/replay`, { key, body })).toMatchObject({
      status: 202,
      json: { replayed: 1, more: false },
    })
    expect(await lanes.next(lane, 10)).toMatchObject([{ eventId: 'evt_2' }])
    expect(await cloud.drain(cloud.urls.webhooks)).toHaveLength(1)
  })

  test("another business profile's key finds nothing", async () => {
    const { webhookId } = (await create()).json
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/secret'],
      ['POST', '/test'],
      ['POST', '/replay'],
      ['GET', '/deliveries'],
      ['GET', '/dead-letters'],
    ]) {
      const answer = await call(String(method), `/webhooks/${webhookId}${path}`, { key: other })
      expect(answer).toMatchObject({ status: 404, json: { code: 'webhook_not_found' } })
    }
    const patched = await call('PATCH', `/webhooks/${webhookId}`, { key: other, body: { label: 'mine' } })
    expect(patched).toMatchObject({ status: 404 })
    expect((await call('GET', '/webhooks', { key: other })).json).toEqual({ items: [] })
    expect((await call('GET', `/webhooks/${webhookId}`, { key })).status).toBe(200)
  })

  test('a business profile has at most 20', async () => {
    const mine = (await call('GET', '/webhooks', { key })).json.items.length
    for (let n = mine; n < 20; n += 1) expect((await create()).status).toBe(201)
    expect(await create()).toMatchObject({ status: 409, json: { code: 'too_many_webhooks' } })
  })
})
