import { describe, expect, test } from 'vitest'
import { rest } from '../virtual-clock.ts'
import { FleetScenario } from './scenario.ts'

describe('taking', () => {
  test('a worker alone takes everything within a second, a quarter at once', async () => {
    const fleet = new FleetScenario()
    const a = await fleet.start('a')
    await rest()
    expect(a.partitions).toBe(4)
    await fleet.clock.passTime(1_000)
    expect(a.partitions).toBe(16)
  })

  test('workers that start together share fairly, and nothing moves afterwards', async () => {
    const fleet = new FleetScenario()
    const workers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => fleet.start(name)))
    await fleet.passTimeSafely(2_000)
    expect(workers.map((worker) => worker.partitions)).toEqual([4, 4, 4, 4])
    await fleet.passTimeSafely(600_000, 1_000)
    expect(workers.flatMap((worker) => worker.told).filter((told) => !told.startsWith('+'))).toEqual([])
  })

  test('the partitions of a worker that died unseen are taken after its lease time, not before', async () => {
    const fleet = new FleetScenario()
    const a = await fleet.start('a')
    await fleet.passTimeSafely(2_000)
    const b = await fleet.start('b', { maxConnections: 0, connectionsOf: () => 0 })
    await fleet.passTimeSafely(4_000)
    a.crash()
    await fleet.passTimeSafely(11_000)
    const before = b.told.filter((told) => told.startsWith('+')).length
    await fleet.passTimeSafely(5_000)
    expect(fleet.everyPartitionHeld()).toBe(true)
    expect(before).toBeLessThan(16)
    expect(fleet.store.workers.get('a')?.state).toBe('dead')
  })

  test('a death that the platform reports is not waited out', async () => {
    const fleet = new FleetScenario()
    const a = await fleet.start('a')
    const b = await fleet.start('b')
    await fleet.passTimeSafely(5_000)
    a.crash()
    await fleet.store.markDead('a')
    await fleet.passTimeSafely(2_000)
    expect(b.partitions).toBe(16)
  })

  test('a worker refuses what is beyond its limit', async () => {
    const fleet = new FleetScenario(4)
    await fleet.store.ensurePartitions(4)
    for (const id of [0, 1, 2, 3]) fleet.store.partitions.set(id, { partition: id, epoch: 0, connections: 10 })
    const a = await fleet.start('a', { maxConnections: 25, connectionsOf: () => 10 })
    await fleet.passTimeSafely(10_000)
    expect(a.partitions).toBe(2)
  })
})

describe('losing', () => {
  test('a paused worker finds on waking that it holds nothing, before anything else runs, and stops', async () => {
    const fleet = new FleetScenario()
    const a = await fleet.start('a')
    await fleet.passTimeSafely(2_000)
    const b = await fleet.start('b')
    await fleet.passTimeSafely(10_000)
    const held = [...a.holdings.values()]
    expect(held.length).toBeGreaterThan(0)
    a.pause()
    await fleet.passTimeSafely(30_000)
    expect(b.partitions).toBe(16)
    a.resume()
    expect(held.map((holding) => holding.held())).toEqual(held.map(() => false))
    await fleet.passTimeSafely(5_000)
    expect(a.holdings.size).toBe(0)
    expect(a.failed).toBe('dead')
    expect(b.partitions).toBe(16)
  })

  test('a paused worker alone takes its partitions again, each at a new epoch', async () => {
    const fleet = new FleetScenario()
    const a = await fleet.start('a')
    await fleet.passTimeSafely(5_000)
    const before = [...a.holdings.values()]
    a.pause()
    await fleet.passTimeSafely(30_000)
    a.resume()
    await fleet.passTimeSafely(5_000)
    expect(a.failed).toBeUndefined()
    expect(a.partitions).toBe(16)
    expect(before.some((holding) => holding.held())).toBe(false)
    for (const holding of before) expect(a.holdings.get(holding.partition)?.epoch).toBe(holding.epoch + 1)
  })

  test('when the store is away for a minute everything is let go by the deadline and taken again when it is back', async () => {
    const fleet = new FleetScenario()
    const a = await fleet.start('a')
    await fleet.passTimeSafely(5_000)
    a.storeFails = true
    await fleet.passTimeSafely(7_000)
    expect(a.partitions).toBe(16)
    await fleet.passTimeSafely(3_500)
    expect(a.partitions).toBe(0)
    await fleet.passTimeSafely(50_000)
    a.storeFails = false
    await fleet.passTimeSafely(5_000)
    expect(a.partitions).toBe(16)
  })

  test('a holding that was fenced ends at once, and only it', async () => {
    const fleet = new FleetScenario()
    const a = await fleet.start('a')
    await fleet.passTimeSafely(2_000)
    const holding = a.holdings.get(3)
    holding?.fenced()
    expect(holding?.held()).toBe(false)
    await rest()
    expect(a.told).toContain('-3')
    expect(a.partitions).toBe(15)
  })
})

