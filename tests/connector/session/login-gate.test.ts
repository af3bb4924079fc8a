import { describe, expect, test } from 'vitest'
import type { LoginLane, LoginPermit } from '../../../connector/ports.ts'
import { createLoginGate, type LoginGateSettings } from '../../../connector/session/login-gate.ts'
import { defaultLoginGateSettings } from '../../../connector/session/settings.ts'
import { SeededRandom, VirtualClock } from '../virtual-clock.ts'
import { Stage } from './stage.ts'

function setUp(settings: Partial<LoginGateSettings> = {}) {
  const clock = new VirtualClock()
  const granted: { readonly name: string; readonly at: number; readonly permit: LoginPermit }[] = []
  const gate = createLoginGate({
    clock,
    random: new SeededRandom(1),
    log: new Stage().log(),
    settings: { ...defaultLoginGateSettings, jitter: 0, ...settings },
  })
  const refOf = (name: string) => ({ businessProfileId: 'bp_1', connectionId: name })
  const ask = (name: string, lane: LoginLane = 'restore') => {
    const abort = new AbortController()
    gate.acquire(refOf(name), lane, abort.signal).then(
      (permit) => granted.push({ name, at: clock.monotonic(), permit }),
      () => undefined,
    )
    return abort
  }
  const names = () => granted.map(({ name }) => name)
  /** Asks and ends at once, as often as there are names. */
  const each = async (from: number, to: number, result: 'opened' | 'failed' | 'neutral') => {
    for (let n = from; n < to; n += 1) {
      ask(`c${n}`)
      await clock.passTime(1_000)
      granted.at(-1)?.permit.done(result)
    }
  }
  return { clock, gate, granted, ask, names, each, refOf }
}

describe('the login limiter', () => {
  test('lets no more in at a time than its concurrency', async () => {
    const { clock, granted, ask, names } = setUp({ concurrency: 2 })
    for (const name of ['a', 'b', 'c']) ask(name)
    await clock.passTime(60_000)
    expect(names()).toEqual(['a', 'b'])
    granted[0]?.permit.done('opened')
    granted[0]?.permit.done('opened')
    await clock.passTime(1_000)
    expect(names()).toEqual(['a', 'b', 'c'])
  })

  test('keeps its rate, and catches nothing up', async () => {
    const { clock, granted, ask } = setUp({ ratePerSecond: 10 })
    for (let n = 0; n < 30; n += 1) ask(`c${n}`)
    await clock.passTime(10_000)
    const gaps = granted.slice(1).map(({ at }, n) => at - (granted[n]?.at ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(100)
    expect(granted).toHaveLength(30)
  })

  test('on demand first, then pairing, waiting sends, restores, probes; within a lane in order', async () => {
    const { clock, granted, ask, names } = setUp({ concurrency: 1 })
    ask('first')
    await clock.passTime(1)
    for (const lane of ['probe', 'restore', 'waiting_sends', 'pairing', 'on_demand'] as const) ask(`${lane} 1`, lane)
    for (const lane of ['probe', 'on_demand'] as const) ask(`${lane} 2`, lane)
    for (let n = 0; n < 8; n += 1) {
      granted[n]?.permit.done('opened')
      await clock.passTime(1_000)
    }
    expect(names()).toEqual([
      'first',
      'on_demand 1',
      'on_demand 2',
      'pairing 1',
      'waiting_sends 1',
      'restore 1',
      'probe 1',
      'probe 2',
    ])
  })

  test('who leaves the queue is not let in', async () => {
    const { clock, granted, ask, names } = setUp({ concurrency: 1 })
    ask('a')
    await clock.passTime(1)
    const left = ask('b')
    ask('c')
    left.abort()
    granted[0]?.permit.done('opened')
    await clock.passTime(1_000)
    expect(names()).toEqual(['a', 'c'])
  })
})

describe('the outage circuit', () => {
  test('a few that fail among many that are open are no outage', async () => {
    const { gate, each, refOf } = setUp()
    await each(0, 30, 'opened')
    for (let n = 0; n < 10; n += 1) gate.report?.(refOf(`c${n}`), 'lost')
    expect(gate.outage).toBe(false)
    for (let n = 10; n < 20; n += 1) gate.report?.(refOf(`c${n}`), 'lost')
    expect(gate.outage).toBe(true)
  })

  test('the same few again and again are none either', async () => {
    const { gate, refOf } = setUp()
    for (let n = 0; n < 100; n += 1) gate.report?.(refOf(`c${n % 4}`), 'lost')
    expect(gate.outage).toBe(false)
  })

  test('failures that lie far apart are none', async () => {
    const { clock, gate, refOf } = setUp()
    for (let n = 0; n < 20; n += 1) {
      gate.report?.(refOf(`c${n}`), 'lost')
      await clock.passTime(10_000)
    }
    expect(gate.outage).toBe(false)
  })

  test('probes go in rounds that grow apart; one that opens ends it, and tells those who wait', async () => {
    const ratePerSecond = 50
    const { clock, gate, granted, ask, refOf } = setUp({ ratePerSecond })
    let recovered = 0
    gate.listen(refOf('listener'), {
      recovered: () => {
        recovered += 1
      },
      scout: () => false,
    })
    for (let n = 0; n < 20; n += 1) gate.report?.(refOf(`c${n}`), 'lost')
    for (let n = 0; n < 100; n += 1) ask(`c${n}`)
    const rounds: number[] = []
    for (let round = 0; round < 8; round += 1) {
      const before = granted.length
      const began = clock.monotonic()
      await clock.passTimeUntil(() => granted.length > before, 20_000, 100)
      rounds.push(clock.monotonic() - began)
      await clock.passTime(20_000)
      expect(granted.length).toBe(before + 3)
      const at = granted.slice(before).map((probe) => probe.at)
      // Nor do the probes of a round go faster than any others.
      for (const [n, each] of at.slice(1).entries()) {
        expect(each - (at[n] ?? 0)).toBeGreaterThanOrEqual(1_000 / ratePerSecond)
      }
      for (const { permit } of granted.slice(before)) permit.done('failed')
    }
    expect(rounds).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000])
    expect(gate.outage).toBe(true)
    await clock.passTime(15_100)
    granted.at(-1)?.permit.done('opened')
    expect(recovered).toBe(1)
    const before = granted.length
    await clock.passTime(1_000)
    // By ramp: a quarter of the rate at first.
    expect(granted.length - before).toBeLessThanOrEqual(26)
    for (let second = 0; second < 6; second += 1) {
      for (const { permit } of granted) permit.done('opened')
      await clock.passTime(1_000)
    }
    expect(granted.length).toBe(100)
    ask('later')
    await clock.passTime(100)
    expect(gate.outage).toBe(false)
  })

  test('a relapse during the ramp is an outage again', async () => {
    const { clock, gate, granted, ask, refOf } = setUp()
    for (let n = 0; n < 20; n += 1) gate.report?.(refOf(`c${n}`), 'lost')
    for (let n = 0; n < 100; n += 1) ask(`c${n}`)
    await clock.passTime(600)
    granted[0]?.permit.done('opened')
    await clock.passTime(500)
    for (const { permit } of granted.slice(1)) permit.done('failed')
    const before = granted.length
    await clock.passTime(900)
    expect(granted.length).toBe(before)
    expect(gate.outage).toBe(true)
  })
})
