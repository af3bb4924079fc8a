import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { StackTemplate } from '../../local/engine/template/assembly.ts'
import { ok } from './asking.ts'
import { AuthStorage } from './auth-storage.ts'
import { Fleet, type Line } from './fleet.ts'
import { scale } from './scale.ts'

const maxAttempts = 5
const backoffBaseMs = 400
/** As on AWS, but in seconds where those are minutes. */
const clocks = {
  BACKOFF_BASE_MS: String(backoffBaseMs),
  BACKOFF_ATTEMPTS_MAX: String(maxAttempts),
  BACKOFF_JITTER: '0',
  STABLE_AFTER_MS: '1500',
  SLOW_LANE_MS: '3000',
  PROVEN_AFTER_MS: '3000',
  QUARANTINE_MS: '3000',
  WAKE_GAP_MS: '1000',
  OPEN_TIMEOUT_MS: '3000',
  ACK_TIMEOUT_MS: '1000',
  PROBE_INTERVAL_MS: '3000',
  PROBE_TIMEOUT_MS: '1000',
}
/** Many more than fail at a time: else it were an outage, which is a row of its own. */
const linesCount = 30

/** The schedule of the function that marks connections without a worker, as an event that the test sends. */
const lookForWorkers = { Source: 'holdfast.test', DetailType: 'A minute has passed', Detail: '{}' }
function onDemandWatchdog(stacks: readonly StackTemplate[]): readonly StackTemplate[] {
  return stacks.map((stack) => {
    const text = JSON.stringify(stack.template, (key, value: unknown) => {
      const rule = value as { readonly Type?: string; readonly Properties?: Record<string, unknown> }
      if (!key.startsWith('WatchdogsNoWorkerRule') || rule.Type !== 'AWS::Events::Rule') return value
      const { ScheduleExpression: _, ...properties } = rule.Properties ?? {}
      return { ...rule, Properties: { ...properties, EventPattern: { source: [lookForWorkers.Source] } } }
    })
    return { ...stack, template: JSON.parse(text) }
  })
}

