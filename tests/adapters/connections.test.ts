import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiConnections, watchdogConnections, workerConnections } from '../../shared/aws/connections.ts'
import { InvalidCursor } from '../../shared/aws/cursor.ts'
import { connectionStoresContract, workerConnectionsContract } from '../contracts/connections.ts'
import type { DynamoLocal } from './emulators.ts'
import { sharedDynamo } from './shared-dynamo.ts'

let dynamo: DynamoLocal
beforeAll(async () => {
  dynamo = sharedDynamo()
})
afterAll(() => dynamo?.stop())

connectionStoresContract('DynamoDB', async () => {
  const store = await dynamo.fresh('connections')
  return { worker: workerConnections(store), api: apiConnections(store), watchdog: watchdogConnections(store) }
})

workerConnectionsContract('DynamoDB', async () => {
  const store = await dynamo.fresh('connections')
  return { worker: workerConnections(store), create: apiConnections(store).create }
})

test.each([
  '',
  'nonsense',
  Buffer.from('{"connectionId":1}').toString('base64url'),
  Buffer.from('{"connectionId":"con_1","businessProfileId":"bp_2"}').toString('base64url'),
  Buffer.from('null').toString('base64url'),
])('a cursor that no list gave out is refused: %j', async (next) => {
  const api = apiConnections(await dynamo.fresh('connections'))
  await expect(api.list('bp_1', 10, next)).rejects.toThrow(InvalidCursor)
})
