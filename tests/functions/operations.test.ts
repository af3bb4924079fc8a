import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LiveFrame } from '../../shared/api/live.ts'
import { apiOperations, workerOperations } from '../../shared/aws/operations.ts'
import type { OperationOutcome } from '../../shared/domain/operations.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import { adminApiKey, type Cloud, image, lambdaContext, startCloud, streamRecord } from './cloud.ts'
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

/** A connection as a worker leaves it after a scan, or as it is before one. */
async function connection(linked = true): Promise<{ readonly ref: ConnectionRef; readonly path: string }> {
  const { json } = await call('POST', '/connections', { key, body: { label: 'Primary Device' } })
  const ref = { businessProfileId, connectionId: json.connectionId as string }
  const now = new Date().toISOString()
  const row = await cloud.stores.connections.get(ref)
  if (linked) {
    const open = { status: 'connected', reason: 'open', message: 'Connected to WhatsApp.', linkedAt: now } as const
    await cloud.stores.worker.update(ref, 1, { ...open, handledCommandId: row?.command?.commandId ?? null }, now)
  }
  await cloud.doorbells()
  return { ref, path: `/connections/${ref.connectionId}` }
}

const worker = () => workerOperations(cloud.tables.messages)
const contacts = [{ phoneNumber: '+94714515253', onWhatsApp: true, lid: '1@lid' }]
const done: OperationOutcome = { status: 'succeeded', result: { contacts } }
const asked = { phoneNumbers: ['94 71 451 5253', '+94714515253'] }
const soon = { prefer: 'respond-async' }

/** Does what a worker does, as soon as the doorbell rings. */
async function answerWith(outcome: OperationOutcome): Promise<void> {
  for (;;) {
    const [rung] = (await cloud.doorbells()).filter(({ kind }) => kind === 'operation')
    if (rung === undefined) continue
    await worker().complete(
      rung as unknown as ConnectionRef,
      String(rung.operationId),
      1,
      outcome,
      new Date().toISOString(),
    )
    return
  }
}

describe('a call that asks for an operation', () => {
  test('waits, and is answered with its end', async () => {
    const { path, ref } = await connection()
    const [response] = await Promise.all([
      call('POST', `${path}/contacts/check`, { key, body: asked, headers: { prefer: 'wait=20' } }),
      answerWith(done),
    ])
    expect(response.status).toBe(200)
    expect(response.headers['preference-applied']).toBe('wait=20')
    expect(response.json).toMatchObject({
      kind: 'check_contacts',
      connectionId: ref.connectionId,
      status: 'succeeded',
      result: { contacts },
    })
    expect(Object.keys(response.json)).not.toContain('request')
  })

  test('that failed is answered with the failure, and the call was good', async () => {
    const { path } = await connection()
    const error = { code: 'forbidden', message: 'No.', whatsappCode: '403' } as const
    const [response] = await Promise.all([
      call('GET', `${path}/groups/120363041234567890`, { key }),
      answerWith({ status: 'failed', error }),
    ])
    expect(response).toMatchObject({ status: 200, json: { kind: 'get_group', status: 'failed', error } })
    expect(response.headers).not.toHaveProperty('preference-applied')
  })

  test('that would not wait gets where to look, and rings for what was asked', async () => {
    const { path, ref } = await connection()
    const response = await call('POST', `${path}/contacts/check`, { key, body: asked, headers: soon })
    expect(response.status).toBe(202)
    const { operationId } = response.json
    expect(response.headers).toMatchObject({
      location: `${path}/operations/${operationId}`,
      'retry-after': '1',
      'preference-applied': 'respond-async',
    })
    const row = await cloud.stores.connections.get(ref)
    expect(await cloud.doorbells()).toEqual([
      { kind: 'operation', partition: row?.partition, ...ref, operationId, ringId: expect.any(String) },
    ])
    expect(await worker().get(ref, operationId)).toMatchObject({
      request: { kind: 'check_contacts', phoneNumbers: ['+94714515253'] },
      status: 'pending',
      origin: { requestId: response.headers['x-request-id'] },
    })
    expect(await call('GET', `${path}/operations/${operationId}`, { key })).toMatchObject({
      status: 200,
      json: { operationId, status: 'pending' },
    })
    await worker().complete(ref, operationId, 1, done, new Date().toISOString())
    expect(await call('GET', `${path}/operations/${operationId}`, { key })).toMatchObject({
      status: 200,
      json: { operationId, status: 'succeeded', result: { contacts } },
    })
  })

  test.each([
    ['wait=1', 'wait=1'],
    ['respond-async, wait=1', 'wait=1'],
    ['handling=lenient, wait=0', 'wait=0'],
    ['WAIT = "0"; x=1', 'wait=0'],
  ])('that prefers %s gets %s, and a pending operation where nobody answers', async (prefer, applied) => {
    const { path } = await connection()
    const response = await call('GET', `${path}/groups`, { key, headers: { prefer } })
    expect(response).toMatchObject({ status: 202, json: { kind: 'list_groups', status: 'pending' } })
    expect(response.headers['preference-applied']).toBe(applied)
  })

  test('of a connection that was never linked fails at once, and nothing rings', async () => {
    const { path } = await connection(false)
    const response = await call('POST', `${path}/contacts/check`, { key, body: asked })
    expect(response).toMatchObject({ status: 200, json: { status: 'failed', error: { code: 'no_active_connection' } } })
    expect(await cloud.doorbells()).toEqual([])
  })
})