describe('balance', () => {
  test('a worker that joins gets its share, one partition at a time, each closed first', async () => {
    const fleet = new FleetScenario()
    const a = await fleet.start('a', { connectionsOf: () => 5 })
    await fleet.passTimeSafely(5_000)
    const b = await fleet.start('b', { connectionsOf: () => 5 })
    await fleet.passTimeSafely(30_000)
    expect([a.partitions, b.partitions]).toEqual([8, 8])
    expect(a.told.filter((told) => told.startsWith('>'))).toHaveLength(8)
    expect(a.told.filter((told) => told.startsWith('-'))).toEqual([])
    await fleet.passTimeSafely(900_000, 1_000)
    expect(a.told.filter((told) => told.startsWith('>'))).toHaveLength(8)
  })

  test('shares weigh connections, not partitions', async () => {
    const fleet = new FleetScenario(8)
    const connectionsOf = (partition: number) => (partition === 0 ? 70 : 10)
    const a = await fleet.start('a', { connectionsOf })
    await fleet.passTimeSafely(5_000)
    const b = await fleet.start('b', { connectionsOf })
    await fleet.passTimeSafely(60_000)
    const sum = (worker: typeof a) => [...worker.holdings.keys()].reduce((total, id) => total + connectionsOf(id), 0)
    expect([sum(a), sum(b)]).toEqual([70, 70])
  })
})

