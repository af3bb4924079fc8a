import { ThrottlingException } from '@aws-sdk/client-dynamodb'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { log as Log } from '../../functions/log.ts'
import { connectionKey } from '../../shared/aws/ids.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import { type Cloud, startCloud } from './cloud.ts'
import { type RestClient, restClient } from './rest-client.ts'
import { createTenant } from './tenant.ts'

/** What the emulators never do: throttle, refuse, answer nothing. */
let cloud: Cloud
let call: RestClient
let key: string
let log: typeof Log
let path: string
let ref: ConnectionRef

beforeAll(async () => {
  cloud = await startCloud()
  ;({ log } = await import('../../functions/log.ts'))
  call = await restClient()
  const tenant = await createTenant(call)
  key = tenant.key
  const { businessProfileId } = tenant
  const { connectionId } = (await call('POST', '/connections', { key, body: { label: 'x' } })).json
  path = `/connections/${connectionId}`
  ref = { businessProfileId, connectionId }
  const row = await cloud.stores.connections.get(ref)
  const now = new Date().toISOString()
  await cloud.stores.worker.update(
    ref,
    1,
    {
      status: 'connected',
      reason: 'open',
      message: 'x',
      linkedAt: now,
      handledCommandId: row?.command?.commandId ?? null,
    },
    now,
  )
  await cloud.doorbells()
})
afterAll(() => cloud?.stop())
afterEach(() => vi.restoreAllMocks())

const send = { to: '+94714515253', type: 'text', text: { body: 'hello' } }

test('a throttled table is 503 with Retry-After', async () => {
  const documents = mockClient(DynamoDBDocumentClient)
  try {
    documents.on(GetCommand).rejects(new ThrottlingException({ message: 'slow', $metadata: {} }))
    expect(await call('GET', path, { key })).toMatchObject({
      status: 503,
      json: { code: 'unavailable' },
      headers: { 'retry-after': '1' },
    })
  } finally {
    documents.restore()
  }
})

test('an error that nobody expected says nothing of itself', async () => {
  const documents = mockClient(DynamoDBDocumentClient)
  try {
    documents.on(GetCommand).rejects(new Error('secret detail of the table'))
    const answer = await call('GET', path, { key })
    expect(answer).toMatchObject({ status: 500, json: { code: 'internal' } })
    expect(answer.text).not.toContain('secret detail')
  } finally {
    documents.restore()
  }
})

test('a creation whose answer from the table was lost, and which the SDK therefore made again, is one creation', async () => {
  const { send } = DynamoDBDocumentClient.prototype
  const puts = vi.spyOn(DynamoDBDocumentClient.prototype, 'send').mockImplementation(async function (
    this: DynamoDBDocumentClient,
    ...args: unknown[]
  ) {
    const again = () => Reflect.apply(send, this, args)
    if (args[0] instanceof PutCommand) await again()
    return again()
  } as typeof send)
  const answer = await call('POST', '/connections', { key, body: { label: 'Once' } })
  expect(answer).toMatchObject({ status: 201, json: { label: 'Once', version: 1 } })
  puts.mockRestore()
  const { json } = await call('GET', '/connections', { key })
  expect(json.items.filter((item: { label: string }) => item.label === 'Once')).toHaveLength(1)
  expect(await cloud.doorbells()).toMatchObject([{ connectionId: answer.json.connectionId }])
})

test('a send whose doorbell does not ring is accepted all the same; the replay rings', async () => {
  const headers = { 'idempotency-key': 'k' }
  const queues = mockClient(SQSClient)
  let first: Awaited<ReturnType<RestClient>>
  try {
    queues.on(SendMessageCommand).rejects(new Error('no'))
    first = await call('POST', `${path}/messages`, { key, headers, body: send })
    expect(first).toMatchObject({ status: 202, json: { status: 'queued' } })
  } finally {
    queues.restore()
  }
  expect(await cloud.doorbells()).toEqual([])
  expect((await call('POST', `${path}/messages`, { key, headers, body: send })).json).toEqual(first.json)
  expect(await cloud.doorbells()).toMatchObject([{ messageId: first.json.messageId, generation: 1 }])
})

test("a command whose doorbell does not ring is the caller's to repeat, and rings then", async () => {
  const queues = mockClient(SQSClient)
  try {
    queues.on(SendMessageCommand).rejects(new Error('no'))
    expect((await call('POST', `${path}/restart`, { key })).status).toBe(500)
  } finally {
    queues.restore()
  }
  expect((await call('POST', `${path}/restart`, { key })).status).toBe(202)
  expect(await cloud.doorbells()).toMatchObject([{ command: 'restart' }])
})

test('over the limit of waiting sends it is 429 with Retry-After', async () => {
  const { documents, table } = cloud.tables.messages
  const counter = { connectionKey: connectionKey(ref), key: 'counter' }
  const full = new UpdateCommand({
    TableName: table,
    Key: counter,
    UpdateExpression: 'SET waiting = :n',
    ExpressionAttributeValues: { ':n': 5_000 },
  })
  await documents.send(full)
  // The count is wrong: it is set right instead of refusing.
  expect((await call('POST', `${path}/messages`, { key, body: send })).status).toBe(202)
  await documents.send(full)
  expect(await call('POST', `${path}/messages`, { key, body: send })).toMatchObject({
    status: 429,
    json: { code: 'too_many_waiting', detail: 'At most 5000 sends of a connection may wait.' },
    headers: { 'retry-after': '10' },
  })
  await cloud.stores.messages.recount(ref, (await cloud.stores.connections.get(ref))?.partition ?? 0)
})

test('keys, texts and tickets reach no log', async () => {
  const lines: string[] = []
  for (const method of ['debug', 'info', 'warn', 'error', 'log'] as const) {
    vi.spyOn(console, method).mockImplementation((...args) => void lines.push(args.join(' ')))
  }
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    lines.push(String(chunk))
    return true
  })
  log.setLogLevel('DEBUG')
  try {
    const ticket = await call('POST', '/live/tickets', { key })
    expect(ticket).toMatchObject({ status: 201, json: { expiresAt: expect.any(String) } })
    await call('POST', `${path}/messages`, { key, body: { ...send, text: { body: 'private words' } } })
    await call('GET', '/connections', { key: 'a-wrong-key' })
    const text = lines.join('\n')
    expect(text).toContain('send accepted')
    for (const secret of [key, ticket.json.ticket, 'private words', 'a-wrong-key', '94714515253']) {
      expect(text).not.toContain(secret)
    }
  } finally {
    log.setLogLevel('SILENT')
    write.mockRestore()
  }
})
