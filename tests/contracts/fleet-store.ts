import { beforeEach, describe, expect, test } from 'vitest'
import type { FleetStore, PartitionRow, WorkerRow } from '../../shared/domain/stores/fleet.ts'

/**
 * What every fleet store must do. Runs over the simulation's model and over the real adapter on DynamoDB Local; `fresh` gives
 * a store over an empty table.
 */
export function fleetStoreContract(name: string, fresh: () => Promise<FleetStore>): void {
  describe(`fleet store: ${name}`, () => {
    let store: FleetStore

    beforeEach(async () => {
      store = await fresh()
      await store.ensurePartitions(2)
    })

    async function worker(workerId: string): Promise<WorkerRow | undefined> {
      return (await store.view()).workers.find((row) => row.workerId === workerId)
    }

    async function partition(id: number): Promise<PartitionRow> {
      const row = (await store.view()).partitions.find((row) => row.partition === id)
      if (row === undefined) throw new Error(`no row for partition ${id}`)
      return row
    }

    test('partition rows are created once, at epoch 0, nobody owns them', async () => {
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      await store.ensurePartitions(3)
      const rows = (await store.view()).partitions.toSorted((a, b) => a.partition - b.partition)
      expect(rows).toEqual([
        { partition: 0, epoch: 1, owner: 'a', connections: 0 },
        { partition: 1, epoch: 0, connections: 0 },
        { partition: 2, epoch: 0, connections: 0 },
      ])
    })

    test('a registered worker is seen as it registered', async () => {
      await store.register(liveWorker('a'))
      expect(await worker('a')).toEqual(liveWorker('a'))
    })

    test('a renewal sets the counter and carries the load', async () => {
      await store.register(liveWorker('a'))
      const load = { connections: 7, restoring: { done: 1, total: 7 }, state: 'draining' } as const
      expect(await store.renew('a', 1, load)).toEqual({ kind: 'renewed' })
      expect(await worker('a')).toEqual({ ...liveWorker('a'), ...load, counter: 1 })
      expect(await store.renew('a', 2, { connections: 7, state: 'draining' })).toEqual({ kind: 'renewed' })
      expect(await worker('a')).toEqual({ ...liveWorker('a'), connections: 7, state: 'draining', counter: 2 })
    })

    test('a renewal that arrives late never sets the counter back, and is no death', async () => {
      await store.register(liveWorker('a'))
      await store.renew('a', 2, idle)
      expect(await store.renew('a', 1, idle)).toEqual({ kind: 'renewed' })
      expect(await store.renew('a', 2, idle)).toEqual({ kind: 'renewed' })
      expect((await worker('a'))?.counter).toBe(2)
    })

    test('a worker marked dead, or one without a row, cannot renew', async () => {
      await store.register(liveWorker('a'))
      await store.markDead('a')
      expect(await store.renew('a', 1, idle)).toEqual({ kind: 'dead' })
      expect(await worker('a')).toMatchObject({ state: 'dead', counter: 0 })
      expect(await store.renew('b', 1, idle)).toEqual({ kind: 'dead' })
      expect(await worker('b')).toBeUndefined()
    })

    test('marking a worker dead that has no row creates none', async () => {
      await store.markDead('a')
      expect((await store.view()).workers).toEqual([])
    })

    test("nobody's partition is taken once, at the next epoch", async () => {
      expect(await store.take({ partition: 0, epoch: 0 }, 'a', undefined)).toEqual({ kind: 'taken', epoch: 1 })
      expect(await store.take({ partition: 0, epoch: 0 }, 'b', undefined)).toEqual({ kind: 'lost' })
      expect(await partition(0)).toMatchObject({ owner: 'a', epoch: 1 })
    })

    test('of many who take at the same time one succeeds', async () => {
      const outcomes = await Promise.all(
        ['a', 'b', 'c', 'd'].map((by) => store.take({ partition: 0, epoch: 0 }, by, undefined)),
      )
      expect(outcomes.filter((outcome) => outcome.kind === 'taken')).toHaveLength(1)
      expect((await partition(0)).epoch).toBe(1)
    })

    test('a silent owner is taken from and marked dead in one step', async () => {
      await store.register(liveWorker('a'))
      await store.renew('a', 5, idle)
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      const outcome = await store.take({ partition: 0, epoch: 1, owner: 'a' }, 'b', { workerId: 'a', counterSeen: 5 })
      expect(outcome).toEqual({ kind: 'taken', epoch: 2 })
      expect(await worker('a')).toMatchObject({ state: 'dead' })
      expect(await store.renew('a', 6, idle)).toEqual({ kind: 'dead' })
    })

    test('an owner that renewed in the meantime is left alone', async () => {
      await store.register(liveWorker('a'))
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      await store.renew('a', 6, idle)
      const outcome = await store.take({ partition: 0, epoch: 1, owner: 'a' }, 'b', { workerId: 'a', counterSeen: 5 })
      expect(outcome).toEqual({ kind: 'lost' })
      expect(await worker('a')).toMatchObject({ state: 'live' })
      expect(await partition(0)).toMatchObject({ owner: 'a', epoch: 1 })
    })

    test('a take that fails for the partition marks nobody dead', async () => {
      await store.register(liveWorker('a'))
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      const outcome = await store.take({ partition: 0, epoch: 0, owner: 'a' }, 'b', { workerId: 'a', counterSeen: 0 })
      expect(outcome).toEqual({ kind: 'lost' })
      expect(await worker('a')).toMatchObject({ state: 'live' })
    })

    test('all partitions of a dead owner are taken whatever counter was seen', async () => {
      await store.register(liveWorker('a'))
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      await store.take({ partition: 1, epoch: 0 }, 'a', undefined)
      await store.markDead('a')
      for (const id of [0, 1]) {
        const seen = { workerId: 'a', counterSeen: 99 }
        expect(await store.take({ partition: id, epoch: 1, owner: 'a' }, 'b', seen)).toEqual({
          kind: 'taken',
          epoch: 2,
        })
      }
    })

    test('a worker takes again what is its own, at the next epoch, and stays alive', async () => {
      await store.register(liveWorker('a'))
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      const outcome = await store.take({ partition: 0, epoch: 1, owner: 'a' }, 'a', undefined)
      expect(outcome).toEqual({ kind: 'taken', epoch: 2 })
      expect(await store.renew('a', 1, idle)).toEqual({ kind: 'renewed' })
    })

    test('a take clears the request and a grant', async () => {
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      await store.request(0, 1, 'b')
      await store.release(0, 1, 'a', 'b')
      expect(await store.take({ partition: 0, epoch: 1 }, 'c', undefined)).toEqual({ kind: 'taken', epoch: 2 })
      const row = await partition(0)
      expect(row).toMatchObject({ owner: 'c', epoch: 2 })
      expect(row.grant).toBeUndefined()
      expect(row.request).toBeUndefined()
    })

    test('a released partition is granted to the worker named, who claims it at the next epoch', async () => {
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      expect(await store.release(0, 1, 'a', 'b')).toEqual({ kind: 'released' })
      const offered = await partition(0)
      expect(offered.owner).toBeUndefined()
      expect(offered.grant?.to).toBe('b')
      const grantId = offered.grant?.grantId ?? ''
      expect(await store.claimGrant({ partition: 0, epoch: 1 }, 'another', 'b')).toEqual({ kind: 'lost' })
      expect(await store.claimGrant({ partition: 0, epoch: 1 }, grantId, 'b')).toEqual({ kind: 'taken', epoch: 2 })
      expect(await store.claimGrant({ partition: 0, epoch: 1 }, grantId, 'b')).toEqual({ kind: 'lost' })
      expect(await partition(0)).toEqual({ partition: 0, owner: 'b', epoch: 2, connections: 0 })
    })

    test('a partition released to nobody in particular is free to take', async () => {
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      await store.release(0, 1, 'a')
      expect(await store.take({ partition: 0, epoch: 1 }, 'b', undefined)).toEqual({ kind: 'taken', epoch: 2 })
    })

    test('only the owner at that epoch releases', async () => {
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      expect(await store.release(0, 1, 'b')).toEqual({ kind: 'lost' })
      expect(await store.release(0, 0, 'a')).toEqual({ kind: 'lost' })
      expect(await partition(0)).toMatchObject({ owner: 'a', epoch: 1 })
    })

    test('a request is seen with its asker, and one for a past epoch is not', async () => {
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      await store.request(0, 0, 'c')
      expect((await partition(0)).request).toBeUndefined()
      await store.request(0, 1, 'b')
      expect((await partition(0)).request?.by).toBe('b')
    })

    test('only the owner at that epoch counts connections', async () => {
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      await store.countConnections(0, 1, 'a', 12)
      expect((await partition(0)).connections).toBe(12)
      await store.countConnections(0, 0, 'a', 1)
      await store.countConnections(0, 1, 'b', 1)
      expect((await partition(0)).connections).toBe(12)
    })

    test('the count stays with the partition when it changes hands', async () => {
      await store.take({ partition: 0, epoch: 0 }, 'a', undefined)
      await store.countConnections(0, 1, 'a', 12)
      await store.release(0, 1, 'a')
      await store.take({ partition: 0, epoch: 1 }, 'b', undefined)
      expect(await partition(0)).toMatchObject({ owner: 'b', connections: 12 })
    })

    test('a forgotten worker is gone', async () => {
      await store.register(liveWorker('a'))
      await store.markDead('a')
      await store.forget('a')
      expect(await worker('a')).toBeUndefined()
    })
  })
}

const idle = { connections: 0, state: 'live' } as const

function liveWorker(workerId: string): WorkerRow {
  return {
    workerId,
    counter: 0,
    state: 'live',
    taskArn: `arn:aws:ecs:eu-west-1:123456789012:task/holdfast/${workerId}`,
    deployment: '0000000001',
    maxConnections: 500,
    connections: 0,
    startedAt: '2026-01-31T12:00:00.000Z',
  }
}
