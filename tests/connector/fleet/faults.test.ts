import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../virtual-clock.ts'
import { FleetScenario, type ScenarioWorker } from './scenario.ts'

/**
 * Crashes, pauses, a store that is away for one worker, clocks that differ by up to 5 %: at no moment do two running workers
 * hold one partition. Once the faults stop, every partition has one.
 */
describe.each(Array.from({ length: 24 }, (_, seed) => seed + 1))('a fleet under faults, seed %i', (seed) => {
  test('no two running workers hold one partition, and afterwards each has one', async () => {
    const random = new SeededRandom(seed)
    const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random.next() * items.length)]
    const between = (min: number, max: number) => min + random.next() * (max - min)
    const fleet = new FleetScenario(8)
    const gone = new Set<ScenarioWorker>()
    let started = 0
    const start = () =>
      fleet.start(`w${++started}`, {
        rate: between(0.95, 1.05),
        deployment: String(Math.floor(started / 3)),
        connectionsOf: (partition) => (partition * 7) % 5,
        closingMs: between(50, 1_000),
      })
    const running = () => fleet.workers.filter((worker) => !gone.has(worker) && worker.failed === undefined)

    for (let worker = 0; worker < 3; worker++) await start()
    for (let fault = 0; fault < 12; fault++) {
      await fleet.passTimeSafely(between(500, 20_000), 100)
      const victim = pick(running())
      if (victim === undefined || running().length < 2) {
        await start()
        continue
      }
      const dice = random.next()
      if (dice < 0.25) {
        victim.crash()
        gone.add(victim)
        // Half of the deaths are known to the platform.
        if (random.next() < 0.5) await fleet.store.markDead(victim.name)
        await start()
      } else if (dice < 0.5) {
        victim.pause()
        await fleet.passTimeSafely(between(1_000, 30_000), 100)
        victim.resume()
      } else if (dice < 0.75) {
        victim.storeFails = true
        await fleet.passTimeSafely(between(1_000, 30_000), 100)
        victim.storeFails = false
      } else {
        await start()
        gone.add(victim)
        void victim.ownership.handOver(20_000).then(() => victim.ownership.stop())
      }
    }
    await start()
    await fleet.passTimeSafely(60_000, 100)
    expect(fleet.everyPartitionHeld()).toBe(true)
    expect(fleet.heldTwice()).toEqual([])
  })
})
