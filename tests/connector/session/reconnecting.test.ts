import { describe, expect, test } from 'vitest'
import { Stage } from './stage.ts'

describe('a connection that was linked', () => {
  test('is restored at start without a scan', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    await session.settled
    expect(session.state).toBe('open')
    expect(stage.tables.statuses(ref)).toEqual(['reconnecting/restoring', 'connected/open'])
    expect(stage.tables.row(ref).opening).toBeUndefined()
    expect(stage.auth.created.size).toBe(0)
  })

  test('a quick restore takes two writes', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    await stage.worker().restore(ref)
    expect(stage.tables.landed).toHaveLength(2)
  })

  test('tries again after exactly 5, 10, 20, 40, 80 s, says which attempt it is, and then goes to the slow lane', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    const device = stage.whatsapp.device(ref)
    device.always = { statusCode: 503 }
    const lostAt = stage.clock.monotonic()
    stage.whatsapp.socket(ref).end({ statusCode: 428 })
    await stage.clock.passTime(1)
    expect(stage.tables.row(ref)).toMatchObject({
      status: 'reconnecting',
      reason: 'connection_closed',
      attempt: 1,
      maxAttempts: 5,
      nextAttemptAt: new Date(stage.clock.now() - 1 + 5_000).toISOString(),
    })
    await stage.clock.passTime(200_000)
    const { latencyMs } = stage.whatsapp
    const since = device.openings.slice(1).map((at, n) => at - lostAt - n * latencyMs)
    expect(since).toEqual([5_000, 15_000, 35_000, 75_000, 155_000])
    expect(stage.tables.row(ref)).toMatchObject({ status: 'disconnected', reason: 'retries_exhausted' })
    expect(stage.tables.row(ref).attempt).toBeUndefined()
    expect(stage.said('Attempting reconnection')).toEqual(
      [1, 2, 3, 4, 5].map((n) => `Primary Device (+94714515253): Attempting reconnection ${n}/5`),
    )
    expect(session.state).toBe('waiting')
    expect(stage.said('Gave up after 5 attempts')).toHaveLength(1)
  })

  test('counts attempts on until a socket was open for 60 s', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    await stage.worker().restore(ref)
    const drop = () => stage.whatsapp.socket(ref).end({ statusCode: 428 })
    drop()
    await stage.clock.passTime(5_100)
    expect(stage.tables.row(ref).status).toBe('connected')
    await stage.clock.passTime(30_000)
    drop()
    await stage.clock.passTime(1)
    expect(stage.tables.row(ref).attempt).toBe(2)
    await stage.clock.passTime(10_100)
    await stage.clock.passTime(60_000)
    drop()
    await stage.clock.passTime(1)
    expect(stage.tables.row(ref).attempt).toBe(1)
  })

  test('is probed each 15 minutes in the slow lane, and shows nothing until a probe succeeds', async () => {
    const stage = new Stage()
    const ref = stage.connection('a', { status: 'disconnected', reason: 'retries_exhausted' })
    const device = stage.whatsapp.device(ref)
    device.always = { statusCode: 408 }
    const worker = stage.worker()
    // While another one is open, its troubles are its own.
    await worker.restore(stage.connection('b'))
    const session = await worker.restore(ref)
    expect(device.openings).toHaveLength(1)
    await stage.clock.passTime(15 * 60_000 - 1_000)
    expect(device.openings).toHaveLength(1)
    device.always = 'open'
    await stage.clock.passTime(2_000)
    expect(stage.tables.statuses(ref)).toEqual(['connected/open'])
    expect(session.state).toBe('open')
  })

  test('a send wakes the slow lane at most once a minute, and goes out when the wake succeeds', async () => {
    const stage = new Stage()
    const ref = stage.connection('a', { status: 'disconnected', reason: 'retries_exhausted' })
    const device = stage.whatsapp.device(ref)
    device.always = { statusCode: 408 }
    const session = await stage.worker().restore(ref)
    session.enqueue(stage.send(ref, 'msg_1'))
    session.enqueue(stage.send(ref, 'msg_2'))
    await stage.clock.passTime(59_000)
    expect(device.openings).toHaveLength(1)
    await stage.clock.passTime(2_000)
    expect(device.openings).toHaveLength(2)
    expect(stage.tables.statuses(ref)).toEqual([])
    device.always = 'open'
    session.enqueue(stage.send(ref, 'msg_3'))
    await stage.clock.passTime(61_000)
    expect(device.openings).toHaveLength(3)
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('sent')
    expect(stage.tables.outbound(ref, 'msg_3').status).toBe('sent')
  })

  test('an opening that gives no event at all ends by our own watchdog', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.whatsapp.device(ref).next.push('silent')
    await stage.worker().restore(ref)
    await stage.clock.passTime(20_000)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'reconnecting', reason: 'open_timeout', attempt: 1 })
    await stage.clock.passTime(5_100)
    expect(stage.tables.row(ref).status).toBe('connected')
    expect(stage.whatsapp.socketsAtOnceMax).toBe(1)
  })

  test('a dead but open socket is found within 90 s without traffic', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    await stage.worker().restore(ref)
    await stage.clock.passTime(100_000)
    stage.whatsapp.device(ref).answers = false
    await stage.clock.passTime(90_000)
    expect(stage.tables.statuses(ref)).toContain('reconnecting/liveness_failed')
  })

  test('a live socket stays, however quiet', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    await stage.worker().restore(ref)
    await stage.clock.passTime(24 * 60 * 60_000)
    expect(stage.whatsapp.device(ref).openings).toHaveLength(1)
  })

  test('replaced three times in ten minutes stops, with no slow lane and no wake by sends', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    for (const waitMs of [5_100, 10_100]) {
      stage.whatsapp.socket(ref).end({ statusCode: 440, conflict: 'replaced' })
      await stage.clock.passTime(1)
      expect(stage.tables.row(ref)).toMatchObject({ status: 'reconnecting', reason: 'replaced' })
      expect(stage.alarms()).toEqual([])
      await stage.clock.passTime(waitMs)
    }
    stage.whatsapp.socket(ref).end({ statusCode: 440 })
    await stage.clock.passTime(1)
    expect(stage.tables.row(ref)).toMatchObject({
      status: 'disconnected',
      reason: 'replaced_elsewhere',
      remedy: 'stop_other_session',
    })
    expect(stage.alarms()).toContain('replaced_elsewhere')
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(30 * 60_000)
    expect(stage.whatsapp.device(ref).openings).toHaveLength(3)
    expect(stage.tables.outbound(ref, 'msg_1')).toMatchObject({ status: 'queued' })

    stage.command(ref, 'restart')
    await session.command()
    await stage.clock.passTime(200)
    expect(stage.tables.row(ref).status).toBe('connected')
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('sent')
  })

  test('replaced after the ownership was lost: lets go and writes nothing', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const worker = stage.worker()
    const session = await worker.restore(ref)
    const before = stage.tables.landed.length
    worker.holding.lost = true
    stage.whatsapp.socket(ref).end({ statusCode: 440, conflict: 'replaced' })
    await stage.clock.passTime(60_000)
    expect(stage.tables.landed).toHaveLength(before)
    expect(session.state).toBe('ended')
  })

  test('401 archives the auth state and never opens a socket again', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.whatsapp.socket(ref).end({ statusCode: 401 })
    await stage.clock.passTime(1)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'disconnected', reason: 'logged_out', remedy: 'scan_qr' })
    expect(stage.auth.stored(ref).identity).toBe('archived')
    session.enqueue(stage.send(ref, 'msg_1'))
    stage.command(ref, 'restart')
    await session.command()
    await stage.clock.passTime(60 * 60_000)
    expect(stage.whatsapp.device(ref).openings).toHaveLength(1)
    expect(stage.auth.created.size).toBe(0)
    expect(stage.tables.outbound(ref, 'msg_1')).toMatchObject({
      status: 'failed',
      error: {
        code: 'no_active_connection',
        message: 'No active WhatsApp connection found. Please connect a device first.',
      },
    })
  })

  test('405 takes the newest client version from its source, asked once for all connections of a worker', async () => {
    const stage = new Stage({ settings: { clientVersion: [2, 3000, 1] } })
    let asked = 0
    stage.newestVersion = async () => {
      asked += 1
      return [2, 3000, 2]
    }
    const worker = stage.worker()
    const refs = ['a', 'b'].map((name) => stage.connection(name))
    for (const ref of refs) {
      stage.whatsapp.device(ref).next.push({ statusCode: 405 })
      worker.session(ref).start('restore')
    }
    await stage.clock.passTime(1_000)
    for (const ref of refs) {
      expect(stage.tables.row(ref)).toMatchObject({ status: 'reconnecting', reason: 'client_outdated' })
    }
    await stage.clock.passTime(5_000)
    for (const ref of refs) {
      expect(stage.tables.row(ref).status).toBe('connected')
      expect(stage.whatsapp.socket(ref).request.clientVersion).toEqual([2, 3000, 2])
    }
    expect(asked).toBe(1)
    expect(stage.auth.stored(refs[0] as (typeof refs)[0]).identity).toBe('linked')
  })

  test('515 reconnects at once', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    await stage.worker().restore(ref)
    stage.whatsapp.socket(ref).end({ statusCode: 515 })
    await stage.clock.passTime(200)
    expect(stage.tables.statuses(ref)).toEqual(['reconnecting/restoring', 'connected/open'])
    expect(stage.whatsapp.isOpen(ref)).toBe(true)
  })

  test('what nobody knows stops after the attempts and says what it was', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.whatsapp.device(ref).always = { statusCode: 409 }
    const session = await stage.worker().restore(ref)
    await stage.clock.passTime(200_000)
    expect(stage.tables.row(ref)).toMatchObject({
      status: 'disconnected',
      reason: 'unknown_failure',
      remedy: 'restart',
    })
    expect(stage.tables.row(ref).message).toContain('409')
    expect(session.state).toBe('stopped')
    expect(stage.whatsapp.device(ref).openings).toHaveLength(6)
  })
})

