import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connectionSchema } from '../../shared/api/connections.ts'
import { messageSchema } from '../../shared/api/messages.ts'
import { sentences } from '../../shared/domain/words.ts'
import { type Cloud, startCloud } from './cloud.ts'
import { type RestClient, restClient } from './rest-client.ts'
import { createTenant } from './tenant.ts'

let cloud: Cloud
let call: RestClient
let key: string
let businessProfileId: string

beforeAll(async () => {
  cloud = await startCloud()
  call = await restClient()
})
afterAll(() => cloud?.stop())

beforeEach(async () => {
  ;({ key, businessProfileId } = await createTenant(call))
  await cloud.doorbells()
})

async function create(body: object = { label: 'Primary Device', pairing: 'qr' }) {
  const response = await call('POST', '/connections', { key, body })
  expect(response.status).toBe(201)
  const connectionId: string = response.json.connectionId
  return { connectionId, ref: { businessProfileId, connectionId }, path: `/connections/${connectionId}`, response }
}

/** As a worker writes it after a scan. */
async function linked() {
  const made = await create()
  const now = new Date().toISOString()
  const row = await cloud.stores.connections.get(made.ref)
  await cloud.stores.worker.update(
    made.ref,
    1,
    {
      status: 'connected',
      reason: 'open',
      message: 'Connected to WhatsApp.',
      linkedAt: now,
      phoneNumber: '+94714515253',
      handledCommandId: row?.command?.commandId ?? null,
    },
    now,
  )
  await cloud.doorbells()
  return made
}

const text = (body = 'hello', to = '+94714515253') => ({ to, type: 'text', text: { body } })

