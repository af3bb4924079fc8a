/** Sessions with real Baileys against the simulated WhatsApp server: each row of the lifecycle table as it comes over the wire. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Holding, Session, SessionSettings } from '../../../connector/ports.ts'
import { processClock, processRandom } from '../../../connector/process-clock.ts'
import { createLoginGate } from '../../../connector/session/login-gate.ts'
import { createSessionFactory } from '../../../connector/session/session.ts'
import { defaultLoginGateSettings, defaultSessionSettings } from '../../../connector/session/settings.ts'
import type { ConnectionRow, WorkerConnections } from '../../../shared/domain/stores/connections.ts'
import type { WorkerMessages } from '../../../shared/domain/stores/messages.ts'
import type { CommandKind, ConnectionRef } from '../../../shared/domain/words.ts'
import { keyOf } from '../../simulation/models/network.ts'
import { modelOperations } from '../../simulation/models/operations.ts'
import { modelConnections, modelMessages } from '../../simulation/models/stores.ts'
import { silentLog, World } from '../whatsapp/device.ts'
import { Stage } from './stage.ts'

/** Liveness as in production: a machine with other work to do must not look like a dead socket. */
const settings: SessionSettings = { ...defaultSessionSettings, backoffBaseMs: 80, backoffJitter: 0 }
/** For the tests that wait until a socket counts as dead. */
const watchful = { ackTimeoutMs: 1_000, probeTimeoutMs: 1_000, probeIntervalMs: 1_000 }

let world: World
let phones = 0

beforeAll(async () => {
  world = await World.start()
})
afterAll(() => world.stop())

const rigs: Rig[] = []
afterEach(async () => {
  for (const rig of rigs.splice(0)) rig.session.terminate()
  await world.control('DELETE', '/faults')
})

/** One connection, one owner at a time. Every write is seen, so that a state which lasts a moment is not missed. */
class Rig {
  readonly stage = new Stage()
  /** The row as each write left it, oldest first. */
  readonly history: ConnectionRow[] = []
  readonly #checks = new Set<() => void>()
  readonly phoneNumber = `1555030${String(1_000 + phones++)}`
  readonly ref: ConnectionRef
  readonly #settings: SessionSettings
  session!: Session
  #epoch = 0

  private constructor(change: Partial<SessionSettings>) {
    this.#settings = { ...settings, ...change }
    this.ref = this.stage.unlinked(`wire${phones}`)
    const { phoneNumber: _, ...row } = this.row
    this.stage.tables.connections.set(keyOf(this.ref), row)
    rigs.push(this)
  }

  /** Linked and open. */
  static async linked(change: Partial<SessionSettings> = {}): Promise<Rig> {
    const rig = new Rig(change)
    await world.phone(rig.phoneNumber)
    rig.own()
    await rig.scanned()
    await rig.connected()
    return rig
  }

  get row(): ConnectionRow {
    return this.stage.tables.row(this.ref)
  }

  /** The next owner takes the connection. */
  own(): void {
    this.#epoch += 1
    let held = true
    const holding: Holding = {
      partition: 0,
      epoch: this.#epoch,
      held: () => held,
      fenced: () => {
        held = false
      },
    }
    const gate = createLoginGate({
      clock: processClock,
      random: processRandom,
      log: silentLog,
      settings: defaultLoginGateSettings,
    })
    this.session = createSessionFactory({
      clock: processClock,
      random: processRandom,
      log: silentLog,
      whatsapp: world.port,
      authStates: world.states(),
      connections: this.#connections(),
      messages: this.#messages(),
      operations: modelOperations(this.stage.tables.operations),
      logins: gate,
      workerId: `w${this.#epoch}`,
      settings: this.#settings,
    })(this.row, holding)
    this.session.start('restore')
  }

