import { afterAll, beforeAll } from 'vitest'
import { fleetStore } from '../../shared/aws/fleet.ts'
import { fleetStoreContract } from '../contracts/fleet-store.ts'
import type { DynamoLocal } from './emulators.ts'
import { sharedDynamo } from './shared-dynamo.ts'

let dynamo: DynamoLocal
beforeAll(async () => {
  dynamo = sharedDynamo()
})
afterAll(() => dynamo?.stop())

fleetStoreContract('DynamoDB', async () => fleetStore(await dynamo.fresh('fleet')))