describe('connections', () => {
  test('a created connection is pending, has a partition, and rings for its pairing', async () => {
    const { connectionId, response, ref } = await create({
      label: ' Primary Device ',
      phoneNumber: '94 71 451 5253',
      pairing: 'code',
    })
    expect(connectionSchema.parse(response.json)).toMatchObject({
      label: 'Primary Device',
      phoneNumber: '+94714515253',
      status: 'qr_pending',
      reason: 'pairing_requested',
      version: 1,
    })
    expect(response.headers.location).toBe(`/connections/${connectionId}`)
    const row = await cloud.stores.connections.get(ref)
    expect(await cloud.doorbells()).toEqual([
      {
        partition: row?.partition,
        kind: 'command',
        command: 'pair',
        commandId: row?.command?.commandId,
        ...ref,
      },
    ])
  })

  test('a list is paged, and holds nothing of another business profile', async () => {
    const other = await create()
    ;({ key, businessProfileId } = await createTenant(call, 'Another'))
    const mine = [(await create()).connectionId, (await create()).connectionId, (await create()).connectionId]
    const first = await call('GET', '/connections', { key, query: { limit: '2' } })
    const second = await call('GET', '/connections', { key, query: { limit: '2', next: first.json.next } })
    const ids = [...first.json.items, ...second.json.items].map((item) => item.connectionId)
    expect(ids.toSorted()).toEqual(mine.toSorted())
    expect(second.json.next).toBeUndefined()
    expect(await call('GET', other.path, { key })).toMatchObject({
      status: 404,
      json: { code: 'connection_not_found' },
    })
  })

  test('the public shape holds no inner fields', async () => {
    const { path } = await linked()
    const { json } = await call('GET', path, { key })
    expect(connectionSchema.parse(json).status).toBe('connected')
    expect(Object.keys(json)).not.toEqual(expect.arrayContaining(['epoch']))
  })

  test('label and pace are changed, alone or together, and only what the caller saw where it says so', async () => {
    const { path, ref } = await linked()
    const first = await call('GET', path, { key })
    const pace = { minGapMs: 1_500, quietHours: { from: '22:00', to: '07:00', timeZone: 'Asia/Colombo' } }
    const changed = await call('PATCH', path, {
      key,
      headers: { 'if-match': String(first.headers.etag) },
      body: { pace },
    })
    expect(changed).toMatchObject({ status: 200, json: { pace, label: first.json.label } })
    expect(await cloud.doorbells()).toMatchObject([{ kind: 'settings', ...ref, version: changed.json.version }])
    const late = await call('PATCH', path, {
      key,
      headers: { 'if-match': String(first.headers.etag) },
      body: { label: 'Other' },
    })
    expect(late).toMatchObject({ status: 412, json: { code: 'precondition_failed' } })
    expect(late.headers.etag).toBe(changed.headers.etag)
    const renamed = await call('PATCH', path, { key, body: { label: 'Front desk', pace: null } })
    expect(renamed.json).toMatchObject({ label: 'Front desk' })
    expect(renamed.json).not.toHaveProperty('pace')
    for (const body of [
      {},
      { pace: { minGapMs: -1 } },
      { pace: { quietHours: { ...pace.quietHours, timeZone: 'Mars' } } },
    ]) {
      expect(await call('PATCH', path, { key, body })).toMatchObject({ status: 400, json: { code: 'invalid_request' } })
    }
    expect((await call('PATCH', '/connections/con_none', { key, body: { label: 'x' } })).status).toBe(404)
  })

  test('the current QR code comes as JSON, PNG or SVG', async () => {
    const { path, ref } = await create()
    const expiresAt = new Date(Date.now() + 20_000).toISOString()
    expect(await call('GET', `${path}/qr`, { key })).toMatchObject({
      status: 404,
      json: { code: 'qr_not_ready' },
      headers: { 'retry-after': '1' },
    })
    await cloud.stores.worker.update(
      ref,
      1,
      { qr: { text: 'https://wa.me/x#1,2', expiresAt } },
      new Date().toISOString(),
    )
    expect((await call('GET', `${path}/qr`, { key })).json).toEqual({ qr: 'https://wa.me/x#1,2', expiresAt })
    const png = await call('GET', `${path}/qr`, { key, headers: { accept: 'image/png' } })
    expect(png.headers['content-type']).toBe('image/png')
    expect(png.bytes.subarray(1, 4).toString()).toBe('PNG')
    const svg = await call('GET', `${path}/qr`, { key, headers: { accept: 'text/html, image/svg+xml;q=0.9' } })
    expect(svg.text).toContain('<svg')
    expect(await call('GET', `${path}/qr`, { key, headers: { accept: 'text/html' } })).toMatchObject({
      status: 406,
      json: { code: 'not_acceptable' },
    })
    expect((await call('GET', path, { key })).json.qr).toEqual({ text: 'https://wa.me/x#1,2', expiresAt })
  })

  test('a QR code that ran out is not shown; one that is not needed is a conflict', async () => {
    const pending = await create()
    const past = new Date(Date.now() - 1).toISOString()
    await cloud.stores.worker.update(pending.ref, 1, { qr: { text: 'old', expiresAt: past } }, past)
    expect((await call('GET', `${pending.path}/qr`, { key })).json.code).toBe('qr_not_ready')
    const { path } = await linked()
    expect(await call('GET', `${path}/qr`, { key })).toMatchObject({ status: 409, json: { code: 'qr_not_available' } })
    const byCode = await create({ label: 'x', pairing: 'code', phoneNumber: '+94714515253' })
    expect((await call('GET', `${byCode.path}/qr`, { key })).json.code).toBe('qr_not_available')
  })

  test.each(['restart', 'logout'] as const)('%s is stored and rung for; asked again it is the same', async (kind) => {
    const { path, ref } = await linked()
    const first = await call('POST', `${path}/${kind}`, { key })
    expect(first.status).toBe(202)
    const commandId = (await cloud.stores.connections.get(ref))?.command?.commandId
    const second = await call('POST', `${path}/${kind}`, { key, body: {} })
    expect(second.status).toBe(202)
    expect((await cloud.stores.connections.get(ref))?.command?.commandId).toBe(commandId)
    expect(await cloud.doorbells()).toEqual([expect.objectContaining({ command: kind, commandId })])
  })

  test('a deleted connection says so until its worker confirms, and takes nothing else on', async () => {
    const { path } = await create()
    await cloud.doorbells()
    expect(await call('DELETE', path, { key })).toMatchObject({
      status: 202,
      json: { status: 'disconnected', reason: 'deleting' },
    })
    expect(await cloud.doorbells()).toMatchObject([{ command: 'delete' }])
    expect((await call('DELETE', path, { key })).status).toBe(202)
    for (const command of ['pair', 'restart', 'logout']) {
      const refused = await call('POST', `${path}/${command}`, { key })
      expect([command, refused.status, refused.json.code]).toEqual([command, 409, 'connection_deleting'])
    }
    expect((await call('POST', `${path}/messages`, { key, body: text() })).json.code).toBe('connection_deleting')
  })

  test('a restart does not take the place of a pairing that is about to start', async () => {
    const { path, ref } = await create()
    const asked = (await cloud.stores.connections.get(ref))?.command
    expect((await call('POST', `${path}/restart`, { key })).status).toBe(202)
    expect((await cloud.stores.connections.get(ref))?.command).toEqual(asked)
  })

  test('what would come in between a logout has to wait for it', async () => {
    const { path } = await linked()
    await call('POST', `${path}/logout`, { key })
    expect(await call('POST', `${path}/restart`, { key })).toMatchObject({
      status: 409,
      json: { code: 'logout_pending' },
      headers: { 'retry-after': '1' },
    })
  })

  test('pairing starts again after a logout, also by the other method, and never over a linked device', async () => {
    const { path, ref } = await linked()
    expect(await call('POST', `${path}/pair`, { key })).toMatchObject({ status: 409, json: { code: 'already_linked' } })
    const now = new Date().toISOString()
    await cloud.stores.worker.update(
      ref,
      1,
      { status: 'disconnected', reason: 'logged_out', message: 'x', remedy: 'scan_qr', phoneNumber: null },
      now,
    )
    expect(await call('POST', `${path}/pair`, { key, body: { pairing: 'code' } })).toMatchObject({
      status: 400,
      json: { errors: [{ field: 'phoneNumber' }] },
    })
    const again = await call('POST', `${path}/pair`, { key, body: { pairing: 'code', phoneNumber: '94714515253' } })
    expect(again).toMatchObject({
      status: 202,
      json: { status: 'qr_pending', pairing: 'code', phoneNumber: '+94714515253' },
    })
    expect(again.json.remedy).toBeUndefined()
    expect(await cloud.doorbells()).toMatchObject([{ command: 'pair' }])
    expect((await cloud.stores.connections.get(ref))?.command?.method).toBe('code')
  })
})

