import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ok } from './asking.ts'
import { AuthStorage } from './auth-storage.ts'
import { Fleet, type Line, type Task } from './fleet.ts'
import { killAtRandomMoments } from './kills.ts'
import { scale } from './scale.ts'
import { seeded } from './seeded.ts'
import { Traffic } from './traffic.ts'
import { WhatsAppEvents } from './whatsapp-events.ts'

const workers = 2
const leaseMs = 12_000
const renewMs = 3_000
/** So low that a fleet which comes back all at once is told from one that is let in. */
const loginRate = Math.ceil(scale.connections / 5)
const ackTimeoutMs = 1_500
const probeIntervalMs = 5_000
const clocks = {
  LEASE_MS: String(leaseMs),
  LEASE_MARGIN_MS: '2000',
  RENEW_MS: String(renewMs),
  LOGIN_RATE: String(loginRate),
  BACKOFF_BASE_MS: '200',
  STABLE_AFTER_MS: '2000',
  SLOW_LANE_MS: '600000',
  WAKE_GAP_MS: '1000',
  REACH_INTERVAL_MS: '2000',
  PROVEN_AFTER_MS: '2000',
  QUARANTINE_MS: '3000',
  OPEN_TIMEOUT_MS: '5000',
  ACK_TIMEOUT_MS: String(ackTimeoutMs),
  PROBE_INTERVAL_MS: String(probeIntervalMs),
  PROBE_TIMEOUT_MS: '1500',
}
const { slackMs } = scale