describe('what a new owner finds', () => {
  test('an opening that its last owner never ended counts as a crash; the third quarantines, until a restart', async () => {
    const stage = new Stage()
    const ref = stage.connection('a', { opening: { workerId: 'dead', epoch: 4 }, openingCrashes: 2, epoch: 4 })
    const session = await stage.worker('w2', 5).restore(ref)
    expect(session.state).toBe('stopped')
    expect(stage.tables.row(ref)).toMatchObject({ status: 'disconnected', reason: 'quarantined', openingCrashes: 3 })
    expect(stage.whatsapp.device(ref).openings).toHaveLength(0)
    stage.command(ref, 'restart')
    await session.command()
    await stage.clock.passTime(30_200)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'connected' })
    expect(stage.tables.row(ref).openingCrashes).toBeUndefined()
  })

  test('a quarantine ends by itself, whoever owns the connection by then', async () => {
    const stage = new Stage()
    const ref = stage.connection('a', { opening: { workerId: 'dead', epoch: 4 }, openingCrashes: 2, epoch: 4 })
    const first = stage.worker('w2', 5)
    await first.restore(ref)
    await stage.clock.passTime(10 * 60_000)
    await first.session(ref).drain(1_000)
    const second = stage.worker('w3', 6)
    await second.restore(ref)
    await stage.clock.passTime(4 * 60_000)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'disconnected', reason: 'quarantined' })
    expect(stage.whatsapp.device(ref).openings).toHaveLength(0)
    await stage.clock.passTime(2 * 60_000)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'connected' })
    expect(stage.tables.row(ref).openingCrashes).toBeUndefined()
  })

  test('who crashed alone opens once the worker has lived for a while, and holds nobody up meanwhile', async () => {
    const stage = new Stage()
    const worker = stage.worker('w2', 5)
    const twice = stage.connection('twice', { opening: { workerId: 'dead', epoch: 4 }, openingCrashes: 1, epoch: 4 })
    const once = stage.connection('once', { opening: { workerId: 'dead', epoch: 4 }, epoch: 4 })
    for (const ref of [twice, once]) worker.session(ref).start('restore')
    await stage.clock.passTime(29_000)
    expect(stage.tables.row(once).status).toBe('connected')
    expect(stage.whatsapp.device(twice).openings).toHaveLength(0)
    await stage.clock.passTime(2_000)
    expect(stage.tables.row(twice).status).toBe('connected')
  })

  test('kills in quick succession, each while one opens, quarantine nobody', async () => {
    const stage = new Stage()
    const refs = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => stage.connection(name))
    let kills = 0
    for (let epoch = 2; epoch < 60; epoch += 1) {
      const worker = stage.worker(`w${epoch}`, epoch)
      for (const ref of refs) worker.session(ref).start('restore')
      const opening = () => refs.some((ref) => stage.tables.row(ref).opening?.epoch === epoch)
      // As soon as one is at it, if there is any that may be.
      for (let ms = 0; ms < 20_000 && !opening(); ms += 10) await stage.clock.passTime(10)
      if (opening()) kills += 1
      worker.holding.lost = true
      for (const session of worker.sessions.values()) session.terminate()
      await stage.clock.passTime(100)
    }
    // Each was hit among others, and again alone.
    expect(kills).toBeGreaterThan(refs.length)
    expect(refs.map((ref) => stage.tables.row(ref).openingCrashes)).toEqual(refs.map(() => 2))
    const last = stage.worker('last', 60)
    for (const ref of refs) last.session(ref).start('restore')
    await stage.clock.passTime(40_000)
    expect(refs.map((ref) => stage.tables.row(ref).reason)).toEqual(refs.map(() => 'open'))
  })

  test('what a crash caught in the midst of opening opens one at a time after the others, the most suspect last', async () => {
    const stage = new Stage()
    const worker = stage.worker('w2', 5)
    const opening = { workerId: 'dead', epoch: 4 }
    const worst = stage.connection('worst', { opening, openingCrashes: 1, epoch: 4 })
    const suspects = ['a', 'b', 'c'].map((name) => stage.connection(name, { opening, epoch: 4 }))
    const others = ['d', 'e'].map((name) => stage.connection(name, { epoch: 4 }))
    const all = [worst, ...suspects, ...others]
    for (const ref of all) worker.session(ref).start('restore')
    await stage.clock.passTime(35_000)
    const at = (ref: (typeof all)[number]) => stage.whatsapp.device(ref).openings[0] as number
    expect(all.toSorted((left, right) => at(left) - at(right))).toEqual([...others, ...suspects, worst])
    // The next one dials only when the one before is open.
    const dials = suspects.map(at)
    for (const [n, dialled] of dials.slice(1).entries()) {
      expect(dialled - (dials[n] ?? 0)).toBeGreaterThanOrEqual(stage.whatsapp.latencyMs)
    }
  })

  test('a connection that crashes its worker is singled out, and nobody else is quarantined', async () => {
    const stage = new Stage()
    const refs = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => stage.connection(name))
    const [culprit] = refs as [(typeof refs)[0]]
    for (let epoch = 2; epoch < 8; epoch += 1) {
      const worker = stage.worker(`w${epoch}`, epoch)
      for (const ref of refs) worker.session(ref).start('restore')
      const dialled = stage.whatsapp.device(culprit).openings.length
      // It takes its worker down as soon as it dials.
      for (let ms = 0; ms < 33_000 && stage.whatsapp.device(culprit).openings.length === dialled; ms += 10) {
        await stage.clock.passTime(10)
      }
      if (stage.whatsapp.device(culprit).openings.length === dialled) break
      worker.holding.lost = true
      for (const session of worker.sessions.values()) session.terminate()
      await stage.clock.passTime(100)
    }
    expect(stage.whatsapp.device(culprit).openings).toHaveLength(3)
    expect(refs.map((ref) => stage.tables.row(ref).reason)).toEqual(['quarantined', ...refs.slice(1).map(() => 'open')])
  })

  test('a connection that crashes every worker takes down few, and less and less often', async () => {
    const stage = new Stage()
    const [culprit, other] = [stage.connection('a'), stage.connection('b')]
    stage.whatsapp.device(culprit).always = 'silent'
    const end = stage.clock.now() + 6 * 3_600_000
    let crashes = 0
    for (let epoch = 2; stage.clock.now() < end; epoch += 1) {
      const worker = stage.worker(`w${epoch}`, epoch)
      for (const ref of [culprit, other]) worker.session(ref).start('restore')
      const dialled = stage.whatsapp.device(culprit).openings.length
      while (stage.clock.now() < end && stage.whatsapp.device(culprit).openings.length === dialled) {
        await stage.clock.passTime(10_000)
      }
      if (stage.clock.now() >= end) break
      crashes += 1
      worker.holding.lost = true
      for (const session of worker.sessions.values()) session.terminate()
    }
    // Three; then after 15 minutes and after 30, 60, 120 more.
    expect(crashes).toBe(7)
    expect(stage.tables.row(culprit)).toMatchObject({ status: 'disconnected', reason: 'quarantined' })
    expect(stage.tables.row(other).status).toBe('connected')
  })

  test('attempts of a connection that was open only for moments, and who took its place', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const first = stage.worker('w1', 1)
    await first.restore(ref)
    await stage.clock.passTime(61_000)
    for (let n = 0; n < 2; n += 1) {
      stage.whatsapp.socket(ref).end({ statusCode: 440, conflict: 'replaced' })
      await stage.clock.passTime(25_000)
      expect(stage.tables.row(ref).status).toBe('connected')
    }
    expect(stage.tables.row(ref).setbacks).toMatchObject({ failures: 1 })
    first.session(ref).terminate()
    const second = stage.worker('w2', 2)
    await second.restore(ref)
    expect(stage.tables.row(ref).status).toBe('connected')
    stage.whatsapp.socket(ref).end({ statusCode: 440, conflict: 'replaced' })
    await stage.clock.passTime(1_000)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'disconnected', reason: 'replaced_elsewhere' })
    expect(stage.tables.row(ref).setbacks).toBeUndefined()
  })

  test('attempts are counted on after a change of owner, and forgotten after a minute of being open', async () => {
    const stage = new Stage()
    const setbacks = { failures: 3 }
    const ref = stage.connection('a', { setbacks })
    const worker = stage.worker('w2', 2)
    await worker.restore(ref)
    stage.whatsapp.socket(ref).end({ statusCode: 428 })
    await stage.clock.passTime(100)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'reconnecting', attempt: 4 })
    await stage.clock.passTime(41_000)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'connected', setbacks })
    await stage.clock.passTime(66_000)
    expect(stage.tables.row(ref).setbacks).toBeUndefined()
  })

  test('crashes are forgotten once it is open', async () => {
    const stage = new Stage()
    const ref = stage.connection('a', { opening: { workerId: 'dead', epoch: 4 }, openingCrashes: 1, epoch: 4 })
    stage.worker('w2', 5).session(ref).start('restore')
    await stage.clock.passTime(31_000)
    expect(stage.tables.row(ref).status).toBe('connected')
    expect(stage.tables.row(ref).openingCrashes).toBeUndefined()
    expect(stage.tables.row(ref).opening).toBeUndefined()
  })

  test.each([
    ['missing', 'auth_missing', true],
    ['none', 'auth_missing', true],
    ['unreadable', 'auth_unreadable', true],
    ['archived', 'logged_out', false],
  ] as const)('auth state %s is marked %s, and never replaced by a new identity', async (identity, reason, alarm) => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.auth.set(ref, identity)
    const session = await stage.worker().restore(ref)
    expect(session.state).toBe('stopped')
    expect(stage.tables.row(ref)).toMatchObject({ status: 'disconnected', reason })
    expect(stage.alarms().includes(reason)).toBe(alarm)
    expect(stage.auth.created.size).toBe(0)
    expect(stage.auth.stored(ref).identity).toBe(identity)
  })

  test('one that was never linked stays as it is', async () => {
    const stage = new Stage()
    const ref = stage.connection('a', { status: 'disconnected', reason: 'no_session', linkedAt: undefined })
    const session = await stage.worker().restore(ref)
    await session.settled
    expect(session.state).toBe('stopped')
    expect(stage.tables.landed).toHaveLength(0)
  })

  test('a store that does not answer costs no attempt, is not "no session", and needs no restart', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.fate = () => ({ arrivesAfterMs: 'never', givesUpAfterMs: 500 })
    const session = stage.worker().session(ref)
    session.start('restore')
    await stage.clock.passTime(60_000)
    expect(session.state).not.toBe('stopped')
    stage.fate = () => ({})
    await stage.clock.passTime(45_000)
    expect(stage.tables.row(ref).status).toBe('connected')
    expect(stage.said('Attempting reconnection')).toEqual([])
    expect(stage.auth.open.get('bp_1#con_a')).toBe(1)
  })
})