  #connections(): WorkerConnections {
    const stored = modelConnections(this.stage.tables)
    return {
      ...stored,
      update: async (...write) => {
        const outcome = await stored.update(...write)
        this.#wrote()
        return outcome
      },
    }
  }

  #messages(): WorkerMessages {
    const stored = modelMessages(this.stage.tables)
    return {
      ...stored,
      step: async (...write) => {
        const outcome = await stored.step(...write)
        this.#wrote()
        return outcome
      },
      putInbound: async (row) => {
        const outcome = await stored.putInbound(row)
        this.#wrote()
        return outcome
      },
    }
  }

  #wrote(): void {
    const row = this.stage.tables.connections.get(keyOf(this.ref))
    if (row !== undefined && row !== this.history.at(-1)) this.history.push(row)
    for (const check of [...this.#checks]) check()
  }

  /** Resolves with what `find` finds, now or after a write. */
  until<T>(what: string, find: () => T | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = find()
        if (found === undefined || found === false) return
        clearTimeout(timeout)
        this.#checks.delete(check)
        resolve(found)
      }
      const timeout = setTimeout(() => {
        this.#checks.delete(check)
        const said = this.history.map(({ version, status, reason }) => `${version} ${status}/${reason}`)
        reject(new Error(`never came: ${what}; row: ${JSON.stringify(this.row)}; written: ${said.join(', ')}`))
      }, 40_000)
      this.#checks.add(check)
      check()
    })
  }

  /** The first row like that after the version, however short it was there. */
  written(what: string, after: number, matches: (row: ConnectionRow) => boolean): Promise<ConnectionRow> {
    return this.until(what, () => this.history.find((row) => row.version > after && matches(row)))
  }

  /** The write that gives the reason, after the version. */
  reason(reason: string, after = 0): Promise<ConnectionRow> {
    return this.written(reason, after, (row) => row.reason === reason)
  }

  /** Connected, in a write after all that was written so far. */
  connected(after = 0): Promise<ConnectionRow> {
    return this.written('connected', after, (row) => row.status === 'connected')
  }

  /** A phone scans the QR that is shown now; resolves with the row that showed it. */
  async scanned(): Promise<ConnectionRow> {
    const row = await this.until('qr', () => this.row.qr !== undefined && this.row)
    await world.control('POST', `/phones/${this.phoneNumber}/scan`, { qr: row.qr?.text })
    return row
  }

  async fault(fault: object): Promise<{ id: string }> {
    return world.control('POST', '/faults', { target: { phoneNumber: this.phoneNumber }, ...fault })
  }

  send(messageId: string, to: string) {
    const row = this.stage.send(this.ref, messageId, { to: `+${to}` })
    // The stage's clock stands still; this test's does not.
    const deadlineAt = new Date(Date.now() + 60_000).toISOString()
    const accepted = { ...row, deadlineAt, content: { type: 'text' as const, text: { body: `text of ${messageId}` } } }
    this.stage.tables.put(accepted)
    world.sent.set(row.whatsappId, accepted.content)
    this.session.enqueue(accepted)
  }

  async sendStatus(messageId: string, status: string): Promise<void> {
    await this.until(`${messageId} ${status}`, () => this.stage.tables.outbound(this.ref, messageId).status === status)
  }

  async command(kind: CommandKind): Promise<void> {
    this.stage.command(this.ref, kind)
    await this.session.command()
  }

  async device(): Promise<{ open: number; maxOpen: number; logins: number }> {
    const stats = await world.control<{ devices: Record<string, { open: number; maxOpen: number; logins: number }> }>(
      'GET',
      '/stats',
    )
    const [, device] = Object.entries(stats.devices).find(([name]) => name.startsWith(`${this.phoneNumber}:`)) ?? []
    if (device === undefined) throw new Error(`no device of ${this.phoneNumber}`)
    return device
  }
}