describe('idempotency', () => {
  const group = { subject: 'Tea', participants: ['+94714515253'] }
  const create = (path: string, body: object, idempotencyKey = 'order-1') =>
    call('POST', `${path}/groups`, { key, body, headers: { ...soon, 'idempotency-key': idempotencyKey } })

  test('the same key and request are one operation, also after it ended', async () => {
    const { path, ref } = await connection()
    const first = await create(path, group)
    const again = await create(path, { participants: ['94714515253'], subject: ' Tea ' })
    expect(again.json).toEqual(first.json)
    const error = { code: 'unconfirmed', message: 'Who knows.' } as const
    await worker().complete(ref, first.json.operationId, 1, { status: 'failed', error }, new Date().toISOString())
    expect(await create(path, group)).toMatchObject({
      status: 200,
      json: { operationId: first.json.operationId, status: 'failed', error },
    })
  })

  test('the same key with another request is a conflict; another key or connection is another operation', async () => {
    const { path } = await connection()
    const other = await connection()
    const first = await create(path, group)
    expect(await create(path, { ...group, subject: 'Coffee' })).toMatchObject({
      status: 409,
      json: { code: 'idempotency_conflict' },
    })
    const ids = [first, await create(path, group, 'order-2'), await create(other.path, group)]
    expect(new Set(ids.map(({ json }) => json.operationId)).size).toBe(3)
  })

  test('a message and an operation may have the same key', async () => {
    const { path } = await connection()
    const body = { to: '+94714515253', type: 'text', text: { body: 'Hello' } }
    const sent = await call('POST', `${path}/messages`, { key, body, headers: { 'idempotency-key': 'order-1' } })
    expect([sent.status, (await create(path, group)).status]).toEqual([202, 202])
  })
})

describe('who may', () => {
  test("another tenant's connection and operation are not found", async () => {
    const { path } = await connection()
    const { json } = await call('GET', `${path}/groups`, { key, headers: soon })
    const other = await createTenant(call, 'Other')
    for (const target of [`${path}/operations/${json.operationId}`, `${path}/groups`]) {
      expect(await call('GET', target, { key: other.key })).toMatchObject({
        status: 404,
        json: { code: 'connection_not_found' },
      })
    }
    expect(await call('GET', `${path}/operations/opr_none`, { key })).toMatchObject({
      status: 404,
      json: { code: 'operation_not_found' },
    })
  })

  test('a key sees the operations that it may ask for', async () => {
    const { path } = await connection()
    const made = await call('POST', `/admin/business-profiles/${businessProfileId}/api-keys`, {
      key: adminApiKey,
      body: { scopes: ['groups'] },
    })
    const groupsOnly = String(made.json.apiKey)
    const groups = await call('GET', `${path}/groups`, { key: groupsOnly, headers: soon })
    const blocked = await call('GET', `${path}/blocked-contacts`, { key, headers: soon })
    expect(groups.status).toBe(202)
    const look = (operationId: string) => call('GET', `${path}/operations/${operationId}`, { key: groupsOnly })
    expect(await look(groups.json.operationId)).toMatchObject({ status: 200 })
    expect(await look(blocked.json.operationId)).toMatchObject({ status: 403, json: { code: 'wrong_scope' } })
    expect(await call('GET', `${path}/blocked-contacts`, { key: groupsOnly })).toMatchObject({ status: 403 })
  })
})

