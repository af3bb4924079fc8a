import { describe, expect, test } from 'vitest'
import { Stage } from './stage.ts'

const many = Array.from({ length: 300 }, (_, n) => `${n}`)

describe('300 connections of one worker', () => {
  test('are restored at no more than the limiter’s rate, those with waiting sends first', async () => {
    const stage = new Stage()
    const worker = stage.worker()
    const refs = many.map((name) => stage.connection(name))
    const waiting = refs.slice(200, 210)
    for (const ref of refs) worker.session(ref).start(waiting.includes(ref) ? 'waiting_sends' : 'restore')
    await stage.clock.passTime(10_000)
    for (const ref of refs) expect(stage.tables.row(ref).status).toBe('connected')
    const { logins } = stage.whatsapp
    for (const [n, at] of logins.entries()) {
      const within = logins.slice(n).filter((other) => other - at < 1_000).length
      expect(within).toBeLessThanOrEqual(stage.gateSettings.ratePerSecond + 1)
    }
    const lastWaiting = Math.max(...waiting.map((ref) => stage.whatsapp.device(ref).openings[0] as number))
    expect(logins.filter((at) => at < lastWaiting).length).toBeLessThan(12)
  }, 30_000)

  test('all closed at once: back within 5 s', async () => {
    const stage = new Stage()
    const worker = stage.worker()
    const refs = many.slice(0, 150).map((name) => stage.connection(name))
    for (const ref of refs) worker.session(ref).start('restore')
    await stage.clock.passTime(10_000)
    stage.whatsapp.dropAll()
    await stage.clock.passTime(5_000)
    for (const ref of refs) expect(stage.tables.row(ref).status).toBe('connected')
    expect(stage.whatsapp.socketsAtOnceMax).toBe(1)
  }, 30_000)

  test('WhatsApp away for 10 minutes: a few probe, nobody spends attempts, all are back within two minutes, no storm', async () => {
    const stage = new Stage()
    const worker = stage.worker()
    const refs = many.map((name) => stage.connection(name))
    for (const ref of refs) worker.session(ref).start('restore')
    await stage.clock.passTime(10_000)

    stage.whatsapp.away = { statusCode: 503 }
    const awayFrom = stage.whatsapp.logins.length
    stage.whatsapp.dropAll()
    await stage.clock.passTime(10 * 60_000)
    expect(worker.gate.outage).toBe(true)
    const probes = stage.whatsapp.logins.length - awayFrom
    expect(probes).toBeLessThan(300)
    const held = refs.filter((ref) => stage.tables.row(ref).reason === 'outage')
    expect(held.length).toBeGreaterThan(100)

    stage.whatsapp.away = undefined
    const returned = stage.whatsapp.logins.length
    await stage.clock.passTime(2 * 60_000)
    for (const ref of refs) expect(stage.tables.row(ref).status).toBe('connected')
    expect(worker.gate.outage).toBe(false)
    const logins = stage.whatsapp.logins.slice(returned)
    for (const [n, at] of logins.entries()) {
      expect(logins.slice(n).filter((other) => other - at < 1_000).length).toBeLessThanOrEqual(
        stage.gateSettings.ratePerSecond + 1,
      )
    }
    expect(stage.alarms()).toContain('whatsapp_outage')
  }, 60_000)

  test('one connection that fails by itself is no outage', async () => {
    const stage = new Stage()
    const worker = stage.worker()
    const refs = many.slice(0, 20).map((name) => stage.connection(name))
    for (const ref of refs) worker.session(ref).start('restore')
    await stage.clock.passTime(5_000)
    const [first] = refs as [(typeof refs)[0]]
    stage.whatsapp.device(first).always = { statusCode: 503 }
    stage.whatsapp.socket(first).end({ statusCode: 503 })
    await stage.clock.passTime(200_000)
    expect(worker.gate.outage).toBe(false)
    expect(stage.tables.row(first).reason).toBe('retries_exhausted')
  })

  test('the first success after a shared failure wakes those in the slow lane, in a fleet too small for a circuit too', async () => {
    const stage = new Stage()
    const worker = stage.worker()
    const refs = ['a', 'b', 'c'].map((name) => stage.connection(name))
    for (const ref of refs) worker.session(ref).start('restore')
    await stage.clock.passTime(70_000)
    stage.whatsapp.away = { statusCode: 408 }
    stage.whatsapp.dropAll()
    await stage.clock.passTime(10 * 60_000)
    for (const ref of refs) expect(stage.tables.row(ref).reason).toBe('retries_exhausted')
    stage.whatsapp.away = undefined
    const [first] = refs as [(typeof refs)[0]]
    worker.session(first).enqueue(stage.send(first, 'msg_1'))
    await stage.clock.passTime(2 * 60_000)
    for (const ref of refs) expect(stage.tables.row(ref).status).toBe('connected')
  })

  /** Each kind of outage: not even the upgrade, refused logins, silence. */
  const outages = [
    ['not reachable', { upgradeStatus: 503 }, true],
    ['refusing logins', { statusCode: 503 }, false],
    ['losing connections', { statusCode: 408 }, true],
  ] as const

  describe.each(outages)('WhatsApp %s for an hour', (_what, end, unreachable) => {
    test.each([1, 2, 3, 4, 5, 6, 12])('%i connections are back within two minutes of its return', async (count) => {
      const stage = new Stage({ settings: { backoffJitter: 0.2 }, seed: count })
      const worker = stage.worker()
      const refs = many.slice(0, count).map((name) => stage.connection(name))
      for (const ref of refs) worker.session(ref).start('restore')
      await stage.clock.passTime(70_000)
      const before = stage.whatsapp.logins.length
      stage.whatsapp.away = end
      stage.whatsapp.unreachable = unreachable
      stage.whatsapp.dropAll()
      await stage.clock.passTime(60 * 60_000)
      // A wake is one attempt, at most one a minute for each; the probes of a circuit are a few for all.
      const tried = stage.whatsapp.logins.length - before
      if (count === 1) {
        const { openings } = stage.whatsapp.device(refs[0] as (typeof refs)[0])
        const gaps = openings.slice(7).map((at, n) => at - (openings[n + 6] as number))
        for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(stage.settings.wakeGapMs)
      }
      if (count < 5) expect(tried).toBeLessThanOrEqual(unreachable ? 10 * count : 60 + 6 * count)
      stage.whatsapp.away = undefined
      stage.whatsapp.unreachable = false
      await stage.clock.passTime(2 * 60_000)
      expect(refs.map((ref) => stage.tables.row(ref).status)).toEqual(refs.map(() => 'connected'))
      // Nobody asks any more.
      const asked = stage.whatsapp.asked.length
      await stage.clock.passTime(5 * 60_000)
      expect(stage.whatsapp.asked).toHaveLength(asked)
    })
  })

  test('a connection that a worker took over in the midst of an outage is back within two minutes, too', async () => {
    const stage = new Stage()
    const ref = stage.connection('a', { status: 'disconnected', reason: 'retries_exhausted' })
    stage.whatsapp.away = { upgradeStatus: 503 }
    stage.whatsapp.unreachable = true
    await stage.worker().restore(ref)
    await stage.clock.passTime(10 * 60_000)
    expect(stage.whatsapp.device(ref).openings).toHaveLength(1)
    stage.whatsapp.away = undefined
    stage.whatsapp.unreachable = false
    await stage.clock.passTime(30_000)
    expect(stage.tables.row(ref).status).toBe('connected')
  })

  test('who has troubles of its own for hours is left to its slow lane', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const device = stage.whatsapp.device(ref)
    const worker = stage.worker()
    await worker.restore(ref)
    device.always = { statusCode: 503 }
    stage.whatsapp.socket(ref).end({ statusCode: 503 })
    await stage.clock.passTime(9 * 3_600_000)
    const before = device.openings.length
    await stage.clock.passTime(3_600_000)
    expect(device.openings.length - before).toBeLessThanOrEqual(4)
  })
})
