import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { GetCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { authStore } from '../../shared/aws/auth.ts'
import { apiConnections, workerConnections } from '../../shared/aws/connections.ts'
import { directDocumentClient } from '../../shared/aws/direct-documents.ts'
import { readMessage, toItem } from '../../shared/aws/message-items.ts'
import { apiMessages, workerMessages } from '../../shared/aws/messages.ts'
import type { StoreTable } from '../../shared/aws/requests.ts'
import type { TableName } from '../../shared/aws/tables.ts'
import { authStoreContract } from '../contracts/auth-store.ts'
import { workerConnectionsContract } from '../contracts/connections.ts'
import { messageStoresContract } from '../contracts/messages.ts'
import { workerMessagesContract } from '../contracts/messages-worker.ts'
import { type DynamoLocal, startQueuesAndObjects } from './emulators.ts'
import { sharedDynamo } from './shared-dynamo.ts'

const bucket = 'auth'
let dynamo: DynamoLocal
let emulator: Awaited<ReturnType<typeof startQueuesAndObjects>>
let documents: ReturnType<typeof directDocumentClient>
beforeAll(async () => {
  ;[dynamo, emulator] = await Promise.all([sharedDynamo(), startQueuesAndObjects()])
  await emulator.bucket(bucket)
  documents = directDocumentClient(dynamo.options)
  // The first request finds the endpoint; those that follow go directly.
  await documents.send(new GetCommand({ TableName: (await dynamo.fresh('live')).table, Key: { pk: 'a', sk: 'b' } }))
})
afterAll(() => {
  documents?.destroy()
  return Promise.all([dynamo?.stop(), emulator?.stop()])
})

const fresh = async (name: TableName): Promise<StoreTable> => ({ table: (await dynamo.fresh(name)).table, documents })

workerConnectionsContract('DynamoDB, asked directly', async () => {
  const store = await fresh('connections')
  return { worker: workerConnections(store), create: apiConnections(store).create }
})

messageStoresContract('DynamoDB, asked directly', async (waitingMax) => {
  const store = await fresh('messages')
  return { worker: workerMessages(store), api: apiMessages(store, { waitingMax }) }
})

workerMessagesContract('DynamoDB, asked directly', async () => {
  const store = await fresh('messages')
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

authStoreContract('DynamoDB, asked directly, and S3', async () => {
  const { objects } = emulator
  const { PutObjectCommand, DeleteObjectCommand } = await import('@aws-sdk/client-s3')
  return {
    store: authStore({ ...(await fresh('auth')), objects, bucket }),
    damageSnapshot: async (key) =>
      void (await objects.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from('some bytez') }))),
    removeSnapshot: async (key) => void (await objects.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))),
  }
})

test('values of every kind come back as they were written, and as the SDK reads them', async () => {
  const { table } = await fresh('live')
  const item = {
    pk: 'a"\n',
    sk: 'ü🙂',
    number: -1.5,
    large: 123_456_789_012_345,
    yes: true,
    none: null,
    bytes: Buffer.from([0, 255, 7]),
    list: [1, 'two', { three: [] }],
    map: { nested: { 'with space': 'x' }, left: undefined },
  }
  await documents.send(new PutCommand({ TableName: table, Item: item }))
  const expected = { ...item, bytes: new Uint8Array([0, 255, 7]), map: { nested: { 'with space': 'x' } } }
  const get = new GetCommand({ TableName: table, Key: { pk: item.pk, sk: item.sk }, ConsistentRead: true })
  expect((await documents.send(get)).Item).toEqual(expected)
  expect((await (await dynamo.fresh('live')).documents.send(get)).Item).toEqual(expected)
  const { Items, Count } = await documents.send(
    new QueryCommand({
      TableName: table,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': item.pk },
    }),
  )
  expect(Items).toEqual([expected])
  expect(Count).toBe(1)
})

test('what only the SDK can write is written by the SDK', async () => {
  const { table } = await fresh('live')
  await documents.send(new PutCommand({ TableName: table, Item: { pk: 'a', sk: 'b', set: new Set(['x']) } }))
  const { Item } = await documents
    .send(new GetCommand({ TableName: table, Key: { pk: 'a', sk: 'b' } }))
    .catch(() => ({ Item: undefined }))
  expect(Item?.['set']).toEqual(new Set(['x']))
})

test("a refusal is the SDK's own, with the stored item", async () => {
  const { table } = await fresh('live')
  await documents.send(new PutCommand({ TableName: table, Item: { pk: 'a', sk: 'b', n: 1 } }))
  const refused = documents.send(
    new UpdateCommand({
      TableName: table,
      Key: { pk: 'a', sk: 'b' },
      UpdateExpression: 'SET n = :two',
      ConditionExpression: 'n = :two',
      ExpressionAttributeValues: { ':two': 2 },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    }),
  )
  await expect(refused).rejects.toBeInstanceOf(ConditionalCheckFailedException)
  await expect(refused).rejects.toMatchObject({ Item: { n: { N: '1' } } })
  await expect(
    documents.send(new GetCommand({ TableName: 'no-such-table', Key: { pk: 'a', sk: 'b' } })),
  ).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
})
