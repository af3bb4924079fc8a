import type { DynamoDBBatchResponse, DynamoDBRecord } from 'aws-lambda'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import type { LiveEvent } from '../../functions/live/stack.ts'
import { type LiveFrame, liveFrameSchema } from '../../shared/api/live.ts'
import type { ConnectionChange, ConnectionRow } from '../../shared/domain/stores/connections.ts'
import { type Cloud, image, lambdaContext, startCloud, streamRecord } from './cloud.ts'

export let cloud: Cloud
export let handlers: Awaited<ReturnType<typeof load>>
/** A fresh one for each test. */
export let businessProfileId: string
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

/** To be called once in a test file: what is exported here lives as long as its tests. */
export function useLiveScene(): void {
  beforeAll(async () => {
    cloud = await startCloud()
    handlers = await load()
  })
  afterAll(() => cloud?.stop())
  beforeEach(() => {
    businessProfileId = `bp_${++profiles}`
  })
}

/** Does something as another business profile. */
export async function asAnother<T>(act: () => Promise<T>): Promise<T> {
  const mine = businessProfileId
  businessProfileId = `${mine}_other`
  try {
    return await act()
  } finally {
    businessProfileId = mine
  }
}

export const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()

export function liveEvent(routeKey: string, connectionId: string, rest: Partial<LiveEvent> = {}): LiveEvent {
  return {
    isBase64Encoded: false,
    requestContext: { routeKey, connectionId, requestId: 'request-1' } as LiveEvent['requestContext'],
    ...rest,
  }
}

/** Opens a socket; with `sinceMs` one that was opened that long ago. */
export async function open(query: Record<string, string> = {}, sinceMs = 0) {
  const socketId = `socket-${++sockets}`
  const ticket = await cloud.stores.live.createTicket(businessProfileId, inMs(60_000))
  if (sinceMs > 0) await cloud.stores.live.spendTicket(ticket, socketId, inMs(-sinceMs))
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

export async function say(socketId: string, message: unknown): Promise<LiveFrame> {
  const body = typeof message === 'string' ? message : JSON.stringify(message)
  const answer = await handlers.message(liveEvent('$default', socketId, { body }), lambdaContext)
  return liveFrameSchema.parse(JSON.parse(answer.body ?? ''))
}

export const subscriptionImage = (socketId: string) =>
  image(cloud.tables.live, { pk: `profile#${businessProfileId}`, sk: `socket#${socketId}` })

let connections = 0
export async function connection(change: Partial<ConnectionRow> = {}): Promise<ConnectionRow> {
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
export const connectionImage = ({ connectionId }: ConnectionRow) =>
  image(cloud.tables.connections, { businessProfileId, connectionId })

/** Writes as a worker does and gives the stream's record of it. */
export async function change(row: ConnectionRow, fields: ConnectionChange): Promise<DynamoDBRecord> {
  const before = await connectionImage(row)
  const written = await cloud.stores.worker.update(row, 1, fields, inMs(0))
  expect(written.kind).toBe('written')
  return streamRecord({ before, after: await connectionImage(row) })
}

export const run = (
  handler: (event: { Records: DynamoDBRecord[] }, context: typeof lambdaContext) => Promise<DynamoDBBatchResponse>,
  ...Records: DynamoDBRecord[]
) => handler({ Records }, lambdaContext).then(({ batchItemFailures }) => batchItemFailures)

export const opening = { status: 'connected', reason: 'open', message: 'Connected.' } as const

/** What publishing put aside, as the queue's function gets it. */
export async function retries() {
  const messages = await cloud.drain(cloud.urls.publishRetry)
  return messages.map(({ Body, MessageId }) => ({ body: Body ?? '', messageId: MessageId ?? '' }))
}