describe('handing over', () => {
  test('a worker asked to stop gives everything to the newest deployment and is dead afterwards', async () => {
    const fleet = new FleetScenario()
    const old1 = await fleet.start('old1', { deployment: '1', connectionsOf: () => 5 })
    const old2 = await fleet.start('old2', { deployment: '1', connectionsOf: () => 5 })
    await fleet.passTimeSafely(5_000)
    const new1 = await fleet.start('new1', { deployment: '2', connectionsOf: () => 5 })
    await fleet.passTimeSafely(4_000)
    const kept = old2.partitions
    let done = false
    void old1.ownership.handOver(60_000).then(async () => {
      await old1.ownership.stop()
      done = true
    })
    await fleet.passTimeSafely(30_000)
    expect(done).toBe(true)
    expect(fleet.store.workers.get('old1')?.state).toBe('dead')
    expect(old2.partitions).toBeLessThanOrEqual(kept)
    expect(new1.partitions + old2.partitions).toBe(16)
    expect(old1.told.filter((told) => told.startsWith('-'))).toEqual([])
  })

  test('without anybody to receive, all is closed and released at once', async () => {
    const fleet = new FleetScenario()
    const a = await fleet.start('a', { closingMs: 500 })
    await fleet.passTimeSafely(5_000)
    let done = false
    void a.ownership.handOver(60_000).then(() => {
      done = true
    })
    await fleet.passTimeSafely(2_000)
    expect(done).toBe(true)
    expect([...fleet.store.partitions.values()].filter((row) => row.owner !== undefined)).toEqual([])
  })

  test('connections move no faster than their receivers can log them in', async () => {
    const fleet = new FleetScenario()
    const connectionsOf = () => 20
    const old = await fleet.start('old', { connectionsOf })
    await fleet.passTimeSafely(5_000)
    const next = await fleet.start('next', { deployment: '2', connectionsOf })
    await fleet.clock.passTime(100)
    void old.ownership.handOver(110_000)
    let before = next.partitions
    const moved: number[] = []
    for (let second = 0; second < 10; second++) {
      await fleet.passTimeSafely(1_000)
      moved.push((next.partitions - before) * 20)
      before = next.partitions
    }
    expect(next.partitions).toBe(16)
    // Two at once, and 60 a second on the whole.
    expect(Math.max(...moved)).toBeLessThanOrEqual(100)
    expect(moved.slice(0, 4).reduce((sum, each) => sum + each)).toBeLessThanOrEqual(4 * 60 + 40)
  })

  test('short of time they move faster, and what is left at the end is let go at once', async () => {
    const fleet = new FleetScenario()
    const old = await fleet.start('old', { connectionsOf: () => 50, closingMs: 900 })
    await fleet.passTimeSafely(5_000)
    await fleet.start('next', { deployment: '2', maxConnections: 100_000 })
    await fleet.clock.passTime(100)
    let done = false
    void old.ownership.handOver(5_000).then(() => {
      done = true
    })
    await fleet.passTimeSafely(5_100)
    expect(done).toBe(true)
    expect(old.holdings.size).toBe(0)
    expect(old.told.filter((told) => told.startsWith('-')).length).toBeGreaterThan(0)
  })

  test('a partition that is being granted when the worker is asked to stop is closed once', async () => {
    const fleet = new FleetScenario()
    const a = await fleet.start('a', { closingMs: 2_000 })
    await fleet.passTimeSafely(5_000)
    await fleet.start('b')
    await fleet.passTimeSafely(1_000)
    const closing = a.told.filter((told) => told.startsWith('>'))
    expect(closing).toHaveLength(1)
    void a.ownership.handOver(60_000)
    await fleet.passTimeSafely(60_000)
    expect(a.partitions).toBe(0)
    expect(a.told.filter((told) => told === closing[0])).toHaveLength(1)
  })

  test('a connection moves once in a rolling replacement of two workers', async () => {
    const fleet = new FleetScenario()
    const old = [await fleet.start('a1', { deployment: '1' }), await fleet.start('b1', { deployment: '1' })]
    await fleet.passTimeSafely(10_000)
    const next = [await fleet.start('a2', { deployment: '2' }), await fleet.start('b2', { deployment: '2' })]
    await fleet.passTimeSafely(4_000)
    for (const worker of old) {
      void worker.ownership.handOver(60_000).then(() => worker.ownership.stop())
      await fleet.passTimeSafely(20_000)
    }
    const taken = new Map<string, number>()
    for (const worker of next) {
      for (const told of worker.told.filter((told) => told.startsWith('+'))) taken.set(told, (taken.get(told) ?? 0) + 1)
    }
    expect(next.map((worker) => worker.partitions)).toEqual([8, 8])
    expect([...taken.values()].every((times) => times === 1)).toBe(true)
  })

  test('what is granted to a worker that never claims it is free to all after a renewal period', async () => {
    const fleet = new FleetScenario(2)
    await fleet.store.ensurePartitions(2)
    fleet.store.partitions.set(0, { partition: 0, epoch: 4, connections: 0, grant: { to: 'gone', grantId: 'g' } })
    const a = await fleet.start('a')
    await fleet.passTimeSafely(2_500)
    expect([...a.holdings.keys()]).toEqual([1])
    await fleet.passTimeSafely(1_000)
    expect([...a.holdings.keys()].toSorted()).toEqual([0, 1])
  })
})