describe('messages', () => {
  test('a call that Lambda traces leaves its trace on the row', async () => {
    const { path, ref } = await linked()
    const trace = 'Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1'
    process.env['_X_AMZN_TRACE_ID'] = `${trace};Lineage=1:abc:0`
    const accepted = await call('POST', `${path}/messages`, { key, body: text() }).finally(() => {
      delete process.env['_X_AMZN_TRACE_ID']
    })
    const row = await cloud.stores.messages.get(ref, accepted.json.messageId)
    expect(row).toMatchObject({ origin: { trace } })
    const shown = await call('GET', `${path}/messages/${accepted.json.messageId}`, { key })
    expect(shown.text).not.toContain('67891233')
    await cloud.doorbells()
  })

  test('a send is a row first, then a doorbell, then 202', async () => {
    const { path, ref } = await linked()
    const accepted = await call('POST', `${path}/messages`, { key, body: text() })
    expect(accepted).toMatchObject({ status: 202, json: { status: 'queued' } })
    const { messageId } = accepted.json
    expect(await cloud.doorbells()).toEqual([
      { kind: 'send', messageId, generation: 1, ...ref, partition: expect.any(Number) },
    ])
    const row = await cloud.stores.messages.get(ref, messageId)
    expect(row).toMatchObject({ chat: '94714515253@s.whatsapp.net', seq: 1, generation: 1, status: 'queued' })
    expect(row).toHaveProperty('enqueuedAt')
    // The id that the caller has leads to the worker's line about the send.
    expect(row).toMatchObject({ origin: { requestId: accepted.headers['x-request-id'] } })
    const shown = await call('GET', `${path}/messages/${messageId}`, { key })
    expect(messageSchema.parse(shown.json)).toMatchObject({
      direction: 'outbound',
      to: '+94714515253',
      type: 'text',
      text: { body: 'hello' },
    })
  })

  test('the same key and body give the same message; another body is a conflict', async () => {
    const { path } = await linked()
    const headers = { 'idempotency-key': 'order-17' }
    const first = await call('POST', `${path}/messages`, { key, headers, body: text() })
    const again = await call('POST', `${path}/messages`, { key, headers, body: text('hello', '94 71 451 5253') })
    expect(again.json).toEqual(first.json)
    expect(await cloud.doorbells()).toHaveLength(1)
    expect(await call('POST', `${path}/messages`, { key, headers, body: text('other') })).toMatchObject({
      status: 409,
      json: { code: 'idempotency_conflict' },
    })
    const elsewhere = await linked()
    const other = await call('POST', `${elsewhere.path}/messages`, { key, headers, body: text() })
    expect(other.json.messageId).not.toBe(first.json.messageId)
  })

  test('a connection that was never linked fails the send at once, with a row that says why', async () => {
    const { path } = await create()
    await cloud.doorbells()
    const accepted = await call('POST', `${path}/messages`, { key, body: text() })
    expect(accepted).toMatchObject({
      status: 202,
      json: { status: 'failed', error: { code: 'no_active_connection', message: sentences.noActiveConnection } },
    })
    const shown = await call('GET', `${path}/messages/${accepted.json.messageId}`, { key })
    expect(messageSchema.parse(shown.json)).toMatchObject({ status: 'failed', error: accepted.json.error })
    expect(await cloud.doorbells()).toEqual([])
  })

  test('a connection that is being restored keeps the send and says so', async () => {
    const { path, ref } = await linked()
    await cloud.stores.worker.update(
      ref,
      1,
      { status: 'reconnecting', reason: 'restoring', message: 'x' },
      new Date().toISOString(),
    )
    const { json } = await call('POST', `${path}/messages`, { key, body: text() })
    expect(json.status).toBe('queued')
    const shown = await call('GET', `${path}/messages/${json.messageId}`, { key })
    expect(shown.json.note).toBe(sentences.beingRestored)
  })

  test('what is for the moment is rung for while the connection is connected, else refused', async () => {
    const { path, ref } = await linked()
    const presence = { to: '+94 71 451 5253', presence: 'typing' }
    expect((await call('POST', `${path}/presence`, { key, body: presence })).status).toBe(202)
    expect(await cloud.doorbells()).toMatchObject([
      { kind: 'gesture', gesture: { kind: 'presence', chat: '94714515253@s.whatsapp.net', presence: 'typing' } },
    ])
    const { json } = await call('POST', `${path}/messages`, { key, body: text() })
    const notReceived = await call('POST', `${path}/messages/${json.messageId}/read`, { key })
    expect(notReceived).toMatchObject({ status: 404, json: { code: 'message_not_found' } })
    const down = { status: 'reconnecting', reason: 'restoring', message: 'x' } as const
    await cloud.stores.worker.update(ref, 1, down, new Date().toISOString())
    const refused = await call('POST', `${path}/presence`, { key, body: presence })
    expect(refused).toMatchObject({ status: 409, json: { code: 'not_connected' } })
  })

  test('what waits for its connection can be cancelled, once and for all; what may be leaving cannot', async () => {
    const { path, ref } = await linked()
    const going = await call('POST', `${path}/messages`, { key, body: text() })
    expect(await call('DELETE', `${path}/messages/${going.json.messageId}`, { key })).toMatchObject({
      status: 409,
      json: { code: 'not_cancellable' },
    })
    const down = { status: 'reconnecting', reason: 'restoring', message: 'x' } as const
    await cloud.stores.worker.update(ref, 1, down, new Date().toISOString())
    const { json } = await call('POST', `${path}/messages`, { key, body: text() })
    for (const _ of ['first', 'again']) {
      const cancelled = await call('DELETE', `${path}/messages/${json.messageId}`, { key })
      expect(cancelled).toMatchObject({ status: 200, json: { status: 'failed', error: { code: 'cancelled' } } })
      messageSchema.parse(cancelled.json)
    }
    const unknown = await call('DELETE', `${path}/messages/msg_unknown`, { key })
    expect(unknown).toMatchObject({ status: 404, json: { code: 'message_not_found' } })
    expect((await call('GET', `${path}/messages`, { key, query: { status: 'queued' } })).json.items).toMatchObject([
      { messageId: going.json.messageId },
    ])
    const ofChat = await call('GET', `${path}/messages`, { key, query: { chat: '+94 71 451 5253', status: 'failed' } })
    expect(ofChat.json.items).toMatchObject([{ messageId: json.messageId }])
    expect((await call('GET', `${path}/messages`, { key, query: { status: 'gone' } })).status).toBe(400)
  })

  test('a scheduled send waits, its deadline counts from its time, and the same call again is the same send', async () => {
    const { path } = await linked()
    const sendAt = new Date(Date.now() + 86_400_000).toISOString()
    const headers = { 'idempotency-key': 'tomorrow' }
    const body = { ...text(), sendAt: sendAt.replace('Z', '+00:00'), expiresInSeconds: 60 }
    const accepted = await call('POST', `${path}/messages`, { key, headers, body })
    expect(accepted).toMatchObject({ status: 202, json: { status: 'queued' } })
    expect((await call('POST', `${path}/messages`, { key, headers, body })).json).toEqual(accepted.json)
    const shown = await call('GET', `${path}/messages/${accepted.json.messageId}`, { key })
    const deadlineAt = new Date(Date.parse(sendAt) + 60_000).toISOString()
    expect(messageSchema.parse(shown.json)).toMatchObject({ sendAt, deadlineAt, enqueuedAt: expect.any(String) })
    const another = await call('POST', `${path}/messages`, { key, headers, body: { ...body, sendAt: undefined } })
    expect(another).toMatchObject({ status: 409, json: { code: 'idempotency_conflict' } })
    const cancelled = await call('DELETE', `${path}/messages/${accepted.json.messageId}`, { key })
    expect(cancelled).toMatchObject({ status: 200, json: { error: { code: 'cancelled' } } })
    for (const wrong of [new Date(Date.now() - 1_000), new Date(Date.now() + 31 * 86_400_000), 'tomorrow']) {
      const refused = await call('POST', `${path}/messages`, { key, body: { ...text(), sendAt: wrong } })
      expect(refused).toMatchObject({ status: 400, json: { code: 'invalid_request', errors: [{ field: 'sendAt' }] } })
    }
  })

  test('the history has both directions, newest first, in pages', async () => {
    const { path, ref } = await linked()
    const bodies = ['one', 'two', 'three']
    for (const body of bodies) await call('POST', `${path}/messages`, { key, body: text(body) })
    const at = new Date(Date.now() + 1_000).toISOString()
    await cloud.stores.workerMessages.putInbound({
      ...ref,
      key: 'in#00000000000000000000000001',
      messageId: 'wam_00000000000000000000000001',
      whatsappId: 'ABC',
      chat: '94770000000@s.whatsapp.net',
      direction: 'inbound',
      from: { phoneNumber: '+94770000000', name: 'Ann' },
      content: { type: 'text', text: { body: 'four' } },
      sentAt: at,
      receivedAt: at,
      version: 1,
      epoch: 1,
      createdAt: at,
      updatedAt: at,
      expireAt: Math.floor(Date.now() / 1000) + 1_000,
    })
    const first = await call('GET', `${path}/messages`, { key, query: { limit: '3' } })
    const second = await call('GET', `${path}/messages`, { key, query: { limit: '3', next: first.json.next } })
    const items = [...first.json.items, ...second.json.items].map((item) => messageSchema.parse(item))
    expect(items.map((item) => item.text?.body)).toEqual(['four', 'three', 'two', 'one'])
    expect(items[0]).toMatchObject({ direction: 'inbound', from: { name: 'Ann' } })
    const inbound = await call('GET', `${path}/messages/wam_00000000000000000000000001`, { key })
    expect(inbound.json.text.body).toBe('four')
  })

  test('ids that are not there are named as what they are', async () => {
    const { path } = await linked()
    expect((await call('GET', `${path}/messages/msg_none`, { key })).json.code).toBe('message_not_found')
    for (const at of [
      '/connections/con_none',
      '/connections/con_none/messages',
      '/connections/con_none/messages/msg_1',
    ]) {
      const missing = await call('GET', at, { key })
      expect(missing).toMatchObject({
        status: 404,
        headers: { 'content-type': 'application/problem+json' },
        json: { code: 'connection_not_found', title: sentences.connectionNotFound },
      })
    }
    expect((await call('POST', '/connections/con_none/messages', { key, body: text() })).json.code).toBe(
      'connection_not_found',
    )
  })
})
