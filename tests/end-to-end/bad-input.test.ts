import { randomUUID } from 'node:crypto'
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Rest, rest } from './callers.ts'
import { expectContractKept } from './contract/kept.ts'
import { type RunningPlace, startPlace } from './place.ts'
import { Story } from './story.ts'
import { Tenants } from './tenants/tenant.ts'
import { leaksIn, walkIds, walkLists } from './tenants/walk.ts'

let place: RunningPlace
let story: Story
let tenant: Rest
let connection: string
const json = { 'content-type': 'application/json' }

beforeAll(async () => {
  place = await startPlace({ targets: 'any' })
  story = new Story(place, { stepMs: 30_000 })
  await story.adminCreatesProfileAndKey()
  await story.clientWatches()
  await story.phoneIsLinkedByQr()
  tenant = story.tenant
  connection = story.connectionId
})
afterAll(async () => {
  story?.close()
  await place?.stop()
})

/** Status, code, and the fields that the problem names. */
async function problemOf(answer: Awaited<ReturnType<Rest['get']>>) {
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(answer.body).toMatchObject({ type: expect.any(String), title: expect.any(String), status: answer.status })
  const fields = new Set((answer.body.errors ?? []).map((error: { field: string }) => error.field))
  return { status: answer.status, code: answer.body.code, fields: [...fields] }
}

function urlOf(output: string): string {
  const url = place.local.outputs[`Holdfast-dev-Stateful.${output}`]
  if (url === undefined) throw new Error(`the template has no output ${output}`)
  return url
}

const text = { to: '+4915112345678', type: 'text', text: { body: 'hi' } }

describe('a send that is not right is a problem that names the field', () => {
  it.each([
    ['no recipient', { type: 'text', text: { body: 'hi' } }, ['to']],
    ['a recipient of the wrong type', { ...text, to: 4915112345678 }, ['to']],
    ['a number that is none', { ...text, to: '+49' }, ['to']],
    ['an unknown kind', { ...text, type: 'telegram' }, ['type']],
    ['an empty body', { ...text, text: { body: '' } }, ['text.body']],
    ['a field that does not exist', { ...text, colour: 'green' }, ['colour']],
    ['a deadline that is none', { ...text, expiresInSeconds: -1 }, ['expiresInSeconds']],
  ])('%s', async (_what, body, fields) => {
    const answer = await tenant.post(`/connections/${connection}/messages`, body)
    expect(await problemOf(answer)).toMatchObject({ status: 400, code: 'invalid_request', fields })
  })
})

describe('a request that is not right', () => {
  it.each([
    ['malformed JSON', 'POST', '/connections', '{"label":', json, 400, 'malformed_json'],
    [
      'another content type',
      'POST',
      '/connections',
      'label=x',
      { 'content-type': 'text/plain' },
      415,
      'unsupported_media_type',
    ],
    [
      'a body over the limit',
      'POST',
      '/connections',
      JSON.stringify({ label: 'x'.repeat(300_000) }),
      json,
      413,
      'payload_too_large',
    ],
    ['an unknown route', 'GET', '/conections', undefined, {}, 404, 'not_found'],
    ['another method', 'PUT', '/connections', '{}', json, 405, 'method_not_allowed'],
    [
      'an unknown connection',
      'GET',
      '/connections/con_00000000000000000000',
      undefined,
      {},
      404,
      'connection_not_found',
    ],
    ['a cursor that is none', 'GET', '/connections?cursor=xyz', undefined, {}, 400, undefined],
  ])('%s', async (_what, method, path, body, headers, status, code) => {
    const problem = await problemOf(await tenant.raw(method, path, body, headers))
    expect(problem.status).toBe(status)
    if (code !== undefined) expect(problem.code).toBe(code)
  })

  it('an unknown message', async () => {
    const answer = await tenant.get(`/connections/${connection}/messages/msg_00000000000000000000000000`)
    expect(await problemOf(answer)).toMatchObject({ status: 404, code: 'message_not_found' })
  })
})