describe('what was asked', () => {
  test.each([
    ['POST', '/contacts/check', { phoneNumbers: [] }, 'phoneNumbers'],
    ['POST', '/contacts/check', { phoneNumbers: ['nobody'] }, 'phoneNumbers.0'],
    ['POST', '/contacts/check', { phoneNumbers: Array(101).fill('+94714515253') }, 'phoneNumbers'],
    ['GET', '/contacts/nobody', undefined, 'contact'],
    ['GET', '/contacts/120363041234567890@g.us', undefined, 'contact'],
    ['POST', '/blocked-contacts', {}, 'contact'],
    ['POST', '/groups', { subject: ' ', participants: ['+94714515253'] }, 'subject'],
    ['POST', '/groups', { subject: 'Tea', participants: [] }, 'participants'],
    ['POST', '/groups', { subject: 'Tea', participants: ['120363041234567890@g.us'] }, 'participants.0'],
    ['POST', '/groups/join', { invite: 'https://example.com/Gx0AbCdEfGhIjKlMnOpQrS' }, 'invite'],
    ['PATCH', '/groups/120363041234567890', {}, 'body'],
    ['PATCH', '/groups/tea', { subject: 'Tea' }, 'groupId'],
    ['POST', '/groups/120363041234567890/picture', { jpeg: 'aGVsbG8=' }, 'jpeg'],
  ])('%s %s with %j is refused, naming %s', async (method, target, body, field) => {
    const { path } = await connection()
    const response = await call(method, path + target, { key, ...(body === undefined ? {} : { body }) })
    expect(response).toMatchObject({ status: 400, json: { code: 'invalid_request', errors: [{ field }] } })
  })

  test.each([
    [
      'POST',
      '/contacts/94714515253/presence',
      {},
      { kind: 'subscribe_presence', contact: '94714515253@s.whatsapp.net' },
    ],
    ['DELETE', '/blocked-contacts/+94714515253', undefined, { kind: 'unblock_contact' }],
    [
      'POST',
      '/groups/join',
      { invite: 'https://chat.whatsapp.com/Gx0AbCdEfGhIjK?mode=ac' },
      { code: 'Gx0AbCdEfGhIjK' },
    ],
    [
      'PATCH',
      '/groups/12036304@g.us',
      { description: null, locked: true },
      { group: '12036304@g.us', description: null },
    ],
    [
      'POST',
      '/groups/12036304/picture',
      { jpeg: '/9j/4AAQSkZJRg==' },
      { kind: 'set_group_picture', jpeg: '/9j/4AAQSkZJRg==' },
    ],
    ['DELETE', '/groups/12036304/picture', undefined, { kind: 'set_group_picture', group: '12036304@g.us' }],
    ['POST', '/groups/12036304/admins/remove', { participants: ['1234567@lid'] }, { participants: ['1234567@lid'] }],
    ['POST', '/groups/12036304/invite/revoke', undefined, { kind: 'revoke_group_invite' }],
  ])('%s %s is understood', async (method, target, body, request) => {
    const { path, ref } = await connection()
    const response = await call(method, path + target, { key, headers: soon, ...(body === undefined ? {} : { body }) })
    expect(response.status).toBe(202)
    expect(await worker().get(ref, response.json.operationId)).toMatchObject({ request })
  })
})

describe('live', () => {
  test('its end is told once, with the answer; that it is pending is not', async () => {
    const { handler } = await import('../../functions/streams/publish-messages.ts')
    const { path, ref } = await connection()
    const { json } = await call('POST', `${path}/contacts/check`, { key, body: asked, headers: soon })
    const at = { connectionKey: `${businessProfileId}#${ref.connectionId}`, key: `operation#${json.operationId}` }
    const pending = await image(cloud.tables.messages, at)
    await worker().complete(ref, json.operationId, 1, done, new Date().toISOString())
    const ended = await image(cloud.tables.messages, at)
    const socket = `socket-${json.operationId}`
    const ticket = await cloud.stores.live.createTicket(businessProfileId, new Date(Date.now() + 60_000).toISOString())
    await cloud.stores.live.spendTicket(ticket, socket, new Date().toISOString())
    cloud.services.behave(socket, 'open')
    const Records = [
      streamRecord({ after: pending }),
      streamRecord({ before: pending, after: ended }),
      streamRecord({ before: ended, after: ended }),
    ]
    expect(await handler({ Records }, lambdaContext)).toEqual({ batchItemFailures: [] })
    const frames: LiveFrame[] = cloud.services.frames(socket)
    expect(frames).toMatchObject([
      {
        event: 'operation-completed',
        connectionId: ref.connectionId,
        data: { status: 'succeeded', result: { contacts } },
      },
    ])
  })
})

describe('the sweep', () => {
  test('ends what no worker ended: expired, or unconfirmed where it was begun', async () => {
    const { handler } = await import('../../functions/schedule/sweep.ts')
    const { ref } = await connection()
    const partition = (await cloud.stores.connections.get(ref))?.partition ?? 0
    const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString()
    const rows = [
      { operationId: 'opr_late', deadlineAt: ago(30) },
      { operationId: 'opr_begun', deadlineAt: ago(30), begunBy: '1:x' },
      { operationId: 'opr_now', deadlineAt: ago(2) },
    ]
    for (const row of rows) {
      await apiOperations(cloud.tables.messages).accept({
        ...ref,
        request: { kind: 'list_groups' },
        status: 'pending',
        partition,
        requestHash: 'hash',
        version: 1,
        epoch: 0,
        createdAt: ago(100),
        updatedAt: ago(100),
        expireAt: 2_000_000_000,
        ...row,
      })
    }
    await handler({} as never, lambdaContext)
    const codes = await Promise.all(
      rows.map(async ({ operationId }) => (await worker().get(ref, operationId))?.error?.code),
    )
    expect(codes).toEqual(['expired', 'unconfirmed', undefined])
  })
})
