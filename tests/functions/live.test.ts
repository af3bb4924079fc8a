import { describe, expect, test } from 'vitest'
import { liveFrameSchema } from '../../shared/api/live.ts'
import { lambdaContext, streamRecord } from './cloud.ts'
import {
  businessProfileId,
  cloud,
  connection,
  handlers,
  inMs,
  liveEvent,
  open,
  run,
  say,
  subscriptionImage,
  useLiveScene,
} from './live-scene.ts'

useLiveScene()

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

  test('a socket that it could not be delivered to is closed, so that it comes back for another', async () => {
    const socketId = await open()
    const record = streamRecord({ after: await subscriptionImage(socketId) })
    cloud.services.behave(socketId, 'throttled')
    expect(await run(handlers.snapshot, record)).toEqual([])
    expect(cloud.services.closed).toContain(socketId)
  })

  test('a socket that is still not there after 30 seconds is forgotten', async () => {
    const socketId = await open({}, 31_000)
    const record = streamRecord({ after: await subscriptionImage(socketId) })
    cloud.services.vanish(socketId)
    expect(await run(handlers.snapshot, record)).toEqual([])
    expect(await cloud.stores.live.subscriptionOf(socketId)).toBeUndefined()
  })
})