describe('over the wire', () => {
  test('scan, restart by 515, connected, a message to a phone with delivered and read, and back without a scan', async () => {
    const rig = await Rig.linked()
    expect(rig.row).toMatchObject({ phoneNumber: `+${rig.phoneNumber}` })
    expect(rig.row.qr).toBeUndefined()
    const bob = '15550309999'
    await world.phone(bob)
    rig.send('msg_1', bob)
    await world.inbox(bob, 'text of msg_1')
    await rig.sendStatus('msg_1', 'read')

    rig.session.terminate()
    const { version } = rig.row
    rig.own()
    await rig.connected(version)
    rig.send('msg_2', bob)
    await world.inbox(bob, 'text of msg_2')
    await rig.sendStatus('msg_2', 'read')
    expect((await rig.device()).maxOpen).toBe(1)
    await world.says(bob, rig.phoneNumber, 'an answer')
    await rig.until('inbound', () => rig.stage.tables.inbound(rig.ref).length === 1)
    expect(rig.stage.tables.inbound(rig.ref)[0]).toMatchObject({
      content: { type: 'text', text: { body: 'an answer' } },
    })
  })

  test.each([
    ['TCP reset', { kind: 'drop' }, 'connection_closed'],
    ['WebSocket close', { kind: 'close' }, 'connection_closed'],
    ['stream error 503', { kind: 'stream-error', code: 503 }, 'service_unavailable'],
    ['stream error 500', { kind: 'stream-error', code: 500 }, 'stream_error'],
    ['stream error <ack>', { kind: 'stream-error', child: 'ack' }, 'stream_error'],
    ['conflict: replaced', { kind: 'replaced' }, 'replaced'],
  ])('%s: reconnecting, and back', async (_what, fault, reason) => {
    const rig = await Rig.linked()
    await rig.fault(fault)
    const row = await rig.reason(reason)
    expect(row).toMatchObject({ status: 'reconnecting', attempt: 1, maxAttempts: 5 })
    await rig.connected(row.version)
    expect((await rig.device()).maxOpen).toBe(1)
  })

  test.each([
    ['failure 401', { kind: 'failure', reason: 401 }, 'logged_out', 'scan_qr'],
    ['device removed', { kind: 'device-removed' }, 'logged_out', 'scan_qr'],
    ['device removed without a code', { kind: 'device-removed', withoutCode: true }, 'logged_out', 'scan_qr'],
    ['failure 403', { kind: 'failure', reason: 403 }, 'forbidden', 'contact_whatsapp'],
    ['downgrade', { kind: 'downgrade' }, 'unsupported_account', 'scan_qr'],
  ])('%s: stops', async (_what, fault, reason, remedy) => {
    const rig = await Rig.linked()
    await rig.fault(fault)
    expect(await rig.reason(reason)).toMatchObject({ status: 'disconnected', remedy })
    expect(rig.session.state).toBe('stopped')
    const { logins } = await rig.device()
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect((await rig.device()).logins).toBe(logins)
  })

  test('515 reconnects at once, with the status unchanged', async () => {
    const rig = await Rig.linked()
    const before = rig.stage.tables.statuses(rig.ref).length
    const { version } = rig.row
    await rig.fault({ kind: 'stream-error', code: 515 })
    await rig.connected(version + 1)
    expect(rig.stage.tables.statuses(rig.ref)).toHaveLength(before)
  })

  test('405 five times over: says so, and rests in the slow lane', async () => {
    const rig = await Rig.linked()
    const { id } = await rig.fault({ kind: 'failure', reason: 405 })
    expect(await rig.reason('client_outdated')).toMatchObject({ status: 'reconnecting' })
    await rig.reason('retries_exhausted')
    await world.control('DELETE', `/faults/${id}`)
    const bob = '15550309998'
    await world.phone(bob)
    rig.send('msg_1', bob)
    await rig.connected(rig.row.version)
    await rig.sendStatus('msg_1', 'read')
  })

  test('a refused upgrade, which gives no event by itself, is seen', async () => {
    const rig = await Rig.linked()
    const { id } = await rig.fault({ kind: 'refuse-upgrade', status: 503, target: { all: true } })
    await rig.fault({ kind: 'drop' })
    const { version } = await rig.reason('upgrade_refused')
    await world.control('DELETE', `/faults/${id}`)
    await rig.connected(version)
  })

  test('a silent socket is found by a probe, and by a missing ack; the send arrives once', async () => {
    const rig = await Rig.linked(watchful)
    const bob = '15550309997'
    await world.phone(bob)
    rig.send('msg_0', bob)
    await rig.sendStatus('msg_0', 'read')
    const { version } = rig.row
    const { id } = await rig.fault({ kind: 'silent' })
    rig.send('msg_1', bob)
    await rig.reason('liveness_failed', version)
    await world.control('DELETE', `/faults/${id}`)
    await rig.sendStatus('msg_1', 'read')
    const { messages } = await world.control<{ messages: { text: string; arrivals: number }[] }>(
      'GET',
      `/phones/${bob}/inbox`,
    )
    expect(messages.filter(({ text }) => text === 'text of msg_1')).toHaveLength(1)
    expect((await rig.device()).maxOpen).toBe(1)
    expect((await world.stats()).undecryptable).toBe(0)
  })

  test('restart, logout and pairing again', async () => {
    const rig = await Rig.linked()
    const { version } = rig.row
    await rig.command('restart')
    await rig.connected(version + 1)
    await rig.command('logout')
    expect(await rig.reason('logged_out')).toMatchObject({ status: 'disconnected', handledCommandId: 'logout-2' })
    const devices = await world.control<{ devices: unknown[] }>('GET', `/phones/${rig.phoneNumber}/devices`)
    expect(devices.devices).toHaveLength(0)
    await rig.command('pair')
    const { version: shown } = await rig.scanned()
    await rig.connected(shown)
  })

  test('deletion unlinks the device and leaves nothing', async () => {
    const rig = await Rig.linked()
    await rig.command('delete')
    await rig.session.ended
    expect(rig.stage.tables.connections.size).toBe(0)
    expect(world.tables.heads.has(keyOf(rig.ref))).toBe(false)
  })

  test('a contact whom WhatsApp never answers for holds up neither known contacts nor other connections', async () => {
    const [rig, other] = [await Rig.linked(), await Rig.linked()]
    const [known, slow] = ['15550309995', '15550309994']
    for (const phone of [known, slow]) await world.phone(phone)
    for (const each of [rig, other]) {
      each.send('msg_known', known)
      await each.sendStatus('msg_known', 'read')
    }
    await rig.fault({ kind: 'ignore-queries', about: slow })
    for (let n = 1; n <= 3; n += 1) rig.send(`msg_slow_${n}`, slow)
    rig.send('msg_after', known)
    other.send('msg_elsewhere', known)
    other.send('msg_to_the_same', slow)
    await rig.sendStatus('msg_after', 'read')
    await other.sendStatus('msg_elsewhere', 'read')
    await other.sendStatus('msg_to_the_same', 'read')
    // Less than the send timeout has passed: the one that hangs is still at it.
    expect(rig.stage.tables.outbound(rig.ref, 'msg_slow_1').status).toBe('queued')

    await world.control('DELETE', '/faults')
    rig.session.terminate()
    const { version } = rig.row
    rig.own()
    for (const row of await modelMessages(rig.stage.tables).listWaiting(0)) rig.session.enqueue(row)
    await rig.connected(version)
    for (let n = 1; n <= 3; n += 1) await rig.sendStatus(`msg_slow_${n}`, 'read')
  })

  test('a handover leaves nothing undecryptable, and never two sockets', async () => {
    const rig = await Rig.linked()
    const bob = '15550309996'
    await world.phone(bob)
    for (let n = 1; n <= 5; n += 1) rig.send(`msg_${n}`, bob)
    await rig.session.drain(5_000)
    const { version } = rig.row
    rig.own()
    for (const row of await modelMessages(rig.stage.tables).listWaiting(0)) rig.session.enqueue(row)
    await rig.connected(version)
    for (let n = 1; n <= 5; n += 1) await rig.sendStatus(`msg_${n}`, 'read')
    expect((await rig.device()).maxOpen).toBe(1)
    expect((await world.stats()).undecryptable).toBe(0)
  })
})