describe('each row of the lifecycle table, as WhatsApp brings it about and callers see it', () => {
  let fleet: Fleet
  let all: readonly Line[]
  let free: Line[]
  let storage: AuthStorage
  let pairings: number
  /** Stopped for good: who must not log in again, and how often it had. */
  const stopped: { readonly line: Line; readonly logins: number }[] = []

  /** May not start new chats for an hour, as a conversation with a new phone would. */
  const restrictedLines = new Set<Line>()

  const take = (): Line => {
    const line = free.pop()
    if (line === undefined) throw new Error('no free line is left: raise linesCount')
    return line
  }
  const standing = (fault: object, line: Line) => fleet.fault({ ...fault, count: 1_000 }, line)

  /** Came back by itself, with the identity it had: its phone and its contact still understand it. */
  async function comesBack(line: Line, after: number | undefined, boundMs?: number): Promise<void> {
    const bound = boundMs === undefined ? {} : { boundMs }
    const back = await fleet.sees(line, 'connected', 'open', { after: after ?? -1, ...bound })
    expect(back.data).toMatchObject({ phoneNumber: line.phoneNumber })
    for (const name of ['attempt', 'maxAttempts', 'nextAttemptAt', 'remedy', 'qr'])
      expect(back.data).not.toHaveProperty(name)
    await fleet.conversationWorks(line, await fleet.newPhone())
    free.unshift(line)
  }

  /** Live and by REST; what REST says may be newer, never older. */
  async function stops(line: Line, reason: string, remedy: string, after?: number) {
    const frame = await fleet.sees(line, 'disconnected', reason, { after: after ?? -1 })
    expect(frame).toMatchObject({
      event: 'whatsapp-disconnected',
      data: { remedy, message: expect.stringMatching(/^[A-Z].*\.$/) },
    })
    for (const name of ['attempt', 'maxAttempts', 'nextAttemptAt', 'qr']) expect(frame.data).not.toHaveProperty(name)
    expect(await fleet.show(line.connectionId)).toMatchObject({ status: 'disconnected', reason, remedy })
    return frame
  }

  async function staysAway(line: Line): Promise<void> {
    stopped.push({ line, logins: (await fleet.device(line)).logins })
  }

  beforeAll(async () => {
    vi.setConfig({ maxConcurrency: 10 })
    fleet = await Fleet.start(clocks, { template: onDemandWatchdog })
    storage = new AuthStorage(fleet.place)
    // Nothing is linked yet, so that this fault meets nobody else.
    await fleet.fault({ kind: 'failure', reason: 401, target: { all: true }, count: 1 })
    const connectionId = await fleet.create('refused before anything was linked')
    const refused = await fleet.sees({ connectionId }, 'disconnected', 'pairing_failed')
    expect(refused.data).toMatchObject({ remedy: 'scan_qr' })
    all = await fleet.pair(linesCount)
    free = [...all]
    pairings = (await fleet.stats()).pairings
    expect(pairings).toBe(linesCount)
  })
  afterAll(async () => {
    storage?.close()
    await fleet?.stop()
  })

  describe.concurrent('what meets one of them', () => {
    it('five failures: retries_exhausted, then the slow lane brings it back', async () => {
      const line = take()
      const before = await fleet.device(line)
      const { end } = await standing({ kind: 'stream-error', code: 503 }, line)
      const gaveUp = await stops(line, 'retries_exhausted', 'restart')
      expect((await fleet.device(line)).logins).toBe(before.logins + maxAttempts)
      const shownAttempts = fleet.observer.frames
        .filter((frame) => frame.connectionId === line.connectionId)
        .map(({ data }) => data.attempt ?? 0)
      expect(Math.max(...shownAttempts)).toBe(maxAttempts)
      await end()
      await comesBack(line, gaveUp.version)
    })

    it('an unknown failure: five attempts, then it stops and says what it was', async () => {
      const line = take()
      const { end } = await standing({ kind: 'failure', reason: 409 }, line)
      const trying = await fleet.sees(line, 'reconnecting', 'unknown_failure')
      expect(trying.data).toMatchObject({ attempt: 1, maxAttempts })
      const gone = await stops(line, 'unknown_failure', 'restart')
      expect(gone.data.message).toContain('409')
      await end()
      await fleet.restart(line)
      await comesBack(line, gone.version)
    })

    it.each([
      ['408', { kind: 'stream-error', code: 408 }, 'connection_lost'],
      ['428 by a TCP reset', { kind: 'drop' }, 'connection_closed'],
      ['428 by a WebSocket close', { kind: 'close', how: 'websocket' }, 'connection_closed'],
      ['428 by the end of the stream', { kind: 'close', how: 'xmlstreamend' }, 'connection_closed'],
      ['503 on the stream', { kind: 'stream-error', code: 503 }, 'service_unavailable'],
      ['503 at login', { kind: 'failure', reason: 503 }, 'service_unavailable'],
      ['500 at login', { kind: 'failure', reason: 500 }, 'stream_error'],
      ['500 for an error that has no code', { kind: 'stream-error', child: 'xml-not-well-formed' }, 'stream_error'],
      ['516', { kind: 'stream-error', code: 516 }, 'stream_error'],
      ['405', { kind: 'failure', reason: 405 }, 'client_outdated'],
    ])('%s: reconnecting, with its attempts shown, and back without a scan', async (_, fault, reason) => {
      const line = take()
      const { end } = await standing(fault, line)
      for (const attempt of [1, 2]) {
        const down = await fleet.observer.connection(
          line.connectionId,
          `reconnecting/${reason} ${attempt}`,
          (data) => data.reason === reason && data.attempt === attempt && data.nextAttemptAt !== undefined,
        )
        expect(down).toMatchObject({ event: 'whatsapp-reconnecting', data: { status: 'reconnecting', maxAttempts } })
        expect(down.data).not.toHaveProperty('remedy')
        const waitMs = Date.parse(down.data.nextAttemptAt) - Date.parse(down.data.updatedAt)
        // The change is stamped when it is written.
        expect(waitMs).toBeGreaterThan(backoffBaseMs * 2 ** (attempt - 1) - 300 - scale.slackMs)
        expect(waitMs).toBeLessThanOrEqual(backoffBaseMs * 2 ** (attempt - 1))
      }
      // Between two attempts it is open for as long as the fault needs to end it.
      const shown = () => fleet.show(line.connectionId)
      await expect.poll(shown, { timeout: 20_000 }).toMatchObject({ status: 'reconnecting', reason, maxAttempts })
      await end()
      await comesBack(line, (await shown()).version - 1)
    })

    it('silence on an open socket with a send under way: the missing ack finds it', async () => {
      const line = take()
      const customer = await fleet.newPhone()
      await fleet.conversationWorks(line, customer)
      const { end } = await fleet.fault({ kind: 'silent' }, line)
      const messageId = await fleet.send(line, customer, 'into the silence')
      const down = await fleet.sees(line, 'reconnecting', 'liveness_failed')
      expect(down.data).toMatchObject({ attempt: 1, maxAttempts })
      await end()
      await fleet.sendStatus(messageId, 'read')
      expect((await fleet.phones.inbox(customer, 2)).filter(({ text }) => text === 'into the silence')).toHaveLength(1)
      await comesBack(line, down.version)
    })

    it('silence on an open socket without traffic: the probe finds it; a login without an answer is given up', async () => {
      const line = take()
      const { end } = await fleet.fault({ kind: 'silent' }, line)
      const silent = await fleet.sees(line, 'reconnecting', 'liveness_failed')
      const timedOut = await fleet.sees(line, 'reconnecting', 'open_timeout', { after: silent.version ?? 0 })
      expect(timedOut.data).toMatchObject({ attempt: 2, maxAttempts })
      await end()
      await comesBack(line, timedOut.version)
    })

    it('515: back at once, without another status; the fourth in a row counts', async () => {
      const line = take()
      const before = await fleet.device(line)
      const seen = fleet.observer.history(line.connectionId).length
      await fleet.fault({ kind: 'stream-error', code: 515 }, line)
      await fleet.conversationWorks(line, await fleet.newPhone())
      expect((await fleet.device(line)).logins).toBe(before.logins + 1)
      for (const status of fleet.observer.history(line.connectionId).slice(seen))
        expect(status).toMatch(/ connected\/open$/)
      const { end } = await standing({ kind: 'stream-error', code: 515 }, line)
      const counted = await fleet.sees(line, 'reconnecting', 'stream_error')
      expect(counted.data).toMatchObject({ attempt: 1 })
      await end()
      await comesBack(line, counted.version)
    })

    it('463: connected with a restriction; the new chat is refused, known ones go on', async () => {
      const line = take()
      const [known, stranger] = [await fleet.newPhone(), await fleet.newPhone()]
      await fleet.conversationWorks(line, known)
      const { end } = await fleet.fault({ kind: 'error-acks', errorCode: 463, count: 1 }, line)
      const refused = await fleet.send(line, stranger, 'hello, stranger')
      const failed = await fleet.sendStatus(refused, 'failed')
      expect(failed.data.error).toMatchObject({ code: expect.any(String), message: expect.any(String) })
      const restricted = await fleet.observer.connection(
        line.connectionId,
        'a restriction',
        ({ restriction }) => restriction !== undefined,
      )
      expect(restricted.data).toMatchObject({ status: 'connected', restriction: { kind: 'new_chats' } })
      expect(Date.parse(restricted.data.restriction.until)).toBeGreaterThan(Date.now())
      await end()
      await fleet.conversationWorks(line, known)
      expect(await fleet.phones.inbox(stranger, 0)).toEqual([])
      restrictedLines.add(line)
    })
    it.each([
      ['401 with conflict device_removed', { kind: 'device-removed' }],
      [
        'conflict device_removed without a code, which Baileys reports as 440',
        { kind: 'device-removed', withoutCode: true },
      ],
      ['401 at login', { kind: 'failure', reason: 401, count: 1 }],
    ])('%s: logged out, and never tries again', async (_, fault) => {
      const line = take()
      await fleet.fault(fault, line)
      await stops(line, 'logged_out', 'scan_qr')
      await staysAway(line)
    })

    it('unlinked at the phone: logged out; a new pairing is asked for, and only then there is a new identity', async () => {
      const line = take()
      const [digits, device] = line.device.split(':')
      ok(await fleet.simulator.delete(`/phones/${digits}/devices/${device}`))
      const gone = await stops(line, 'logged_out', 'scan_qr')
      await staysAway(line)
      const refused = await fleet.send(line, await fleet.newPhone(), 'anybody there?')
      const failed = await fleet.sendStatus(refused, 'failed')
      expect(failed.data.error).toMatchObject({ code: 'no_active_connection' })
      ok(await fleet.tenant.post(`/connections/${line.connectionId}/pair`, {}))
      const renewed = await fleet.scan(line.connectionId, line.phoneNumber, gone.version)
      pairings += 1
      expect(renewed).not.toBe(line.device)
      await comesBack({ ...line, device: renewed }, gone.version)
    })

    it('403: forbidden; its auth state is kept, and a restart finds it', async () => {
      const line = take()
      const { end } = await standing({ kind: 'failure', reason: 403 }, line)
      const gone = await stops(line, 'forbidden', 'contact_whatsapp')
      const before = await fleet.device(line)
      await end()
      expect((await fleet.device(line)).logins).toBe(before.logins)
      await fleet.restart(line)
      await comesBack(line, gone.version)
    })

    it('a passkey is asked for when linking: said in words; a new pairing links once it is not', async () => {
      const phoneNumber = await fleet.newPhone()
      const settings = (passkey: boolean) => fleet.simulator.post('/phones', { phoneNumber, passkey })
      ok(await settings(true))
      const connectionId = await fleet.create('asks for a passkey')
      await expect(fleet.scan(connectionId, phoneNumber)).rejects.toThrow('passkey_required')
      const asked = await fleet.sees({ connectionId }, 'qr_pending', 'passkey_required')
      expect(asked.data).toMatchObject({ remedy: 'use_passkey_on_phone', message: expect.stringMatching(/passkey/i) })
      expect(asked.data).not.toHaveProperty('qr')
      ok(await settings(false))
      ok(await fleet.tenant.post(`/connections/${connectionId}/pair`, {}))
      const device = await fleet.scan(connectionId, phoneNumber, asked.version)
      pairings += 1
      await comesBack({ connectionId, phoneNumber, device }, asked.version)
    })

    it('411: unsupported_account', async () => {
      const line = take()
      await fleet.fault({ kind: 'downgrade' }, line)
      await stops(line, 'unsupported_account', 'scan_qr')
      await staysAway(line)
    })

    it('440 by another session: yields, and stops at the third; sends wait, a restart brings it back', async () => {
      const line = take()
      const { end } = await fleet.fault({ kind: 'replaced', count: 3 }, line)
      const yielded = await fleet.sees(line, 'reconnecting', 'replaced')
      expect(yielded.data).toMatchObject({ attempt: 1, maxAttempts })
      const gone = await stops(line, 'replaced_elsewhere', 'stop_other_session')
      await end()
      const before = await fleet.device(line)
      const customer = await fleet.newPhone()
      const waiting = await fleet.send(line, customer, 'waits for the restart')
      await fleet.sendStatus(waiting, 'queued')
      expect((await fleet.device(line)).logins).toBe(before.logins)
      await fleet.restart(line)
      await fleet.sendStatus(waiting, 'read')
      await comesBack(line, gone.version)
    })

    it.each([
      [
        'a snapshot with a flipped bit',
        (bytes: Uint8Array) => bytes.with(bytes.length >> 1, (bytes.at(bytes.length >> 1) ?? 0) ^ 1),
      ],
      ['half a snapshot', (bytes: Uint8Array) => bytes.subarray(0, bytes.length >> 1)],
      ['a snapshot that is gone', () => undefined],
    ])('%s: auth_unreadable, kept; once it can be read again a restart needs no scan', async (_, damage) => {
      const line = take()
      const repair = await storage.changeSnapshots(fleet.businessProfileId, line.connectionId, damage)
      await fleet.restart(line)
      const gone = await stops(line, 'auth_unreadable', 'restart')
      const before = await fleet.device(line)
      expect(before.open).toBe(0)
      await repair()
      await fleet.restart(line)
      await comesBack(line, gone.version)
    })

    it('the head is gone: auth_missing, and no new identity; with the head it is what it was', async () => {
      const line = take()
      const putBack = await storage.removeHead(fleet.businessProfileId, line.connectionId)
      await fleet.restart(line)
      const gone = await stops(line, 'auth_missing', 'scan_qr')
      await putBack()
      await fleet.restart(line)
      await comesBack(line, gone.version)
    })
  })

  describe('what meets many of them', () => {
    // Each begins with all that nothing stops, whatever became of the one before.
    beforeEach(async () => {
      await fleet.simulator.delete('/faults')
      ok(await fleet.place.control.post('/services/connector/scale', { desiredCount: 1 }))
      free = all.filter((line) => !restrictedLines.has(line) && !stopped.some((gone) => gone.line === line))
      for (const line of free) {
        const { status, version } = await fleet.show(line.connectionId)
        if (status === 'disconnected') await fleet.restart(line)
        if (status !== 'connected') await fleet.sees(line, 'connected', 'open', { after: version, boundMs: 60_000 })
      }
      // And with five attempts each: the failures of the row before no longer count.
      const setbacks = async () => {
        const of = free.map((line) => storage.hasSetbacks(fleet.businessProfileId, line.connectionId))
        return (await Promise.all(of)).filter(Boolean).length
      }
      await expect.poll(setbacks, { timeout: 30_000 }).toBe(0)
    })

    it('refused upgrades: reconnecting; linking under them fails after five attempts; all at once is an outage', async () => {
      let wall = await fleet.fault({ kind: 'refuse-upgrade', status: 403, target: { all: true } })
      const neverLinked = await fleet.create('linked at the wrong time')
      const early: Line[] = []
      for (const status of [403, 429, 503]) {
        const next = await fleet.fault({ kind: 'refuse-upgrade', status, target: { all: true } })
        await wall.end()
        wall = next
        const line = take()
        early.push(line)
        await fleet.fault({ kind: 'drop' }, line)
        const down = await fleet.sees(line, 'reconnecting', 'upgrade_refused')
        expect(down.data).toMatchObject({ maxAttempts, nextAttemptAt: expect.any(String) })
      }
      const ranOut = await fleet.sees({ connectionId: neverLinked }, 'disconnected', 'pairing_failed')
      expect(ranOut.data).toMatchObject({ remedy: 'scan_qr' })
      const many = free.splice(0)
      await fleet.fault({ kind: 'drop', target: { all: true } })
      const waiting = await Promise.all(many.map((line) => fleet.sees(line, 'reconnecting', 'outage')))
      await wall.end()
      // Probes of an outage are up to 15 s apart.
      for (const line of early) await comesBack(line, (await fleet.show(line.connectionId)).version - 1, 60_000)
      await Promise.all(many.map((line, index) => comesBack(line, waiting[index]?.version, 60_000)))
    })

    it('opening when the worker crashed, three times in a row: quarantined; the others are not; it is tested again by itself', async () => {
      const line = take()
      const bystander = take()
      const connected = (await fleet.stats()).socketsOpen
      const { end } = await fleet.fault({ kind: 'silent' }, line)
      await fleet.restart(line)
      let epoch = 0
      for (let crash = 1; crash <= 3; crash += 1) {
        const opening = async () => {
          epoch = (await storage.openingEpoch(fleet.businessProfileId, line.connectionId)) ?? epoch
          return epoch
        }
        const before = epoch
        await expect.poll(async () => (await fleet.stats()).socketsOpen, { timeout: 20_000 }).toBe(connected - 1)
        const [task] = await fleet.tasks()
        if (task === undefined) throw new Error('no worker runs')
        await expect.poll(opening, { timeout: 20_000 }).toBeGreaterThan(before)
        await fleet.kill(task)
      }
      const gone = await fleet.sees(line, 'disconnected', 'quarantined')
      expect(gone.data).toMatchObject({ remedy: 'restart', nextAttemptAt: expect.any(String) })
      await end()
      await fleet.conversationWorks(bystander, await fleet.newPhone())
      await comesBack(line, gone.version)
    })

    it('no worker: shown so once the platform has none, and restored by the next', async () => {
      const line = take()
      ok(await fleet.place.control.post('/services/connector/scale', { desiredCount: 0 }))
      await fleet.sendEvent(lookForWorkers)
      const alone = await fleet.sees(line, 'reconnecting', 'no_worker')
      ok(await fleet.place.control.post('/services/connector/scale', { desiredCount: 1 }))
      await comesBack(line, alone.version)
    })
  })

  it('nobody was linked twice, and WhatsApp never saw two sockets of a device', async () => {
    const stats = await fleet.stats()
    expect(stats).toMatchObject({ pairings, conflicts: 0, maxSocketsPerDevice: 1, undecryptable: 0, protocolErrors: 0 })
  })

  it('what alarms watch was written: of what a person must look at, and of connections that nobody holds', async () => {
    const names = () => fleet.place.local.metrics().map(({ name }) => name)
    await expect.poll(names, { timeout: 30_000 }).toEqual(expect.arrayContaining(['Alarms', 'PartitionsWithoutWorker']))
  })

  it('who was stopped has not logged in again', async () => {
    expect(stopped).toHaveLength(5)
    for (const { line, logins } of stopped) {
      expect(await fleet.device(line)).toMatchObject({ logins, open: 0 })
    }
  })
})
