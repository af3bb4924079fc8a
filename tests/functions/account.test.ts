import { gunzipSync, gzipSync } from 'node:zlib'
import { ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CallLimit } from '../../functions/http/call-limit.ts'
import { routeList } from '../../shared/api/routes.ts'
import { everyScope, scopes } from '../../shared/api/scopes.ts'
import { type CallRates, callRates } from '../../shared/aws/call-rates.ts'
import { importedDevices } from '../../shared/aws/imported-devices.ts'
import { webhookLanes } from '../../shared/aws/webhook-lanes.ts'
import { webhookLog } from '../../shared/aws/webhook-log.ts'
import { adminApiKey, type Cloud, lambdaContext, startCloud } from './cloud.ts'
import { type RestClient, restClient } from './rest-client.ts'
import { createTenant } from './tenant.ts'

let cloud: Cloud
let call: RestClient

beforeAll(async () => {
  cloud = await startCloud()
  call = await restClient()
})
afterAll(() => cloud?.stop())

const keyWith = async (businessProfileId: string, granted: readonly string[]): Promise<string> =>
  (
    await call('POST', `/admin/business-profiles/${businessProfileId}/api-keys`, {
      key: adminApiKey,
      body: { scopes: granted },
    })
  ).json.apiKey

const connect = (key: string, headers = {}) => call('POST', '/connections', { key, headers, body: { label: 'Shop' } })

const pathOf = (template: string) => template.replace(/\{\w+\}/g, 'none')

describe('scopes', () => {
  test("every tenant's route is refused to a key with all scopes but its own, before it looks at the request", async () => {
    const { businessProfileId } = await createTenant(call)
    const keys = new Map<string, string>()
    const without = async (needed: readonly string[]): Promise<string> => {
      const name = needed.join()
      const key =
        keys.get(name) ??
        (await keyWith(
          businessProfileId,
          scopes.filter((scope) => !needed.includes(scope)),
        ))
      keys.set(name, key)
      return key
    }
    for (const route of routeList) {
      if (route.auth !== 'tenant') continue
      const key = await without([route.scope].flat())
      const answer = await call(route.method, pathOf(route.path), { key, body: '{' })
      expect([route.operationId, answer.status, answer.json?.code]).toEqual([route.operationId, 403, 'wrong_scope'])
    }
  })

  test('a key makes and rotates no key that may do more than itself', async () => {
    const { businessProfileId, keyId } = await createTenant(call)
    const key = await keyWith(businessProfileId, ['keys', 'messages:read'])
    const make = (wanted: string[]) => call('POST', '/api-keys', { key, body: { scopes: wanted } })
    expect((await make(['messages:read'])).status).toBe(201)
    expect(await make(['messages:send'])).toMatchObject({ status: 403, json: { code: 'wrong_scope' } })
    expect(await make([everyScope])).toMatchObject({ status: 403 })
    expect(await call('POST', `/api-keys/${keyId}/rotate`, { key })).toMatchObject({ status: 403 })
  })
})

describe('quotas and retention', () => {
  test('connections and sends stop at their quota, replays do not count', async () => {
    const { businessProfileId, key } = await createTenant(call)
    const path = `/admin/business-profiles/${businessProfileId}`
    const created = await connect(key, { 'idempotency-key': 'first' })
    const quotas = { connections: 1, sendsPerDay: 2 }
    const retention = { messagesDays: 3 }
    const patched = await call('PATCH', path, { key: adminApiKey, body: { quotas, retention } })
    expect(patched).toMatchObject({ status: 200, json: { quotas, version: 2 }, headers: { etag: '"2"' } })
    expect(await connect(key)).toMatchObject({ status: 409, json: { code: 'connection_quota_reached' } })
    const again = await connect(key, { 'idempotency-key': 'first' })
    expect([again.status, again.json.connectionId]).toEqual([201, created.json.connectionId])
    const send = (idempotencyKey: string) =>
      call('POST', `/connections/${created.json.connectionId}/messages`, {
        key,
        headers: { 'idempotency-key': idempotencyKey },
        body: { to: '+4915550000002', type: 'text', text: { body: 'hi' } },
      })
    for (const one of ['a', 'a', 'b', 'a']) expect((await send(one)).status).toBe(202)
    const refused = await send('c')
    expect(refused).toMatchObject({ status: 429, json: { code: 'send_quota_reached' } })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    const [row] = (
      await cloud.stores.messages.list({ businessProfileId, connectionId: created.json.connectionId }, 1, undefined, {})
    ).items
    expect((row?.expireAt ?? 0) - Date.now() / 1000).toBeLessThan(3 * 86_400 + 60)
  })

  test('the same idempotency key with another body is a conflict, and another business profile has its own', async () => {
    const [one, other] = [await createTenant(call), await createTenant(call)]
    const headers = { 'idempotency-key': 'once' }
    const made = await connect(one.key, headers)
    const changed = await call('POST', '/connections', { key: one.key, headers, body: { label: 'Else' } })
    expect(changed).toMatchObject({ status: 409, json: { code: 'idempotency_conflict' } })
    expect((await connect(other.key, headers)).json.connectionId).not.toBe(made.json.connectionId)
  })

  test('who saw an older version changes nothing', async () => {
    const { businessProfileId } = await createTenant(call)
    const path = `/admin/business-profiles/${businessProfileId}`
    const change = (etag: string) =>
      call('PATCH', path, { key: adminApiKey, headers: { 'if-match': etag }, body: { name: 'New' } })
    expect((await change('"1"')).status).toBe(200)
    expect(await change('"1"')).toMatchObject({ status: 412, headers: { etag: '"2"' } })
  })
})

