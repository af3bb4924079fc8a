import { CreateTableCommand, DeleteTableCommand } from '@aws-sdk/client-dynamodb'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { queueClient } from '../../shared/aws/clients.ts'
import type { WorkerRow } from '../../shared/domain/stores/fleet.ts'
import { adminApiKey, type Cloud, startCloud } from './cloud.ts'
import { type RestClient, restClient } from './rest-client.ts'
import { createTenant } from './tenant.ts'

let cloud: Cloud
let call: RestClient

beforeAll(async () => {
  cloud = await startCloud()
  call = await restClient()
})
afterAll(() => cloud?.stop())

const worker = (workerId: string, startedAt: string): WorkerRow => ({
  workerId,
  counter: 1,
  state: 'live',
  taskArn: `arn:aws:ecs:eu-west-1:000000000000:task/${workerId}`,
  deployment: '1',
  maxConnections: 500,
  connections: 0,
  startedAt,
})

test('an operator sees an empty fleet, then who owns what, how far a restore is, and whether a heart beats', async () => {
  const fleet = () => call('GET', '/admin/fleet', { key: adminApiKey })
  expect(await fleet()).toMatchObject({ status: 200, json: { workers: [], partitions: [] } })

  await cloud.stores.fleet.ensurePartitions(12)
  await cloud.stores.fleet.register(worker('late', '2026-01-02T00:00:00.000Z'))
  await cloud.stores.fleet.register(worker('early', '2026-01-01T00:00:00.000Z'))
  for (const partition of [2, 10]) await cloud.stores.fleet.take({ partition, epoch: 0 }, 'late', undefined)
  await cloud.stores.fleet.countConnections(2, 1, 'late', 7)
  await cloud.stores.fleet.renew('late', 2, { connections: 7, state: 'live', restoring: { done: 3, total: 7 } })
  const { json } = await fleet()
  expect(json.workers).toEqual([
    {
      workerId: 'early',
      state: 'live',
      heartbeat: 1,
      connections: 0,
      maxConnections: 500,
      partitions: 0,
      deployment: '1',
      startedAt: '2026-01-01T00:00:00.000Z',
    },
    expect.objectContaining({ workerId: 'late', partitions: 2, connections: 7, restoring: { done: 3, total: 7 } }),
  ])
  expect(json.partitions).toHaveLength(12)
  expect(json.partitions[2]).toEqual({ partition: 2, epoch: 1, owner: 'late', connections: 7 })
  expect(json.partitions[11]).toEqual({ partition: 11, epoch: 0, connections: 0 })

  const before = json.workers[1].heartbeat
  await cloud.stores.fleet.renew('late', 3, { connections: 7, state: 'draining' })
  const [, late] = (await fleet()).json.workers
  expect(late).toMatchObject({ state: 'draining', heartbeat: before + 1 })
  expect(late).not.toHaveProperty('restoring')
})

test('a business profile does not', async () => {
  const tenant = await createTenant(call)
  expect(await call('GET', '/admin/fleet', tenant)).toMatchObject({ status: 403, json: { code: 'wrong_scope' } })
  expect(await call('GET', '/admin/fleet')).toMatchObject({ status: 401, json: { code: 'missing_api_key' } })
})

describe('health', () => {
  const health = (key?: string) => call('GET', '/health', key === undefined ? {} : { key })
  const short = { status: 'ok', stage: 'test', version: '0.0.0-test' }

  test('says in short that it can serve, to everybody; how things are only to operators', async () => {
    expect(await health()).toMatchObject({ status: 200, json: short })
    const tenant = await createTenant(call)
    for (const key of [undefined, tenant.key]) expect((await health(key)).json).toEqual(short)
    expect(await health('hf_nobody')).toMatchObject({ status: 401, json: { code: 'invalid_api_key' } })

    // Of the two partitions one has a living owner, the other one's is dead.
    await cloud.stores.fleet.take({ partition: 0, epoch: 0 }, 'early', undefined)
    await cloud.stores.fleet.register(worker('gone', '2026-01-03T00:00:00.000Z'))
    await cloud.stores.fleet.take({ partition: 1, epoch: 0 }, 'gone', undefined)
    await cloud.stores.fleet.markDead('gone')
    await cloud.stores.fleet.renew('late', 4, {
      connections: 7,
      state: 'draining',
      restoring: { done: 3, total: 7 },
    })
    await queueClient().send(new SendMessageCommand({ QueueUrl: cloud.urls.publishDlq, MessageBody: 'a frame' }))
    const { status, json } = await health(adminApiKey)
    expect([status, json]).toEqual([
      200,
      {
        ...short,
        details: {
          attention: ['1 of 2 partitions have no worker.', '1 dead letters in publish.'],
          workers: { live: 1, draining: 1, connections: 7, maxConnections: 500 },
          partitions: { total: 2, withoutWorker: 1 },
          restoring: { done: 3, total: 7 },
          deadLetters: { sends: 0, 'sends-fifo': 0, doorbells: 0, publish: 1, events: 0, webhooks: 0 },
        },
      },
    ])
  })

  test('is 503 where a table cannot be read, so that calls are sent elsewhere', async () => {
    const { documents, table } = cloud.tables.messages
    await documents.send(new DeleteTableCommand({ TableName: table }))
    // What was found good a moment ago is good for two seconds.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_000 })
    const answer = await health()
    vi.useRealTimers()
    const key = { AttributeName: 'connectionKey', AttributeType: 'S' } as const
    await documents.send(
      new CreateTableCommand({
        TableName: table,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [key],
        KeySchema: [{ AttributeName: key.AttributeName, KeyType: 'HASH' }],
      }),
    )
    expect(answer).toMatchObject({ status: 503, json: { code: 'unavailable' }, headers: { 'retry-after': '5' } })
    expect(answer.text).not.toContain(table)
  })
})
