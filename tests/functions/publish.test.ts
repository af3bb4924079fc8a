import type { SQSEvent } from 'aws-lambda'
import { describe, expect, test } from 'vitest'
import { liveFrameSchema, liveMessageSchema } from '../../shared/api/live.ts'
import type { ConnectionChange } from '../../shared/domain/stores/connections.ts'
import { type Image, image, lambdaContext, streamRecord } from './cloud.ts'
import {
  asAnother,
  businessProfileId,
  change,
  cloud,
  connection,
  connectionImage,
  handlers,
  inMs,
  open,
  opening,
  retries,
  run,
  say,
  subscriptionImage,
  useLiveScene,
} from './live-scene.ts'
import { messageImage, send, step } from './message-rows.ts'

useLiveScene()

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
    const foreign = await asAnother(() => open())
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

  test('a QR code that ran out is not shown by a frame that comes late', async () => {
    const row = await connection()
    const socketId = await open()
    const shown = (text: string, ms: number) => change(row, { qr: { text, expiresAt: inMs(ms) } })
    await run(handlers.publishConnections, await shown('one', 20_000))
    await run(handlers.publishConnections, await shown('two', -1))
    const frames = cloud.services.frames(socketId).map((frame) => liveFrameSchema.parse(frame))
    expect(frames).toMatchObject([
      { event: 'whatsapp-qr', data: { qr: { text: 'one' } } },
      { event: 'connection-updated' },
    ])
    expect(JSON.stringify(frames[1])).not.toContain('two')
    const late = await open()
    await run(handlers.snapshot, streamRecord({ after: await subscriptionImage(late) }))
    expect(JSON.stringify(cloud.services.frames(late))).not.toContain('two')
  })

  test('a socket that missed a change hears of nothing after it, and is told so when it asks', async () => {
    const stuck = await open()
    cloud.services.behave(stuck, 'stuck')
    const row = await connection()
    await run(handlers.publishConnections, await change(row, opening))
    cloud.services.behave(stuck, 'open')
    await run(handlers.publishConnections, await change(row, { label: 'Desk' }))
    expect(cloud.services.frames(stuck)).toEqual([])
    expect(await say(stuck, { action: 'ping' })).toMatchObject({ event: 'error', data: { code: 'not_found' } })
    const event = { Records: await retries() } as SQSEvent
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

describe('messages', () => {
  test("each status of a send is told, in order, also when they come in one batch; the worker's notes are not lost", async () => {
    const socketId = await open()
    const row = await send(await connection())
    const records = [streamRecord({ after: await messageImage(row) })]
    for (const status of ['sent', 'delivered', 'read'] as const) records.push(await step(row, status))
    await run(handlers.publishMessages, ...records)
    const frames = cloud.services.frames(socketId).map((frame) => liveFrameSchema.parse(frame))
    expect(
      frames.map(
        (frame) => frame.event === 'message-status' && frame.data.direction === 'outbound' && frame.data.status,
      ),
    ).toEqual(['queued', 'sent', 'delivered', 'read'])
    expect(frames[0]).toMatchObject({ data: { messageId: row.messageId, text: { body: 'hello' } } })
  })

  test('steps that were stored in one write are told one by one, each as the message was then', async () => {
    const socketId = await open()
    const row = await send(await connection())
    await run(handlers.publishMessages, await step(row, 'sent', 'delivered', 'read'), await step(row, 'played'))
    const frames = cloud.services.frames(socketId).map((frame) => liveFrameSchema.parse(frame))
    expect(frames).toMatchObject([
      { version: 2, data: { status: 'sent', version: 2 } },
      { version: 3, data: { status: 'delivered', version: 3 } },
      { version: 4, data: { status: 'read', version: 4 } },
      { version: 5, data: { status: 'played', version: 5 } },
    ])
    expect(new Set(frames.map(({ id }) => id)).size).toBe(4)
    const timesOf = ({ data }: (typeof frames)[number]) =>
      Object.keys(data).filter((name) => /^(sent|delivered|read|played)At$/.test(name))
    expect(frames.map(timesOf)).toEqual([
      ['sentAt'],
      ['sentAt', 'deliveredAt'],
      ['sentAt', 'deliveredAt', 'readAt'],
      ['sentAt', 'deliveredAt', 'readAt', 'playedAt'],
    ])
    for (const frame of frames) {
      if (frame.event !== 'message-status' || frame.data.direction !== 'outbound') throw new Error(frame.event)
      const { status, updatedAt } = frame.data
      expect(frame.at).toBe(updatedAt)
      expect(updatedAt).toBe(frame.data[`${status as 'sent'}At`])
    }
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