describe('calls of a key', () => {
  test('are refused beyond its limit with the time to wait, and others are not', async () => {
    const [busy, calm] = [await createTenant(call), await createTenant(call)]
    const path = `/admin/business-profiles/${busy.businessProfileId}`
    await call('PATCH', path, { key: adminApiKey, body: { limits: { requestsPerSecond: 1 } } })
    const answers = []
    for (let n = 0; n < 40; n++) answers.push(await call('GET', '/audit', { key: busy.key }))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    expect(refused[0]).toMatchObject({ json: { code: 'rate_limited' } })
    expect(Number(refused[0]?.headers['retry-after'])).toBeGreaterThan(0)
    expect((await call('GET', '/audit', { key: calm.key })).status).toBe(200)
  })

  test('sends have a limit of their own, beside that of calls', async () => {
    const { businessProfileId, key } = await createTenant(call)
    const path = `/admin/business-profiles/${businessProfileId}`
    await call('PATCH', path, { key: adminApiKey, body: { limits: { sendsPerSecond: 1 } } })
    const { connectionId } = (await connect(key)).json
    const body = { to: '+4915550000002', type: 'text', text: { body: 'hi' } }
    const answers = []
    for (let n = 0; n < 30; n++)
      answers.push(await call('POST', `/connections/${connectionId}/messages`, { key, body }))
    const refused = answers.filter(({ status }) => status === 429)
    expect(answers.filter(({ status }) => status === 202).length).toBeGreaterThan(0)
    expect(refused[0]).toMatchObject({ json: { code: 'rate_limited', detail: 'At most 1 sends a second.' } })
    expect(Number(refused[0]?.headers['retry-after'])).toBeGreaterThan(0)
    expect((await call('GET', `/connections/${connectionId}`, { key })).status).toBe(200)
  })

  test('over several processes together stay within the rate, with far fewer writes than calls', async () => {
    let nowMs = 1_000_000
    let writes = 0
    const shared = callRates(cloud.tables.accounts)
    const counted: CallRates = {
      take(...given) {
        writes += 1
        return shared.take(...given)
      },
    }
    const processes = [1, 2, 3].map(() => new CallLimit(counted))
    const rate = { perSecond: 50, burst: 100 }
    let passed = 0
    let calls = 0
    for (const until = nowMs + 10_000; nowMs < until; nowMs += 5) {
      calls += 1
      const process = processes[calls % processes.length] as CallLimit
      if ((await process.retryAfterSeconds('shared-key', rate, nowMs)) === undefined) passed += 1
    }
    expect(calls).toBe(2_000)
    expect(passed).toBeLessThanOrEqual(50 * 10 + 100)
    expect(passed).toBeGreaterThan(50 * 10 * 0.8)
    expect(writes).toBeLessThan(calls / 2)
  })
})

