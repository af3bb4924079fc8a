/** What a bench measures counts only while its DynamoDB keeps the promises that AWS's own emulator keeps. */
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { PutCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { authStore } from '../../shared/aws/auth.ts'
import { apiConnections, watchdogConnections, workerConnections } from '../../shared/aws/connections.ts'
import { directDocumentClient } from '../../shared/aws/direct-documents.ts'
import { fleetStore } from '../../shared/aws/fleet.ts'
import { readMessage, toItem } from '../../shared/aws/message-items.ts'
import { apiMessages, workerMessages } from '../../shared/aws/messages.ts'
import { apiOperations, workerOperations } from '../../shared/aws/operations.ts'
import type { StoreTable } from '../../shared/aws/requests.ts'
import type { TableName } from '../../shared/aws/tables.ts'
import { type DynamoLocal, dynamoAt, startQueuesAndObjects } from '../adapters/emulators.ts'
import { authStoreContract } from '../contracts/auth-store.ts'
import { connectionStoresContract, workerConnectionsContract } from '../contracts/connections.ts'
import { fleetStoreContract } from '../contracts/fleet-store.ts'
import { ref, send } from '../contracts/message-rows.ts'
import { messageStoresContract } from '../contracts/messages.ts'
import { workerMessagesContract } from '../contracts/messages-worker.ts'
import { operationStoresContract } from '../contracts/operations.ts'
import { type DynamoServer, startDynamoServer } from './dynamodb/server.ts'

const bucket = 'auth'
let server: DynamoServer
let dynamo: DynamoLocal
/** The connector's own client: a fifth of the SDK's cost, too. */
let documents: ReturnType<typeof directDocumentClient>
let emulator: Awaited<ReturnType<typeof startQueuesAndObjects>>
beforeAll(async () => {
  ;[server, emulator] = await Promise.all([startDynamoServer({ readMs: 0, writeMs: 0 }), startQueuesAndObjects()])
  dynamo = dynamoAt(server.endpoint)
  documents = directDocumentClient(dynamo.options)
  await emulator.bucket(bucket)
})
afterAll(async () => {
  documents?.destroy()
  await dynamo?.stop()
  await Promise.all([server?.stop(), emulator?.stop()])
})

const fresh = async (name: TableName): Promise<StoreTable> => ({ table: (await dynamo.fresh(name)).table, documents })

const kind = "the bench's DynamoDB"

fleetStoreContract(kind, async () => fleetStore(await fresh('fleet')))

connectionStoresContract(kind, async () => {
  const store = await fresh('connections')
  return { api: apiConnections(store), worker: workerConnections(store), watchdog: watchdogConnections(store) }
})

workerConnectionsContract(kind, async () => {
  const store = await fresh('connections')
  return { worker: workerConnections(store), create: apiConnections(store).create }
})

messageStoresContract(kind, async (waitingMax) => {
  const store = await fresh('messages')
  return { worker: workerMessages(store), api: apiMessages(store, { waitingMax }) }
})

workerMessagesContract(kind, async () => {
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

operationStoresContract(kind, async () => {
  const store = await fresh('messages')
  return { api: apiOperations(store), worker: workerOperations(store) }
})

authStoreContract(`${kind}, and S3`, async () => {
  const { objects } = emulator
  return {
    store: authStore({ ...(await fresh('auth')), objects, bucket }),
    damageSnapshot: async (Key) =>
      void (await objects.send(new PutObjectCommand({ Bucket: bucket, Key, Body: Buffer.from('some bytez') }))),
    removeSnapshot: async (Key) => void (await objects.send(new DeleteObjectCommand({ Bucket: bucket, Key }))),
  }
})

test('units are counted as AWS counts them: twice in a transaction, once more for each index that an item is in', async () => {
  const store = await fresh('messages')
  const api = apiMessages(store)
  const accepted = await api.accept(send())
  if (accepted.kind !== 'created') throw new Error(`expected a new row, got ${accepted.kind}`)
  await fetch(`${server.endpoint}/counts`, { method: 'DELETE' })
  const at = new Date().toISOString()
  const step = { status: 'sent', at } as const
  expect(await workerMessages(store).step(ref, accepted.row.whatsappId, 0, step)).toEqual({ kind: 'written' })
  // The row, its entry in `history`, that in `waiting` goes; the counter. The index of keys does not change.
  expect(await (await fetch(`${server.endpoint}/counts`)).json()).toEqual({
    TransactWriteItems: { [store.table]: { requests: 1, writeUnits: 2 + 1 + 1 + 2, readUnits: 0 } },
  })
})
