import { PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { InvalidCursor } from '../../shared/aws/cursor.ts'
import { connectionKey } from '../../shared/aws/ids.ts'
import { readMessage, toItem } from '../../shared/aws/message-items.ts'
import { apiMessages, workerMessages } from '../../shared/aws/messages.ts'
import type { StoreTable } from '../../shared/aws/requests.ts'
import { ref, send } from '../contracts/message-rows.ts'
import { messageStoresContract } from '../contracts/messages.ts'
import { workerMessagesContract } from '../contracts/messages-worker.ts'
import type { DynamoLocal } from './emulators.ts'
import { sharedDynamo } from './shared-dynamo.ts'

let dynamo: DynamoLocal
beforeAll(async () => {
  dynamo = sharedDynamo()
})
afterAll(() => dynamo?.stop())

messageStoresContract('DynamoDB', async (waitingMax) => {
  const store = await dynamo.fresh('messages')
  return { worker: workerMessages(store), api: apiMessages(store, { waitingMax }) }
})

workerMessagesContract('DynamoDB', async () => {
  const store = await dynamo.fresh('messages')
  return {
    worker: workerMessages(store),
    put: (row) => store.documents.send(new PutCommand({ TableName: store.table, Item: toItem(row) })),
    receipts: (row) => apiMessages(store).receipts(row, row.whatsappId),
    async inbound(row) {
      const found = await readMessage(store, row, row.key)
      return found?.direction === 'inbound' ? found : undefined
    },
  }
})

/** A process died between the counter and the row, or a row was lost to the count. */
const drift = ({ documents, table }: StoreTable, by: number) =>
  documents.send(
    new UpdateCommand({
      TableName: table,
      Key: { connectionKey: connectionKey(ref), key: 'counter' },
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