describe('audit log', () => {
  test('who did what with which key: changes only, no bodies, each profile its own', async () => {
    const [one, other] = [await createTenant(call), await createTenant(call)]
    const { json } = await connect(one.key)
    await call('GET', '/connections', { key: one.key })
    const { items } = (await call('GET', '/audit', { key: one.key })).json
    expect(items.map((entry: { operationId: string }) => entry.operationId)).toEqual([
      'createConnection',
      'createApiKey',
    ])
    expect(items[0]).toMatchObject({
      by: { kind: 'key', keyId: one.keyId },
      resource: `/connections/${json.connectionId}`,
      status: 201,
    })
    expect(items[1]).toMatchObject({ by: { kind: 'admin' } })
    const text = JSON.stringify(items)
    for (const secret of [one.key, adminApiKey, 'Shop']) expect(text).not.toContain(secret)
    const first = await call('GET', '/audit', { key: one.key, query: { limit: '1' } })
    const stolen = await call('GET', '/audit', { key: other.key, query: { next: first.json.next } })
    expect(stolen.text).not.toContain(one.keyId)
  })
})

describe('erasure', () => {
  const erase = async () => {
    const { handler } = await import('../../functions/schedule/erase.ts')
    await handler({} as never, lambdaContext)
  }
  /** As if the job had begun long ago: what was under way then has come to its end. */
  const age = async (erasureId: string) => {
    const { documents, table } = cloud.tables.accounts
    const { Items = [] } = await documents.send(new ScanCommand({ TableName: table }))
    const item = Items.find(({ sk, pk }) => sk === erasureId && String(pk).startsWith('erasure#'))
    await documents.send(
      new UpdateCommand({
        TableName: table,
        Key: { pk: item?.pk, sk: erasureId },
        UpdateExpression: 'SET createdAt = :long, quietSince = :long',
        ExpressionAttributeValues: { ':long': '2020-01-01T00:00:00.000Z' },
      }),
    )
  }
  const send = (key: string, connectionId: string, to: string) =>
    call('POST', `/connections/${connectionId}/messages`, { key, body: { to, type: 'text', text: { body: 'hi' } } })
  const messages = async (key: string, connectionId: string) =>
    (await call('GET', `/connections/${connectionId}/messages`, { key })).json.items

  test('of a contact takes its chat and nothing else, and ends', async () => {
    const { key } = await createTenant(call)
    const { connectionId } = (await connect(key)).json
    for (const to of ['+4915550000002', '+4915550000002', '+4915550000003']) await send(key, connectionId, to)
    const started = await call('POST', '/erasures', { key, body: { contact: '+4915550000002' } })
    expect(started).toMatchObject({ status: 202, json: { state: 'running' } })
    const path = started.headers.location ?? ''
    await erase()
    expect((await call('GET', path, { key })).json).toMatchObject({ state: 'running', erasedMessages: 2 })
    expect(await messages(key, connectionId)).toMatchObject([{ to: '+4915550000003' }])
    await age(started.json.erasureId)
    await erase()
    expect((await call('GET', path, { key })).json).toMatchObject({ state: 'done', erasedMessages: 2 })
  })

  /** Items of any table that name the profile, or any of its own ids. */
  const itemsWith = async (ids: readonly string[]) => {
    const found: { readonly table: string; readonly pk: string }[] = []
    for (const [name, { documents, table }] of Object.entries(cloud.tables)) {
      const { Items = [] } = await documents.send(new ScanCommand({ TableName: table, ConsistentRead: true }))
      for (const item of Items) {
        if (ids.some((id) => JSON.stringify(item).includes(id))) found.push({ table: name, pk: String(item.pk) })
      }
    }
    return found
  }

  test('of a business profile logs out first, then leaves nothing but its own record', async () => {
    const { businessProfileId, key } = await createTenant(call)
    const { connectionId } = (await connect(key)).json
    await send(key, connectionId, '+4915550000002')
    const medium = await call('POST', '/media', { key, body: { contentType: 'image/png', size: 10 } })
    const { documents } = cloud.tables.accounts
    const identity = `identity of ${businessProfileId}`
    await importedDevices(cloud.tables.accounts).claim(identity, { businessProfileId, connectionId })
    await cloud.changes.note(businessProfileId, [{ connectionId, messageId: 'msg_1' }], Date.now(), 86_400_000)
    const webhookId = await webhookWithAll(businessProfileId, key, connectionId)
    const ids = [businessProfileId, connectionId, webhookId, medium.json.mediaId]
    const before = await itemsWith(ids)
    expect([...new Set(before.map(({ table }) => table))].sort()).toEqual(
      Object.keys(cloud.tables)
        .filter((table) => table !== 'fleet')
        .sort(),
    )
    const path = `/admin/business-profiles/${businessProfileId}`
    const started = await call('DELETE', path, { key: adminApiKey })
    expect(started).toMatchObject({ status: 202, json: { subject: { kind: 'business_profile' } } })
    expect((await call('DELETE', path, { key: adminApiKey })).json.erasureId).toBe(started.json.erasureId)
    const progress = () => call('GET', `${path}/erasures/${started.json.erasureId}`, { key: adminApiKey })
    await erase()
    expect((await progress()).json.progress).toMatch(/waits for 1 connections/)
    const row = await cloud.stores.connections.get({ businessProfileId, connectionId })
    expect(row).toMatchObject({ reason: 'deleting', command: { kind: 'delete' } })
    // The worker's part: it logs out, erases the auth state and removes the row.
    await cloud.stores.worker.remove({ businessProfileId, connectionId }, 1)
    await erase()
    expect((await progress()).json).toMatchObject({ state: 'running', progress: expect.stringMatching(/last calls/) })
    // Who had found the webhook before it was removed stores a last event for it.
    await webhookLanes(cloud.tables.webhooks).enqueue(
      { businessProfileId, webhookId, lane: connectionId },
      [waitingEvent('late')],
      Date.now(),
    )
    await age(started.json.erasureId)
    await erase()
    expect((await progress()).json).toMatchObject({ state: 'done', erasedConnections: 1 })
    expect((await call('GET', path, { key: adminApiKey })).json.code).toBe('business_profile_not_found')
    const left = await itemsWith(ids)
    expect([...new Set(left.map(({ pk }) => pk))].sort()).toEqual(['audit#service', `erasure#${businessProfileId}`])
    const device = await documents.send(
      new ScanCommand({
        TableName: cloud.tables.accounts.table,
        FilterExpression: 'begins_with(pk, :d)',
        ExpressionAttributeValues: { ':d': 'device#' },
      }),
    )
    expect(device.Items).toEqual([])
  })

  const waitingEvent = (order: string) => ({
    order,
    eventId: `evt_${order}`,
    event: 'message-received',
    at: new Date().toISOString(),
    body: '{}',
    waitingSince: new Date().toISOString(),
  })

  /** A webhook with an event that waits, one that was given up, a delivery in its log and a place that is taken. */
  async function webhookWithAll(businessProfileId: string, key: string, connectionId: string): Promise<string> {
    const made = await call('POST', '/webhooks', { key, body: { url: 'https://93.184.215.14/hooks' } })
    expect(made.status).toBe(201)
    const { webhookId } = made.json
    const lanes = webhookLanes(cloud.tables.webhooks)
    const ref = { businessProfileId, webhookId }
    const lane = { ...ref, lane: connectionId }
    const events = [waitingEvent('1'), waitingEvent('2')] as const
    await lanes.enqueue(lane, events, Date.now())
    await lanes.bury(lane, events[0], 3, 'It answered 500.', Date.now())
    await lanes.takeSlot(ref, 1, Date.now(), Date.now() + 60_000)
    const attempt = { eventId: 'evt_1', event: 'message-received', connectionId, attempt: 1 }
    const at = new Date().toISOString()
    await webhookLog(cloud.tables.webhooks).add(ref, {
      ...attempt,
      deliveryId: 'dlv_1',
      at,
      delivered: false,
      durationMs: 1,
    })
    return webhookId
  }
})