describe('a key that is not right', () => {
  it.each([
    ['missing', undefined, 401, 'missing_api_key'],
    ['wrong', 'hf_nobody_nothing', 401, 'invalid_api_key'],
  ])('%s', async (_what, key, status, code) => {
    const answer = await rest(place.httpUrl, key).get('/connections')
    expect(await problemOf(answer)).toMatchObject({ status, code })
  })

  it("a tenant's key opens no admin route, and the admin's key no tenant's", async () => {
    expect(await problemOf(await tenant.get('/admin/business-profiles'))).toMatchObject({ status: 403 })
    expect(await problemOf(await story.admin.get('/connections'))).toMatchObject({ status: 403 })
  })

  it('another tenant finds nothing, on no route', async () => {
    const makers = new Tenants(place)
    const [owner, stranger] = await Promise.all([makers.make('marka1'), makers.make('markb2')])
    makers.close()
    expect(await walkLists(owner, stranger)).toEqual([])
    const steps = await walkIds(owner, stranger.rest)
    expect(steps.length).toBeGreaterThan(40)
    expect(leaksIn(steps, owner)).toEqual([])
  })
})

describe.each([
  ['the standard sends queue', 'SendsQueueUrl', 'SendsDeadLettersUrl', false],
  ['the FIFO sends queue', 'SendsFifoQueueUrl', 'SendsFifoDeadLettersUrl', true],
])('%s', (_what, queue, deadLetters, fifo) => {
  it('puts what it cannot take into its dead-letter queue with the reason, and blocks nothing', async () => {
    const { region, endpoint, credentials } = place.aws
    const sqs = new SQSClient({ region, endpoint, credentials })
    // All in one group: what is put aside does not hold up what follows it there.
    const inGroup = () => (fifo ? { MessageGroupId: 'poison', MessageDeduplicationId: randomUUID() } : {})
    const post = (body: string) =>
      sqs.send(new SendMessageCommand({ QueueUrl: urlOf(queue), MessageBody: body, ...inGroup() }))
    const stranger = new Story(place, { stepMs: 30_000 })
    await stranger.adminCreatesProfileAndKey()
    const known = { version: 1, businessProfileId: story.businessProfileId, connectionId: connection }
    const poison: readonly [string, RegExp][] = [
      ['not json', /JSON/i],
      ['[]', /expected object/i],
      [JSON.stringify({ ...known, ...text, to: 'nobody' }), /\bto\b/],
      [JSON.stringify({ ...known, ...text, to: 4915112345678 }), /\bto\b/],
      [JSON.stringify({ ...known, ...text, text: { body: 'x'.repeat(200_000) } }), /\btext\.body\b/],
      [JSON.stringify({ ...known, ...text, version: 7 }), /version/],
      [JSON.stringify({ ...known, to: text.to, type: 'image', image: { link: 'file:///etc/passwd' } }), /image\.link/],
      [JSON.stringify({ ...known, ...text, connectionId: 'con_00000000000000000000' }), /Connection not found/],
      [JSON.stringify({ ...known, ...text, businessProfileId: stranger.businessProfileId }), /Connection not found/],
    ]
    for (const [body] of poison) await post(body)
    const behind = `Behind the poison of ${queue}.`
    await post(JSON.stringify({ ...known, ...text, text: { body: behind } }))
    await story.watcher.next(
      'what was behind the poison',
      ({ event, data }) => event === 'message-status' && data.text?.body === behind && data.status === 'delivered',
    )

    const reasons = new Map<string, string>()
    for (const deadline = Date.now() + 30_000; reasons.size < poison.length && Date.now() < deadline; ) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: urlOf(deadLetters),
          MaxNumberOfMessages: 10,
          WaitTimeSeconds: 1,
          MessageAttributeNames: ['All'],
        }),
      )
      for (const message of Messages) {
        reasons.set(message.Body ?? '', message.MessageAttributes?.reason?.StringValue ?? '')
      }
    }
    sqs.destroy()
    for (const [body, reason] of poison)
      expect([body.slice(0, 300), reasons.get(body)]).toEqual([body.slice(0, 300), expect.stringMatching(reason)])
    // What its alarm watches.
    const rejected = () => place.local.metrics().some(({ name }) => name === 'SendsRejected')
    await expect.poll(rejected, { timeout: 30_000 }).toBe(true)
  })
})

describe('the live API', () => {
  it('refuses a ticket that was spent', async () => {
    const { body } = await tenant.post('/live/tickets')
    const url = `${place.liveUrl}?ticket=${encodeURIComponent(body.ticket)}`
    const outcome = () =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(url)
        socket.addEventListener('open', () => {
          socket.close()
          resolve('opened')
        })
        socket.addEventListener('error', () => resolve('refused'))
      })
    expect(await outcome()).toBe('opened')
    expect(await outcome()).toBe('refused')
  })
})

it('the served contract is kept by every operation, for good requests and bad ones', () =>
  expectContractKept(place, story, 1))
