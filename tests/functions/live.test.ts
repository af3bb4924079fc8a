import type { DynamoDBBatchResponse, DynamoDBRecord, SQSEvent } from 'aws-lambda'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LiveEvent } from '../../functions/live/stack.ts'
import { type LiveFrame, liveFrameSchema, liveMessageSchema } from '../../shared/api/live.ts'
import type { ConnectionChange, ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { OutboundRow } from '../../shared/domain/stores/messages.ts'
import { type Cloud, type Image, image, lambdaContext, startCloud, streamRecord } from './cloud.ts'

let cloud: Cloud
let handlers: Awaited<ReturnType<typeof load>>
let businessProfileId: string
let profiles = 0
let sockets = 0

async function load() {
  return {
    connect: (await import('../../functions/live/connect.ts')).handler,
    disconnect: (await import('../../functions/live/disconnect.ts')).handler,
    message: (await import('../../functions/live/message.ts')).handler,
    publishConnections: (await import('../../functions/streams/publish-connections.ts')).handler,
    publishMessages: (await import('../../functions/streams/publish-messages.ts')).handler,
    snapshot: (await import('../../functions/streams/snapshot.ts')).handler,
    publishRetry: (await import('../../functions/queues/publish-retry.ts')).handler,
  }
}

beforeAll(async () => {
  cloud = await startCloud()
  handlers = await load()
})
afterAll(() => cloud?.stop())
beforeEach(() => {
  businessProfileId = `bp_${++profiles}`
})

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()

function liveEvent(routeKey: string, connectionId: string, rest: Partial<LiveEvent> = {}): LiveEvent {
  return {
    isBase64Encoded: false,
    requestContext: { routeKey, connectionId, requestId: 'request-1' } as LiveEvent['requestContext'],
    ...rest,
  }
}

async function open(query: Record<string, string> = {}, since = 0) {
  const socketId = `socket-${++sockets}`
  const ticket = await cloud.stores.live.createTicket(businessProfileId, inMs(60_000))
  if (since > 0) await cloud.stores.live.spendTicket(ticket, socketId, inMs(-since))
  else {
    const answer = await handlers.connect(
      liveEvent('$connect', socketId, { queryStringParameters: { ticket, ...query } }),
      lambdaContext,
    )
    expect(answer).toEqual({ statusCode: 200 })
  }
  cloud.services.behave(socketId, 'open')
  return socketId
}

async function say(socketId: string, message: unknown): Promise<LiveFrame> {
  const body = typeof message === 'string' ? message : JSON.stringify(message)
  const answer = await handlers.message(liveEvent('$default', socketId, { body }), lambdaContext)
  return liveFrameSchema.parse(JSON.parse(answer.body ?? ''))
}

const subscriptionImage = (socketId: string) =>
  image(cloud.tables.live, { pk: `profile#${businessProfileId}`, sk: `socket#${socketId}` })

let connections = 0
async function connection(change: Partial<ConnectionRow> = {}): Promise<ConnectionRow> {
  const row: ConnectionRow = {
    businessProfileId,
    connectionId: `con_${++connections}`,
    label: 'Primary Device',
    pairing: 'qr',
    status: 'qr_pending',
    reason: 'waiting_for_scan',
    message: 'Scan it.',
    partition: 0,
    epoch: 1,
    version: 1,
    createdAt: inMs(0),
    updatedAt: inMs(0),
    ...change,
  }
  await cloud.stores.connections.create(row)
  return row
}
const connectionImage = ({ connectionId }: ConnectionRow) =>
  image(cloud.tables.connections, { businessProfileId, connectionId })

/** Writes as a worker does and gives the stream's record of it. */
async function change(row: ConnectionRow, fields: ConnectionChange): Promise<DynamoDBRecord> {
  const before = await connectionImage(row)
  const written = await cloud.stores.worker.update(row, 1, fields, inMs(0))
  expect(written.kind).toBe('written')
  return streamRecord({ before, after: await connectionImage(row) })
}

const run = (
  handler: (event: { Records: DynamoDBRecord[] }, context: typeof lambdaContext) => Promise<DynamoDBBatchResponse>,
  ...Records: DynamoDBRecord[]
) => handler({ Records }, lambdaContext).then(({ batchItemFailures }) => batchItemFailures)

const opening = { status: 'connected', reason: 'open', message: 'Connected.' } as const

describe('sockets', () => {
  test('a ticket opens one socket', async () => {
    const ticket = await cloud.stores.live.createTicket(businessProfileId, inMs(60_000))
    const event = liveEvent('$connect', 'socket-a', { queryStringParameters: { ticket } })
    expect(await handlers.connect(event, lambdaContext)).toEqual({ statusCode: 200 })
    const again = await handlers.connect(event, lambdaContext)
    expect([again.statusCode, JSON.parse(again.body ?? '').code]).toEqual([401, 'invalid_ticket'])
  })

  test.each([[undefined], [{}], [{ ticket: 'made-up' }], [{ ticket: '' }]])('%j opens none', async (query) => {
    const event = liveEvent('$connect', 'socket-b', query ? { queryStringParameters: query } : {})
    expect((await handlers.connect(event, lambdaContext)).statusCode).toBe(401)
  })

  test('a ticket that ran out opens none', async () => {
    const ticket = await cloud.stores.live.createTicket(businessProfileId, inMs(-1))
    const event = liveEvent('$connect', 'socket-c', { queryStringParameters: { ticket } })
    expect((await handlers.connect(event, lambdaContext)).statusCode).toBe(401)
  })

  test('a closed socket leaves nothing behind', async () => {
    const socketId = await open()
    await handlers.disconnect(liveEvent('$disconnect', socketId), lambdaContext)
    expect(await cloud.stores.live.subscriptionsOf(businessProfileId)).toEqual([])
    expect(await handlers.disconnect(liveEvent('$disconnect', socketId), lambdaContext)).toEqual({ statusCode: 200 })
  })

  test('ping is answered; nonsense is answered with what is wrong', async () => {
    const socketId = await open()
    expect((await say(socketId, { action: 'ping' })).event).toBe('pong')
    expect(await say(socketId, '{')).toMatchObject({ event: 'error', data: { code: 'malformed_json' } })
    expect(await say(socketId, { action: 'dance' })).toMatchObject({
      event: 'error',
      data: { code: 'invalid_request', errors: [{ field: 'action' }] },
    })
    expect(await say(socketId, { action: 'ping', x: 1 })).toMatchObject({ data: { errors: [{ field: 'x' }] } })
  })

  test('subscribe and unsubscribe say what the socket listens to now', async () => {
    const [one, other] = [await connection(), await connection()]
    const socketId = await open({ connectionId: one.connectionId })
    const listening = async (request: object) => {
      const frame = await say(socketId, request)
      return frame.event === 'subscribed' ? frame.data.connectionIds : frame
    }
    expect(await listening({ action: 'subscribe', connectionId: other.connectionId })).toEqual([
      one.connectionId,
      other.connectionId,
    ])
    expect(await listening({ action: 'unsubscribe', connectionId: one.connectionId })).toEqual([other.connectionId])
    expect(await listening({ action: 'subscribe' })).toBeNull()
    expect(await listening({ action: 'unsubscribe', connectionId: one.connectionId })).toMatchObject({
      event: 'error',
      data: { code: 'invalid_request' },
    })
    expect(await listening({ action: 'unsubscribe' })).toEqual([])
    expect(await listening({ action: 'subscribe', connectionId: 'con_none' })).toMatchObject({
      data: { code: 'connection_not_found' },
    })
  })
})

describe('snapshot', () => {
  test('a new socket gets all connections of its business profile, once', async () => {
    const rows = [await connection(), await connection()]
    const socketId = await open()
    const record = streamRecord({ after: await subscriptionImage(socketId) })
    expect(await run(handlers.snapshot, record)).toEqual([])
    expect(await run(handlers.snapshot, record)).toEqual([])
    const [frame, ...others] = cloud.services.frames(socketId).map((each) => liveFrameSchema.parse(each))
    expect(others).toEqual([])
    expect(frame).toMatchObject({ event: 'snapshot', data: { part: 1, parts: 1 } })
    const found = frame?.event === 'snapshot' ? frame.data.connections.map(({ connectionId }) => connectionId) : []
    expect(found.toSorted()).toEqual(rows.map(({ connectionId }) => connectionId).toSorted())
  })

  test('a socket that named a connection gets that one; another interest brings another snapshot', async () => {
    const [one] = [await connection(), await connection()]
    const socketId = await open({ connectionId: one.connectionId })
    const first = await subscriptionImage(socketId)
    await run(handlers.snapshot, streamRecord({ after: first }))
    await say(socketId, { action: 'subscribe' })
    await run(handlers.snapshot, streamRecord({ before: first, after: await subscriptionImage(socketId) }))
    const counts = cloud.services
      .frames(socketId)
      .map((frame) => frame.event === 'snapshot' && frame.data.connections.length)
    expect(counts).toEqual([1, 2])
  })

  test('a sign of life brings none', async () => {
    const socketId = await open()
    const before = await subscriptionImage(socketId)
    const subscription = await cloud.stores.live.subscriptionOf(socketId)
    if (subscription) await cloud.stores.live.touch(subscription, inMs(5))
    await run(handlers.snapshot, streamRecord({ before, after: await subscriptionImage(socketId) }))
    expect(cloud.services.posts).not.toContain(socketId)
  })

  test('a large one comes in parts that API Gateway takes', async () => {
    const qr = { text: 'q'.repeat(30_000), expiresAt: inMs(20_000) }
    for (let n = 0; n < 9; n++) await connection({ qr })
    const socketId = await open()
    await run(handlers.snapshot, streamRecord({ after: await subscriptionImage(socketId) }))
    const frames = cloud.services.frames(socketId)
    expect(frames.length).toBeGreaterThan(1)
    expect(frames.map((frame) => frame.event === 'snapshot' && [frame.data.part, frame.data.parts])).toEqual(
      frames.map((_, index) => [index + 1, frames.length]),
    )
    expect(
      frames.reduce((sum, frame) => sum + (frame.event === 'snapshot' ? frame.data.connections.length : 0), 0),
    ).toBe(9)
  })

  test('a socket that is not there yet is reported, so that the stream comes again; the others have theirs', async () => {
    const [late, early] = [await open(), await open()]
    const records = [
      streamRecord({ after: await subscriptionImage(late) }),
      streamRecord({ after: await subscriptionImage(early) }),
    ]
    cloud.services.vanish(late)
    expect(await run(handlers.snapshot, ...records)).toEqual([{ itemIdentifier: records[0]?.dynamodb?.SequenceNumber }])
    expect(cloud.services.frames(early)).toHaveLength(1)
    cloud.services.behave(late, 'open')
    expect(await run(handlers.snapshot, ...records)).toEqual([])
    expect([cloud.services.frames(late).length, cloud.services.frames(early).length]).toEqual([1, 1])
  })

  test('a socket that is still not there after 30 seconds is forgotten', async () => {
    const socketId = await open({}, 31_000)
    const record = streamRecord({ after: await subscriptionImage(socketId) })
    cloud.services.vanish(socketId)
    expect(await run(handlers.snapshot, record)).toEqual([])
    expect(await cloud.stores.live.subscriptionOf(socketId)).toBeUndefined()
  })
})

describe('changes of connections', () => {
  test('have the names that frontends listen for', async () => {
    const socketId = await open()
    const row = await connection()
    const steps: [ConnectionChange, string][] = [
      [{ qr: { text: 'one', expiresAt: inMs(20_000) } }, 'whatsapp-qr'],
      [{ qr: { text: 'two', expiresAt: inMs(40_000) } }, 'whatsapp-qr'],
      [{ pairingCode: { code: 'ABCD1234', expiresAt: inMs(40_000) } }, 'connection-updated'],
      [{ ...opening, qr: null, pairingCode: null }, 'whatsapp-connected'],
      [{ restriction: { kind: 'new_chats', until: inMs(60_000) } }, 'connection-updated'],
      [
        { status: 'reconnecting', reason: 'connection_lost', message: 'x', attempt: 1, maxAttempts: 5 },
        'whatsapp-reconnecting',
      ],
      [{ attempt: 2 }, 'whatsapp-reconnecting'],
      [{ status: 'disconnected', reason: 'logged_out', message: 'x', attempt: null }, 'whatsapp-disconnected'],
    ]
    for (const [fields] of steps) await run(handlers.publishConnections, await change(row, fields))
    const frames = cloud.services.frames(socketId)
    expect(frames.map(({ event }) => event)).toEqual(steps.map(([, event]) => event))
    for (const frame of frames) liveFrameSchema.parse(frame)
    const versions = frames.map(({ version }) => version)
    expect(versions).toEqual(versions.toSorted((a, b) => a - b))
    expect(frames[0]).toMatchObject({ connectionId: row.connectionId, data: { qr: { text: 'one' } } })
  })

  test('that nobody can see are not told', async () => {
    const socketId = await open()
    const row = await connection()
    await run(handlers.publishConnections, await change(row, { opening: { workerId: 'w', epoch: 1 }, jid: 'x' }))
    expect(cloud.services.frames(socketId)).toEqual([])
  })

  test('a deletion has a version above the last', async () => {
    const socketId = await open()
    const row = await connection({ version: 7 })
    await run(handlers.publishConnections, streamRecord({ before: await connectionImage(row) }))
    expect(cloud.services.frames(socketId)).toMatchObject([{ event: 'connection-deleted', version: 8 }])
  })

  test('of one batch come folded to the latest state, several in one frame', async () => {
    const socketId = await open()
    const [one, other] = [await connection(), await connection()]
    const records = [
      await change(one, opening),
      await change(other, { label: 'New' }),
      await change(one, { label: 'Desk' }),
    ]
    await run(handlers.publishConnections, ...records)
    expect(cloud.services.messages(socketId)).toHaveLength(1)
    const message = liveMessageSchema.parse(JSON.parse(cloud.services.messages(socketId)[0] ?? ''))
    expect(message).toMatchObject([
      { event: 'connection-updated', connectionId: other.connectionId },
      { event: 'whatsapp-connected', connectionId: one.connectionId, version: 3, data: { label: 'Desk' } },
    ])
  })

  test('keep their name through changes without one, for as long as it is true', async () => {
    const socketId = await open()
    const [back, scanned] = [await connection(opening), await connection()]
    const records = [
      await change(back, { status: 'reconnecting', reason: 'restoring', message: 'x' }),
      await change(back, opening),
      await change(scanned, { qr: { text: 'one', expiresAt: inMs(20_000) } }),
      await change(back, { label: 'Desk' }),
      await change(scanned, { reason: 'passkey_required', message: 'x', qr: null }),
    ]
    await run(handlers.publishConnections, ...records)
    expect(cloud.services.frames(socketId)).toMatchObject([
      { event: 'whatsapp-connected', connectionId: back.connectionId, version: 4, data: { label: 'Desk' } },
      { event: 'connection-updated', connectionId: scanned.connectionId, data: { reason: 'passkey_required' } },
    ])
  })

  test('go to those who listen, and to nobody else', async () => {
    const [row, unwanted] = [await connection(), await connection()]
    const all = await open()
    const some = await open({ connectionId: row.connectionId })
    const none = await open()
    await say(none, { action: 'unsubscribe' })
    const mine = businessProfileId
    businessProfileId = 'bp_other'
    const foreign = await open()
    businessProfileId = mine
    await run(handlers.publishConnections, await change(row, opening), await change(unwanted, opening))
    const counts = [all, some, none, foreign].map((socketId) => cloud.services.frames(socketId).length)
    expect(counts).toEqual([2, 1, 0, 0])
  })

  test('that a socket could not be sent close it, so that its snapshot at reconnect repairs it', async () => {
    const [slow, well] = [await open(), await open()]
    cloud.services.behave(slow, 'throttled')
    const row = await connection()
    expect(await run(handlers.publishConnections, await change(row, opening))).toEqual([])
    expect(cloud.services.closed).toContain(slow)
    expect(cloud.services.frames(well)).toHaveLength(1)
  })

  test('a socket that could not even be closed is closed later', async () => {
    const stuck = await open()
    cloud.services.behave(stuck, 'stuck')
    const row = await connection()
    expect(await run(handlers.publishConnections, await change(row, opening))).toEqual([])
    const event = { Records: await retries() } as SQSEvent
    expect((await handlers.publishRetry(event, lambdaContext)).batchItemFailures).toHaveLength(1)
    cloud.services.behave(stuck, 'open')
    expect((await handlers.publishRetry(event, lambdaContext)).batchItemFailures).toEqual([])
    expect(cloud.services.closed).toContain(stuck)
  })

  test('a gone socket is forgotten, unless it may still be connecting', async () => {
    const [old, young] = [await open({}, 31_000), await open()]
    cloud.services.vanish(old)
    cloud.services.vanish(young)
    const row = await connection()
    expect(await run(handlers.publishConnections, await change(row, opening))).toEqual([])
    const left = await cloud.stores.live.subscriptionsOf(businessProfileId)
    expect(left.map(({ socketId }) => socketId)).toEqual([young])
  })

  test('a record that is no row is put aside and holds up no other', async () => {
    const socketId = await open()
    const row = await connection()
    const strange = streamRecord({ after: { businessProfileId: { S: 'bp' }, connectionId: { S: 'con' } } as Image })
    expect(await run(handlers.publishConnections, strange, await change(row, opening))).toEqual([])
    expect(cloud.services.frames(socketId)).toHaveLength(1)
    const [aside] = await retries()
    expect(JSON.parse(aside?.body ?? '')).toMatchObject({ kind: 'undecodable' })
    const outcome = await handlers.publishRetry({ Records: [aside] } as SQSEvent, lambdaContext)
    expect(outcome.batchItemFailures).toHaveLength(1)
  })
})

async function retries() {
  const messages = await cloud.drain(cloud.urls.publishRetry)
  return messages.map(({ Body, MessageId }) => ({ body: Body ?? '', messageId: MessageId ?? '' }))
}

describe('messages', () => {
  let sends = 0
  async function send(ref: ConnectionRow, body = 'hello'): Promise<OutboundRow> {
    const { outboundKey, whatsappIdOf } = await import('../../shared/aws/ids.ts')
    const messageId = `msg_${++sends}`
    const whatsappId = whatsappIdOf(messageId)
    const accepted = await cloud.stores.messages.accept({
      businessProfileId,
      connectionId: ref.connectionId,
      key: outboundKey(whatsappId),
      messageId,
      whatsappId,
      chat: '94714515253@s.whatsapp.net',
      direction: 'outbound',
      to: '+94714515253',
      content: { type: 'text', text: { body } },
      status: 'queued',
      partition: 0,
      waitingPartition: 0,
      generation: 0,
      deadlineAt: inMs(60_000),
      bodyHash: 'x',
      version: 1,
      epoch: 0,
      createdAt: inMs(0),
      updatedAt: inMs(0),
      expireAt: Math.floor(Date.now() / 1000) + 1_000,
    })
    if (accepted.kind !== 'created') throw new Error(accepted.kind)
    return accepted.row
  }
  const messageImage = ({ connectionId, key }: OutboundRow) =>
    image(cloud.tables.messages, { connectionKey: `${businessProfileId}#${connectionId}`, key })

  test("each status of a send is told, in order, also when they come in one batch; the worker's notes are not lost", async () => {
    const socketId = await open()
    const row = await send(await connection())
    const images = [await messageImage(row)]
    const records = [streamRecord({ after: images[0] })]
    for (const status of ['sent', 'delivered', 'read'] as const) {
      await cloud.stores.workerMessages.step(row, row.whatsappId, 1, { status, at: inMs(0) })
      const after = await messageImage(row)
      records.push(streamRecord({ before: images.at(-1), after }))
      images.push(after)
    }
    await run(handlers.publishMessages, ...records)
    const frames = cloud.services.frames(socketId).map((frame) => liveFrameSchema.parse(frame))
    expect(
      frames.map(
        (frame) => frame.event === 'message-status' && frame.data.direction === 'outbound' && frame.data.status,
      ),
    ).toEqual(['queued', 'sent', 'delivered', 'read'])
    expect(frames[0]).toMatchObject({ data: { messageId: row.messageId, text: { body: 'hello' } } })
  })

  test('a doorbell that rang, a counter and a row that went by age are no news', async () => {
    const socketId = await open()
    const row = await send(await connection())
    const before = await messageImage(row)
    await cloud.stores.messages.markEnqueued(row, row.whatsappId, 1, inMs(0))
    const counter = await image(cloud.tables.messages, {
      connectionKey: `${businessProfileId}#${row.connectionId}`,
      key: 'counter',
    })
    await run(
      handlers.publishMessages,
      streamRecord({ before, after: await messageImage(row) }),
      streamRecord({ after: counter }),
      streamRecord({ before }),
    )
    expect(cloud.services.frames(socketId)).toEqual([])
  })

  test('a text that is too long for a socket is left out, the rest arrives', async () => {
    const socketId = await open()
    const row = await send(await connection(), 'ක'.repeat(60_000))
    await run(handlers.publishMessages, streamRecord({ after: await messageImage(row) }))
    const [frame] = cloud.services.frames(socketId)
    expect(liveFrameSchema.parse(frame)).toMatchObject({ event: 'message-status', data: { truncated: true } })
  })
})
