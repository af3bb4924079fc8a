import { UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { InvalidCursor } from '../../shared/aws/cursor.ts'
import * as ids from '../../shared/aws/ids.ts'
import { apiMessages, workerMessages } from '../../shared/aws/messages.ts'
import type { StoreTable } from '../../shared/aws/requests.ts'
import type { OutboundRow } from '../../shared/domain/stores/messages.ts'
import { messageStoresContract } from '../contracts/messages.ts'
import { type DynamoLocal, startDynamo } from './emulators.ts'

let dynamo: DynamoLocal
beforeAll(async () => {
  dynamo = await startDynamo()
})
afterAll(() => dynamo?.stop())

messageStoresContract('DynamoDB', ids, async (waitingMax) => {
  const store = await dynamo.fresh('messages')
  return { worker: workerMessages(store), api: apiMessages(store, { waitingMax }) }
})

const ref = { businessProfileId: 'bp_1', connectionId: 'con_1' }

function send(): Omit<OutboundRow, 'seq'> {
  const messageId = ids.newMessageId()
  return {
    ...ref,
    direction: 'outbound',
    key: ids.messageKey(messageId),
    messageId,
    whatsappId: ids.whatsappIdOf(messageId),
    chat: '94714515253@s.whatsapp.net',
    to: '+94714515253',
    content: { type: 'text', text: { body: 'Hello' } },
    status: 'queued',
    partition: 3,
    waitingPartition: 3,
    generation: 0,
    version: 1,
    epoch: 0,
    bodyHash: 'hash',
    createdAt: '2026-01-31T12:00:00.000Z',
    updatedAt: '2026-01-31T12:00:00.000Z',
    deadlineAt: '2026-01-31T13:00:00.000Z',
    expireAt: 2_000_000_000,
  }
}

/** A process died between the counter and the row, or a row was lost to the count. */
const drift = ({ documents, table }: StoreTable, by: number) =>
  documents.send(
    new UpdateCommand({
      TableName: table,
      Key: { connectionKey: ids.connectionKey(ref), key: 'counter' },
      UpdateExpression: 'ADD waiting :by',
      ExpressionAttributeValues: { ':by': by },
    }),
  )

test.each([2, -1])('a count of waiting sends that is off by %i is set right by a recount', async (by) => {
  const store = await dynamo.fresh('messages')
  const api = apiMessages(store, { waitingMax: 4 })
  await api.accept(send())
  await api.accept(send())
  await drift(store, by)
  expect(await api.recount(ref, 3)).toEqual({ kind: 'counted', waiting: 2 })
  expect((await api.accept(send())).kind).toBe('created')
  expect((await api.accept(send())).kind).toBe('created')
  expect((await api.accept(send())).kind).toBe('too_many_waiting')
})

test('a recount of a connection that never sent anything writes nothing', async () => {
  const store = await dynamo.fresh('messages')
  expect(await workerMessages(store).recount(ref, 3)).toEqual({ kind: 'counted', waiting: 0 })
  expect((await apiMessages(store).list(ref, 10)).items).toEqual([])
})

test('once accepting is quiet a recount is exact, whatever other recounts ran into', async () => {
  const store = await dynamo.fresh('messages')
  const api = apiMessages(store, { waitingMax: 40 })
  await Promise.all([
    ...Array.from({ length: 30 }, () => api.accept(send())),
    ...Array.from({ length: 10 }, () => api.recount(ref, 3)),
  ])
  expect(await api.recount(ref, 3)).toEqual({ kind: 'counted', waiting: 30 })
  for (let i = 0; i < 10; i++) expect((await api.accept(send())).kind).toBe('created')
  expect((await api.accept(send())).kind).toBe('too_many_waiting')
})

test('a cursor of another list is refused', async () => {
  const api = apiMessages(await dynamo.fresh('messages'))
  const foreign = Buffer.from('{"connectionId":"con_1"}').toString('base64url')
  await expect(api.list(ref, 10, foreign)).rejects.toThrow(InvalidCursor)
})