describe(`a fleet of ${scale.connections} connections on ${workers} workers`, () => {
  let fleet: Fleet
  let storage: AuthStorage
  let whatsapp: WhatsAppEvents
  let lines: readonly Line[]
  let mark: number
  let pairings: number

  beforeAll(async () => {
    fleet = await Fleet.start(clocks, { workers })
    storage = new AuthStorage(fleet.place)
    whatsapp = await WhatsAppEvents.open(fleet.place.simulatorUrl, [])
    lines = await fleet.pair(scale.connections)
    pairings = (await fleet.stats()).pairings
  }, 240_000)
  afterAll(async () => {
    whatsapp?.close()
    storage?.close()
    await fleet?.stop()
  })
  // Each begins with a whole fleet and nothing else going on, whatever became of the one before.
  beforeEach(async () => {
    await fleet.simulator.delete('/faults')
    ok(await fleet.place.control.post('/services/connector/scale', { desiredCount: workers }))
    await allOpen(60_000)
    await allConnected()
    mark = whatsapp.mark
    ok(await fleet.simulator.post('/stats/reset'))
  })

  const running: Traffic[] = []
  const standing: { end(): void }[] = []
  afterEach(() => {
    for (const traffic of running.splice(0)) traffic.stop()
    for (const fault of standing.splice(0)) fault.end()
  })

  const allOpen = (boundMs: number) =>
    whatsapp.until('all to be open', () => lines.every(({ device }) => whatsapp.isOpen(device)), boundMs)
  const noneOpen = (boundMs: number) =>
    whatsapp.until('all to have left', () => !lines.some(({ device }) => whatsapp.isOpen(device)), boundMs)
  const cameBack = (of: readonly Line[], boundMs: number) =>
    whatsapp.until(
      'logins of all that were lost',
      () => {
        const logins = new Set(whatsapp.since(mark, 'login').map(({ device }) => device))
        return of.every(({ device }) => logins.has(device) && whatsapp.isOpen(device))
      },
      boundMs,
    )

  /** Where each line is, by the id of its task. */
  async function linesOf(task: Task): Promise<readonly Line[]> {
    const owned: Line[] = []
    for (const line of lines) {
      const owner = await storage.owner(fleet.businessProfileId, line.connectionId)
      if (owner?.startsWith(task.taskId)) owned.push(line)
    }
    return owned
  }

  async function ownerOf(line: Line): Promise<Task> {
    const owner = await storage.owner(fleet.businessProfileId, line.connectionId)
    const task = (await fleet.tasks()).find(({ taskId }) => owner?.startsWith(taskId))
    if (task === undefined) throw new Error(`no running task owns ${line.connectionId}`)
    return task
  }

  async function busiest(): Promise<{ readonly task: Task; readonly owned: readonly Line[] }> {
    const all = await Promise.all((await fleet.tasks()).map(async (task) => ({ task, owned: await linesOf(task) })))
    const [first] = all.sort((left, right) => right.owned.length - left.owned.length)
    if (first === undefined || first.owned.length === 0) throw new Error('no worker owns a connection')
    return first
  }

  /** `replacedMax`: sockets of a frozen process, which only the next owner's login ends. */
  async function nothingWentWrong({ replacedMax = 0 }: { readonly replacedMax?: number } = {}): Promise<void> {
    const { conflicts, maxSocketsPerDevice, ...stats } = await fleet.stats()
    const { pairings: scans, decryptFailures, undecryptable, resendsRequested, protocolErrors } = stats
    expect({ scans, decryptFailures, undecryptable, resendsRequested, protocolErrors }).toEqual({
      scans: 0,
      decryptFailures: 0,
      undecryptable: 0,
      resendsRequested: 0,
      protocolErrors: 0,
    })
    expect(conflicts).toBeLessThanOrEqual(replacedMax)
    expect(maxSocketsPerDevice).toBeLessThanOrEqual(replacedMax === 0 ? 1 : 2)
  }

  /** Each worker's logins since the mark, one by one, are as far apart as its limiter lets them in. */
  async function noFasterThanTheLimiter(): Promise<void> {
    const gapMs = 1_000 / loginRate
    // A login that was held up on its way is close to the next one, but catches nothing up for those after it.
    const heldUpMs = 400 + slackMs / 5
    for (const task of await fleet.tasks()) {
      const devices = new Set((await linesOf(task)).map(({ device }) => device))
      const logins = whatsapp.since(mark, 'login').filter(({ device }) => device !== undefined && devices.has(device))
      const times = logins.map(({ at }) => Date.parse(at)).toSorted((left, right) => left - right)
      const [first = 0] = times
      for (const [n, at] of times.entries()) expect(at - first).toBeGreaterThanOrEqual(n * gapMs - heldUpMs)
    }
  }

  async function versions(): Promise<ReadonlyMap<Line, number>> {
    const seen = new Map<Line, number>()
    for (const line of lines) seen.set(line, (await fleet.show(line.connectionId)).version)
    return seen
  }

  async function allConnected(): Promise<void> {
    for (const line of lines) {
      const { version, status } = await fleet.show(line.connectionId)
      if (status !== 'connected') await fleet.sees(line, 'connected', 'open', { after: version })
    }
  }

  async function trafficOn(of: readonly Line[], name: string): Promise<Traffic> {
    const traffic = await Traffic.start(fleet, of, { name, random: seeded(scale.seed), pauseMs: 1_000 })
    running.push(traffic)
    return traffic
  }

  function storageFault(fault: Parameters<typeof fleet.place.local.injectFault>[0]) {
    const injected = fleet.place.local.injectFault(fault)
    standing.push(injected)
    return injected
  }

  it('kill -9 of a worker whose exit the platform knows: the other has them all, before a lease is over', async () => {
    const { task, owned } = await busiest()
    const traffic = await trafficOn(owned, 'kill')
    const at = Date.now()
    await fleet.signal(task, 'SIGKILL')
    await cameBack(owned, leaseMs + slackMs)
    // Sooner than who must wait for the lease to run out could have them.
    expect(Date.now() - at).toBeLessThan(Math.min(6_000 + slackMs, leaseMs))
    expect(await traffic.settle(40_000)).toEqual([])
    await nothingWentWrong()
  })

  it('kill -9 of a worker whose exit nobody knows: the other has them all, once the lease is over', async () => {
    const { task, owned } = await busiest()
    const traffic = await trafficOn(owned, 'lost')
    const at = Date.now()
    await fleet.lose(task)
    await cameBack(owned, 20_000 + slackMs)
    // Its counter was last raised at most one renewal before its end.
    expect(Date.now() - at).toBeGreaterThan(leaseMs - renewMs)
    for (const line of owned) {
      const owner = await storage.owner(fleet.businessProfileId, line.connectionId)
      expect(owner?.startsWith(task.taskId)).toBe(false)
    }
    expect(await traffic.settle(40_000)).toEqual([])
    await nothingWentWrong()
  })

  it('a worker that is stopped and goes on after its lease sends nothing, writes nothing and ends', async () => {
    const { task, owned } = await busiest()
    // In the midst of it: it has calls under way, and more to write, when it goes on.
    const traffic = await trafficOn(owned, 'stop')
    await traffic.flows(30_000)
    await fleet.signal(task, 'SIGSTOP')
    await cameBack(owned, 2 * leaseMs + slackMs)
    for (const line of owned) {
      const owner = await storage.owner(fleet.businessProfileId, line.connectionId)
      expect(owner?.startsWith(task.taskId)).toBe(false)
    }
    const writes = fleet.watchWrites(task)
    await fleet.signal(task, 'SIGCONT')
    await fleet.ended(task)
    expect(writes.end()).toEqual([])
    expect(await traffic.settle(40_000)).toEqual([])
    await nothingWentWrong({ replacedMax: owned.length })
  })

  it('a rolling replacement of both workers: short gaps, never two sockets, nothing undecryptable', async () => {
    const before = await fleet.tasks()
    const traffic = await trafficOn(lines, 'deploy')
    ok(await fleet.place.control.post('/services/connector/deploy'))
    const after = await fleet.tasks()
    expect(after.filter(({ taskId }) => before.some((old) => old.taskId === taskId))).toEqual([])
    await cameBack(lines, slackMs)
    const gaps = whatsapp.gaps(mark).toSorted((left, right) => left - right)
    expect(gaps.length).toBeGreaterThanOrEqual(lines.length)
    expect(gaps[Math.ceil(gaps.length * 0.95) - 1]).toBeLessThan(3_000 + slackMs)
    expect(await traffic.settle(40_000)).toEqual([])
    await nothingWentWrong()
  })

  it('WhatsApp closes all sockets at once: all are back, no faster than the limiter lets them', async () => {
    await fleet.fault({ kind: 'close', target: { all: true } })
    await cameBack(lines, 5_000 + slackMs)
    await noFasterThanTheLimiter()
    await allConnected()
    await nothingWentWrong()
  })

  it('silence with TCP up: found by missing acks where there is traffic, by a probe where there is none', async () => {
    const [talker, ...others] = lines as [Line, ...Line[]]
    const customer = await fleet.newPhone()
    await fleet.conversationWorks(talker, customer)
    const before = await versions()
    const silence = await fleet.fault({ kind: 'silent', target: { all: true } })
    const messageId = await fleet.send(talker, customer, 'into the silence')
    const notices = (line: Line, boundMs: number) =>
      fleet.observer.connection(line.connectionId, 'reconnecting', ({ status }) => status === 'reconnecting', {
        after: before.get(line) ?? 0,
        boundMs,
      })
    await Promise.all([
      notices(talker, 10_000),
      ...others.map((line) => notices(line, probeIntervalMs + 1_500 + slackMs)),
    ])
    await silence.end()
    await fleet.sendStatus(messageId, 'read')
    expect((await fleet.phones.inbox(customer, 1)).filter(({ text }) => text === 'into the silence')).toHaveLength(1)
    await cameBack(lines, 20_000)
    await allConnected()
    await nothingWentWrong()
  })

  it('WhatsApp is away for longer than the whole series: nobody gives up for good, and there is no login storm', async () => {
    const before = await versions()
    const wall = await fleet.fault({ kind: 'refuse-upgrade', target: { all: true } })
    await fleet.fault({ kind: 'drop', target: { all: true } })
    await Promise.all(
      lines.map((line) =>
        fleet.observer.connection(
          line.connectionId,
          'to be told of the outage',
          ({ reason }) => reason === 'outage' || reason === 'retries_exhausted',
          { after: before.get(line) ?? 0, boundMs: 60_000 },
        ),
      ),
    )
    const told = whatsapp.mark
    // 0.2 + 0.4 + … + 3.2 s of waiting have gone by, or 0.5 + 1 + 2 + 4 s of three probes each.
    const refusedMin = 12
    await whatsapp.until(
      'several rounds of refused probes',
      () => whatsapp.since(told, 'upgrade-refused').length >= refusedMin,
      120_000,
    )
    await wall.end()
    mark = whatsapp.mark
    await cameBack(lines, 20_000 + slackMs)
    await noFasterThanTheLimiter()
    await allConnected()
    await nothingWentWrong()
  })

  it('DynamoDB and S3 fail, are slow, lose answers, are away for longer than a lease: nothing is lost, nobody restarts', async () => {
    const before = await fleet.tasks()
    const traffic = await trafficOn(lines, 'storage')
    const standsFor = async (fault: Parameters<typeof storageFault>[0], calls: number) => {
      const injected = storageFault({ caller: 'connector', ...fault })
      await expect.poll(() => injected.met, { timeout: 30_000 }).toBeGreaterThanOrEqual(calls)
      injected.end()
    }
    await standsFor({ service: 'dynamodb', share: 0.5, how: { kind: 'refuse', status: 500 } }, 150)
    await standsFor({ service: 'dynamodb', share: 0.3, how: { kind: 'lose_answer' } }, 60)
    await standsFor({ service: 'dynamodb', share: 0.3, how: { kind: 'delay', delayMs: 2_000 } }, 30)

    const [reader] = lines as [Line, ...Line[]]
    const bucket = storageFault({ service: 's3', how: { kind: 'refuse', status: 503 } })
    await fleet.restart(reader)
    await expect.poll(() => bucket.met, { timeout: 20_000 }).toBeGreaterThanOrEqual(6)
    bucket.end()
    await cameBack([reader], 40_000)

    const table = storageFault({ service: 'dynamodb', caller: 'connector', how: { kind: 'refuse', status: 500 } })
    await noneOpen(2 * leaseMs)
    table.end()
    await allOpen(40_000)
    expect(await traffic.settle(40_000)).toEqual([])
    expect((await fleet.tasks()).map(({ taskId }) => taskId).toSorted()).toEqual(
      before.map(({ taskId }) => taskId).toSorted(),
    )
    await allConnected()
    await nothingWentWrong()
  })

  it('40 reconnects of one connection with the same contacts: its session records stay small', async () => {
    const [line] = lines as [Line, ...Line[]]
    const customers = [await fleet.newPhone(), await fleet.newPhone()]
    for (const customer of customers) await fleet.conversationWorks(line, customer)
    ok(await fleet.simulator.post('/stats/reset'))
    for (let reconnect = 0; reconnect < 40; reconnect += 1) {
      const logins = whatsapp.mark
      // Half-way another worker takes over, who knows nothing but what is stored.
      if (reconnect === 20) await fleet.kill(await ownerOf(line))
      else await fleet.fault({ kind: 'stream-error', code: 515 }, line)
      await whatsapp.until(
        'the next login',
        () => whatsapp.since(logins, 'login').some(({ device }) => device === line.device),
        20_000,
      )
      const sent = customers.map((customer) => fleet.send(line, customer, `reconnect ${reconnect}`))
      await Promise.all(sent.map(async (messageId) => fleet.sendStatus(await messageId, 'read')))
    }
    // Who lives with the device list that it has asks for nothing, and opens no session anew.
    const { deviceListsAsked, bundlesFetched } = await fleet.stats()
    expect({ deviceListsAsked, bundlesFetched }).toEqual({ deviceListsAsked: 0, bundlesFetched: 0 })
    const records = await storage.records(fleet.businessProfileId, line.connectionId)
    const sessions = [...records].filter(([key]) => key.startsWith('key/session/'))
    expect(sessions.length).toBeGreaterThanOrEqual(customers.length)
    for (const [key, value] of sessions) expect(value.length, key).toBeLessThan(2_048)
    await nothingWentWrong()
  })

  it(`kill -9 at ${scale.kills} random moments while all send and receive (seed ${scale.seed})`, async () => {
    const { kills, seed } = scale
    const report = await killAtRandomMoments(fleet, storage, lines, { kills, workers, seed })
    expect(report.problems).toEqual([])
    expect(report.messages).toBeGreaterThan(kills)
  })

  it('nobody was linked twice', async () => {
    expect(pairings).toBe(lines.length)
    for (const { phoneNumber } of lines) {
      const { devices } = ok(await fleet.simulator.get(`/phones/${phoneNumber.slice(1)}/devices`))
      expect(devices).toHaveLength(1)
    }
  })
})
