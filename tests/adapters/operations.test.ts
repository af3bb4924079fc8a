import { PutCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toItem } from '../../shared/aws/message-items.ts'
import { apiMessages, workerMessages } from '../../shared/aws/messages.ts'
import { apiOperations, workerOperations } from '../../shared/aws/operations.ts'
import { ref, send } from '../contracts/message-rows.ts'
import { operation, operationStoresContract } from '../contracts/operations.ts'
import type { DynamoLocal } from './emulators.ts'
import { sharedDynamo } from './shared-dynamo.ts'

let dynamo: DynamoLocal
beforeAll(async () => {
  dynamo = sharedDynamo()
})
afterAll(() => dynamo?.stop())

operationStoresContract('DynamoDB', async () => {
  const store = await dynamo.fresh('messages')
  return { api: apiOperations(store), worker: workerOperations(store) }
})

test('operations and messages of a connection lie side by side and do not meet', async () => {
  const store = await dynamo.fresh('messages')
  const row = operation()
  const waiting = { ...send(), seq: 1 }
  await apiOperations(store).accept(row)
  await store.documents.send(new PutCommand({ TableName: store.table, Item: toItem(waiting) }))
  expect((await workerMessages(store).listWaiting(3)).map(({ messageId }) => messageId)).toEqual([waiting.messageId])
  expect((await workerOperations(store).listPending(3)).map(({ operationId }) => operationId)).toEqual([
    row.operationId,
  ])
  expect((await apiMessages(store).list(ref, 10)).items).toHaveLength(1)
})