describe('bytes', () => {
  test('answers of some size are compressed for who accepts it, requests may be', async () => {
    const { handler } = await import('../../functions/http/public.ts')
    const ask = async (encoding: string): Promise<APIGatewayProxyStructuredResultV2> =>
      handler(
        {
          routeKey: 'GET /openapi.json',
          rawPath: '/openapi.json',
          headers: { 'accept-encoding': encoding },
          requestContext: { requestId: 'r', http: { sourceIp: '127.0.0.1' } },
        } as never,
        lambdaContext,
      )
    const plain = await ask('br')
    const small = await ask('br, gzip;q=0.5')
    expect([plain.isBase64Encoded ?? false, small.isBase64Encoded]).toEqual([false, true])
    expect(small.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' })
    expect(gunzipSync(Buffer.from(small.body ?? '', 'base64')).toString()).toBe(plain.body)
    expect((await ask('gzip;q=0')).isBase64Encoded ?? false).toBe(false)
    expect(gzipSync(plain.body ?? '').length).toBeLessThan((plain.body ?? '').length / 4)
  })

  test('the page loads its own files only', async () => {
    const page = await call('GET', '/docs')
    expect(page.headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'")
    const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => `/${path}`)
    expect(files).toHaveLength(3)
    for (const path of files) expect([path, (await call('GET', path)).status]).toEqual([path, 200])
    expect((await call('GET', '/docs/package.json')).status).toBe(404)
  })
})
