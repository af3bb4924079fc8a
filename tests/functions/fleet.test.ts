import { afterAll, beforeAll, expect, test } from 'vitest'
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
