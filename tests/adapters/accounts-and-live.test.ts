import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { accounts } from '../../shared/aws/accounts.ts'
import { liveStore } from '../../shared/aws/live.ts'
import { liveChanges } from '../../shared/aws/live-changes.ts'
import type { StoreTable } from '../../shared/aws/requests.ts'
import { accountsContract } from '../contracts/accounts.ts'
import { liveChangesContract, liveStoreContract } from '../contracts/live.ts'
import type { DynamoLocal } from './emulators.ts'
import { sharedDynamo } from './shared-dynamo.ts'

let dynamo: DynamoLocal
beforeAll(async () => {
  dynamo = sharedDynamo()
})
afterAll(() => dynamo?.stop())

accountsContract('DynamoDB', async () => accounts(await dynamo.fresh('accounts')))
liveStoreContract('DynamoDB', async () => liveStore(await dynamo.fresh('live')))
liveChangesContract('DynamoDB', async () => liveChanges(await dynamo.fresh('live')))

const everything = async ({ documents, table }: StoreTable): Promise<string> =>
  JSON.stringify((await documents.send(new ScanCommand({ TableName: table }))).Items)

test('neither a key nor a ticket is stored, only its hash', async () => {
  const store = await dynamo.fresh('accounts')
  const businessProfileId = 'bp_1'
  await accounts(store).createBusinessProfile({
    businessProfileId,
    name: 'Shop',
    createdAt: '2026-01-31T12:00:00.000Z',
  })
  const key = await accounts(store).createApiKey(
    { businessProfileId, label: 'a', scopes: [] },
    '2026-01-31T12:00:00.000Z',
  )
  if (key.kind !== 'created') throw new Error(`expected created, got ${key.kind}`)
  expect(await everything(store)).not.toContain(key.secret.slice('hf_0000000000000000_'.length))

  const live = await dynamo.fresh('live')
  const ticket = await liveStore(live).createTicket(businessProfileId, '2026-01-31T12:00:00.000Z')
  expect(await everything(live)).not.toContain(ticket.slice('lt_'.length))
})
