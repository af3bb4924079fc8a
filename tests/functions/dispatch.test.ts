import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { acceptInTurn as AcceptInTurn } from '../../functions/queues/in-turn.ts'
import { messageIdOf } from '../../shared/aws/ids.ts'
import { type Cloud, lambdaContext, startCloud } from './cloud.ts'

let cloud: Cloud
let acceptInTurn: typeof AcceptInTurn
let dispatch: (event: SQSEvent) => Promise<string[]>
const ref = { businessProfileId: 'bp_1', connectionId: 'con_1' }

beforeAll(async () => {
  cloud = await startCloud()
  const { handler } = await import('../../functions/queues/dispatch.ts')
  ;({ acceptInTurn } = await import('../../functions/queues/in-turn.ts'))
  dispatch = async (event) =>
    (await handler(event, lambdaContext)).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
  const now = new Date().toISOString()
  await cloud.stores.connections.create({
    ...ref,
    label: 'x',
    pairing: 'qr',
    status: 'connected',
    reason: 'open',
    message: 'x',
    partition: 0,
    epoch: 1,
    version: 1,
    createdAt: now,
    updatedAt: now,
    linkedAt: now,
  })
})
afterAll(() => cloud?.stop())
beforeEach(async () => {
  await cloud.doorbells()
})

let ids = 0
function record(body: unknown, group?: string): SQSRecord {
  const queue = group === undefined ? 'sends' : 'sends.fifo'
  return {
    messageId: `sqs-${++ids}`,
    receiptHandle: 'r',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: '0',
      SenderId: 's',
      ApproximateFirstReceiveTimestamp: '0',
      ...(group === undefined ? {} : { MessageGroupId: group }),
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:eu-west-1:000000000000:${queue}`,
    awsRegion: 'eu-west-1',
  }
}
const send = (body: string, extra: object = {}) => ({
  version: 1,
  ...ref,
  to: '94714515253',
  type: 'text',
  text: { body },
  ...extra,
})

test('a queued send becomes a row and a doorbell; its SQS id is its idempotency key', async () => {
  const message = record(send('hello'))
  expect(await dispatch({ Records: [message] })).toEqual([])
  const messageId = messageIdOf(ref, `sqs:${message.messageId}`)
  expect(await cloud.doorbells()).toMatchObject([{ kind: 'send', messageId, partition: 0 }])
  expect(await cloud.stores.messages.get(ref, messageId)).toMatchObject({ to: '+94714515253', status: 'queued' })
  expect(await dispatch({ Records: [message] })).toEqual([])
  expect(await cloud.doorbells()).toEqual([])
})

test('what it came by goes with the row: the id of the queue message, and the trace of who posted it', async () => {
  const trace = 'Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1'
  const plain = record(send('traced'))
  const message = { ...plain, attributes: { ...plain.attributes, AWSTraceHeader: `${trace};Lineage=1:abc:0` } }
  expect(await dispatch({ Records: [message] })).toEqual([])
  const row = await cloud.stores.messages.get(ref, messageIdOf(ref, `sqs:${message.messageId}`))
  expect(row).toMatchObject({ origin: { requestId: message.messageId, trace } })
})

test('a key of the sender names the same message as over REST', async () => {
  await dispatch({
    Records: [record(send('a', { idempotencyKey: 'k-1' })), record(send('a', { idempotencyKey: 'k-1' }))],
  })
  expect(await cloud.doorbells()).toMatchObject([{ messageId: messageIdOf(ref, 'k-1') }])
})

test.each([
  ['no JSON', '{', 'malformed_json', /not valid JSON/],
  ['another version', { ...send('x'), version: 2 }, 'invalid_request', /^version: must be 1/],
  ['a bad recipient', { ...send('x'), to: 'nobody' }, 'invalid_request', /^to: .*expected/],
  ['an unknown field', { ...send('x'), colour: 1 }, 'invalid_request', /^colour: unknown field/],
  ['a field missing', { version: 1, type: 'text' }, 'invalid_request', /connectionId: is required/],
  ['an unknown connection', { ...send('x'), connectionId: 'con_none' }, 'connection_not_found', /Connection not found/],
  ["another profile's connection", { ...send('x'), businessProfileId: 'bp_2' }, 'connection_not_found', /not found/],
])('%s ends in the dead-letter queue with the reason, and blocks nothing', async (_, body, code, reason) => {
  for (const group of [undefined, 'group-1']) {
    const bad = record(body, group)
    expect(await dispatch({ Records: [bad, record(send('after'), group)] })).toEqual([])
    expect(await cloud.doorbells()).toHaveLength(1)
    const [dead, ...others] = await cloud.drain(group === undefined ? cloud.urls.sendsDlq : cloud.urls.sendsFifoDlq)
    expect(others).toEqual([])
    expect(dead?.Body).toBe(bad.body)
    expect(dead?.MessageAttributes?.code?.StringValue).toBe(code)
    expect(dead?.MessageAttributes?.reason?.StringValue).toMatch(reason)
    expect(dead?.MessageAttributes?.sourceMessageId?.StringValue).toBe(bad.messageId)
  }
})

test('the same key with another body is put aside', async () => {
  await dispatch({ Records: [record(send('one', { idempotencyKey: 'k-2' }))] })
  await dispatch({ Records: [record(send('two', { idempotencyKey: 'k-2' }))] })
  const [dead] = await cloud.drain(cloud.urls.sendsDlq)
  expect(dead?.MessageAttributes?.code?.StringValue).toBe('idempotency_conflict')
})

test('of a standard queue only what failed comes again', async () => {
  const batch = [record(send('a')), record(send('b')), record(send('c'))]
  const failed = await acceptInTurn(batch, async (each) => {
    if (each === batch[1]) throw new Error('the table is busy')
  })
  expect(failed).toEqual([batch[1]?.messageId])
})

test('of a FIFO group that failed the rest waits with it; other groups go on', async () => {
  const batch = [record(send('a1'), 'a'), record(send('b1'), 'b'), record(send('a2'), 'a')]
  const taken: string[] = []
  const failed = await acceptInTurn(batch, async (each) => {
    if (each === batch[0]) throw new Error('the table is busy')
    taken.push(each.messageId)
  })
  expect(failed).toEqual([batch[0]?.messageId, batch[2]?.messageId])
  expect(taken).toEqual([batch[1]?.messageId])
})
