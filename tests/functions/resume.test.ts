import { ThrottlingException } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'
import type { SQSEvent } from 'aws-lambda'
import { mockClient } from 'aws-sdk-client-mock'
import { describe, expect, test } from 'vitest'
import { type LiveFrame, liveMessageSchema } from '../../shared/api/live.ts'
import { lambdaContext, streamRecord } from './cloud.ts'
import {
  asAnother,
  businessProfileId,
  cloud,
  connection,
  handlers,
  inMs,
  liveEvent,
  open,
  retries,
  run,
  subscriptionImage,
  useLiveScene,
} from './live-scene.ts'
import { messageImage, send, step } from './message-rows.ts'

useLiveScene()

/** Comes back with what it heard last, and gives all that it is sent. */
async function comeBack(query: Record<string, string>): Promise<readonly LiveFrame[]> {
  const socketId = await open(query)
  await run(handlers.snapshot, streamRecord({ after: await subscriptionImage(socketId) }))
  return cloud.services.messages(socketId).flatMap((message) => liveMessageSchema.parse(JSON.parse(message)))
}

const statuses = (frames: readonly LiveFrame[]) =>
  frames.flatMap((frame) =>
    frame.event === 'message-status' && frame.data.direction === 'outbound'
      ? [`${frame.data.messageId} ${frame.data.status}`]
      : [],
  )
const resumed = (frames: readonly LiveFrame[]) => frames.filter(({ event }) => event === 'resumed')

describe('a client that comes back', () => {
  test('gets the snapshot, then each message that changed meanwhile as it is now, then the word that this was all', async () => {
    const row = await connection()
    const [one, other] = [await send(row), await send(row)]
    const since = inMs(0)
    await run(handlers.publishMessages, await step(one, 'sent'), await step(other, 'sent'))
    await run(handlers.publishMessages, await step(one, 'delivered'), await step(one, 'read'))
    const frames = await comeBack({ since })
    expect(statuses(frames)).toEqual([`${other.messageId} sent`, `${one.messageId} read`])
    expect([frames[0]?.event, frames.at(-1)]).toMatchObject([
      'snapshot',
      { event: 'resumed', data: { since, complete: true } },
    ])
  })

  test('that names connections gets the messages of these', async () => {
    const [mine, another] = [await connection(), await connection()]
    const [one, other] = [await send(mine), await send(another)]
    await run(handlers.publishMessages, await step(one, 'sent'), await step(other, 'sent'))
    expect(statuses(await comeBack({ since: inMs(0), connectionId: mine.connectionId }))).toEqual([
      `${one.messageId} sent`,
    ])
    const both = `${mine.connectionId},${another.connectionId}`
    expect(statuses(await comeBack({ since: inMs(0), connectionId: both }))).toHaveLength(2)
  })

  test("gets none of another business profile's", async () => {
    const row = await connection()
    await run(handlers.publishMessages, await step(await send(row), 'sent'))
    const frames = await asAnother(() => comeBack({ since: inMs(0) }))
    expect([statuses(frames), resumed(frames).length]).toEqual([[], 1])
  })

  test('that was not connected before gets the snapshot only', async () => {
    const row = await connection()
    await run(handlers.publishMessages, await step(await send(row), 'sent'))
    expect((await comeBack({})).map(({ event }) => event)).toEqual(['snapshot'])
  })

  test('after more than a day, or after more than is told on a socket, is told so', async () => {
    const row = await connection()
    const one = await send(row)
    await run(handlers.publishMessages, await step(one, 'sent'))
    const late = await comeBack({ since: inMs(-25 * 3_600_000) })
    expect([statuses(late), resumed(late)]).toMatchObject([[], [{ data: { complete: false } }]])
    const many = Array.from({ length: 1_001 }, (_, n) => ({
      connectionId: row.connectionId,
      messageId: `msg_many_${n}`,
    }))
    await run(handlers.publishMessages, await step(one, 'read'))
    await cloud.changes.note(businessProfileId, many, Date.now(), 60_000)
    const much = await comeBack({ since: inMs(0) })
    expect([statuses(much), resumed(much)]).toMatchObject([[], [{ data: { complete: false } }]])
  })

  test('with a clock that is ahead misses nothing', async () => {
    const row = await connection()
    const one = await send(row)
    await run(handlers.publishMessages, await step(one, 'sent'))
    expect(statuses(await comeBack({ since: inMs(3_600_000) }))).toEqual([`${one.messageId} sent`])
  })

  test('before the retry of what could not be published finds it all the same, after it', async () => {
    const row = await connection()
    const one = await send(row)
    const record = await step(one, 'sent')
    const documents = mockClient(DynamoDBDocumentClient)
    try {
      documents.on(PutCommand).rejects(new ThrottlingException({ message: 'slow', $metadata: {} }))
      expect(await run(handlers.publishMessages, record)).toEqual([])
    } finally {
      documents.restore()
    }
    expect(statuses(await comeBack({ since: inMs(0) }))).toEqual([])
    const event = { Records: await retries() } as SQSEvent
    expect((await handlers.publishRetry(event, lambdaContext)).batchItemFailures).toEqual([])
    expect(statuses(await comeBack({ since: inMs(0) }))).toEqual([`${one.messageId} sent`])
  })

  test('with a time that is none is refused', async () => {
    const ticket = await cloud.stores.live.createTicket(businessProfileId, inMs(60_000))
    for (const query of [{ since: 'yesterday' }, { connectionId: ',' }]) {
      const event = liveEvent('$connect', 'socket-since', { queryStringParameters: { ticket, ...query } })
      expect((await handlers.connect(event, lambdaContext)).statusCode).toBe(400)
    }
  })
})

test('a message that is erased before the client comes back is left out', async () => {
  const row = await connection()
  const one = await send(row)
  await run(handlers.publishMessages, await step(one, 'sent'))
  await cloud.changes.note(
    businessProfileId,
    [{ connectionId: row.connectionId, messageId: 'msg_erased' }],
    Date.now(),
    1_000,
  )
  expect(await messageImage(one)).toBeDefined()
  expect(statuses(await comeBack({ since: inMs(0) }))).toEqual([`${one.messageId} sent`])
})
