import { afterAll, beforeAll } from 'vitest'
import { fleetStore } from '../../shared/aws/fleet.ts'
import { fleetStoreContract } from '../contracts/fleet-store.ts'
import { type DynamoLocal, startDynamo } from './emulators.ts'

let dynamo: DynamoLocal
beforeAll(async () => {
  dynamo = await startDynamo()
})
afterAll(() => dynamo?.stop())

fleetStoreContract('DynamoDB', async () => fleetStore(await dynamo.fresh('fleet')))
