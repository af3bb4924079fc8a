import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { type Client, memoryAuth, Simulation } from './client.ts'

const ALICE = '15550100001'
const BOB = '15550100002'
const DEVICE = { device: `${ALICE}:1` }

/** What Baileys reports for a connection that ends this way. */
const ENDINGS: [what: string, fault: Record<string, unknown>, statusCode: number][] = [
  ['TCP reset', { kind: 'drop' }, 428],
  ['WebSocket close', { kind: 'close' }, 428],
  ['end of the XML stream', { kind: 'close', how: 'xmlstreamend' }, 428],
  ['conflict: replaced', { kind: 'replaced' }, 440],
  ['stream error 503', { kind: 'stream-error', code: 503 }, 503],
  ['stream error 515', { kind: 'stream-error', code: 515 }, 515],
  ['stream error 516', { kind: 'stream-error', code: 516 }, 516],
  ['stream error 500', { kind: 'stream-error', code: 500 }, 500],
  ['stream error <ack>', { kind: 'stream-error', child: 'ack' }, 500],
  ['stream error not well-formed', { kind: 'stream-error', child: 'xml-not-well-formed' }, 500],
  ['downgrade to the old web client', { kind: 'downgrade' }, 411],
]

const FAILURES = [401, 402, 403, 405, 406, 409, 500, 503]

describe('faults', () => {
  let simulation: Simulation
  let client: Client

  beforeAll(async () => {
    simulation = await Simulation.start()
    await simulation.phone(ALICE)
    await simulation.phone(BOB)
    client = await simulation.linked(ALICE)
  })

  afterAll(() => simulation.close())

  beforeEach(async () => {
    await simulation.call('DELETE', '/faults')
    await simulation.call('POST', '/stats/reset')
    await client.stop()
    client = simulation.again(client, { keepAliveIntervalMs: 300 })
    await client.opened()
    await client.caughtUp()
  })

  afterEach(() => client.stop())

  test.each(ENDINGS)('%s: %o is reported as %i, once', async (_, fault, statusCode) => {
    await simulation.fault({ ...fault, target: DEVICE })
    expect(await client.closed()).toMatchObject({ statusCode })
    client = simulation.again(client)
    await client.opened()
  })

  test.each(FAILURES)('<failure reason="%i"> holds for every login until it is lifted', async (reason) => {
    const id = await simulation.fault({ kind: 'failure', reason, target: { all: true } })
    expect(await client.closed()).toMatchObject({ statusCode: reason })
    for (const _ of [1, 2]) {
      client = simulation.again(client)
      expect(await client.closed()).toMatchObject({ statusCode: reason })
    }
    expect(await simulation.call('DELETE', `/faults/${id}`)).toMatchObject({ status: 204 })
    client = simulation.again(client)
    await client.opened()
  })

  test('an ending fault with a count also ends the next logins, until it is spent', async () => {
    await simulation.fault({ kind: 'stream-error', code: 503, count: 2, target: { phoneNumber: ALICE } })
    expect(await client.closed()).toMatchObject({ statusCode: 503 })
    client = simulation.again(client)
    expect(await client.closed()).toMatchObject({ statusCode: 503 })
    client = simulation.again(client)
    await client.opened()
    expect((await simulation.call('GET', '/faults')).body).toEqual({ faults: [] })
  })

  test.each([
    403, 429, 503,
  ])('HTTP %i at the upgrade: no connection update, only an unexpected response', async (status) => {
    await client.stop()
    await simulation.fault({ kind: 'refuse-upgrade', status, count: 1, target: { all: true } })
    client = simulation.again(client, { connectTimeoutMs: 1000 })
    await client.until('the refusal', () => client.upgradeStatuses.length > 0)
    expect(client.upgradeStatuses).toEqual([status])
    expect(await simulation.stats()).toMatchObject({ refusedUpgrades: 1 })
  })

  test('a silent server is noticed by the keep-alive as 408', { timeout: 20_000 }, async () => {
    const started = Date.now()
    await simulation.fault({ kind: 'silent', target: DEVICE })
    expect(await client.closed()).toMatchObject({ statusCode: 408 })
    expect(Date.now() - started).toBeGreaterThan(5000)
  })

  test('a silent server answers no ping, and if told so no close', async () => {
    const socket = (client.socket.ws as unknown as { socket: WebSocket }).socket
    const answered: string[] = []
    socket.on('pong', (data) => answered.push(data.toString()))
    socket.ping('before')
    await once(socket, 'pong')
    const fault = await simulation.fault({ kind: 'silent', ignoreClose: true, target: DEVICE })
    socket.ping('during')
    socket.close()
    // The control API is served by the same process, after what the socket sent before.
    expect(await simulation.stats()).toMatchObject({ socketsOpen: 1 })
    expect(socket.readyState).toBe(socket.CLOSING)
    expect(answered).toEqual(['before'])
    await simulation.call('DELETE', `/faults/${fault}`)
    socket.terminate()
  })

  test('a handshake that stalls is a 408', async () => {
    await client.stop()
    await simulation.fault({ kind: 'silent', target: { all: true } })
    client = simulation.again(client, { connectTimeoutMs: 300 })
    expect(await client.closed()).toMatchObject({ statusCode: 408 })
  })

  test('a silence that ends leaves a socket that works', async () => {
    await client.sendText(BOB, 'so that nothing needs to be asked')
    const id = await simulation.fault({ kind: 'silent', target: DEVICE })
    const lost = await client.sendText(BOB, 'lost')
    await simulation.call('DELETE', `/faults/${id}`)
    const heard = await client.sendText(BOB, 'heard')
    await client.acknowledged(heard)
    expect(client.acks.has(lost)).toBe(false)
    expect((await simulation.stats()).messages).toMatchObject({ [heard]: 1 })
  })

  test('no acks: the message is delivered, and never acknowledged', async () => {
    await simulation.fault({ kind: 'no-acks', count: 1, target: DEVICE })
    const first = await client.sendText(BOB, 'without an ack')
    await client.until('its receipt', () => client.receipts.has(first))
    const second = await client.sendText(BOB, 'with an ack')
    await client.acknowledged(second)
    expect(client.acks.has(first)).toBe(false)
  })

  test('error acks: the message is refused with that code, and not delivered', async () => {
    await simulation.fault({ kind: 'error-acks', errorCode: 463, count: 1, target: DEVICE })
    const refused = await client.sendText(BOB, 'refused')
    expect(await client.acknowledged(refused)).toEqual({ error: '463' })
    const taken = await client.sendText(BOB, 'taken')
    expect(await client.acknowledged(taken)).toEqual({ error: undefined })
    await client.until('its receipt', () => client.receipts.has(taken))
    expect((await simulation.inbox(BOB)).messages.map(({ id }) => id)).not.toContain(refused)
  })

  test('while a number is refused with 463, the account says that it is locked and until when', async () => {
    const standing = () => client.socket.fetchAccountReachoutTimelock()
    expect(await standing()).toMatchObject({ isActive: false })
    await simulation.fault({ kind: 'error-acks', errorCode: 463, ms: 3_600_000, target: DEVICE })
    const { isActive, timeEnforcementEnds } = await standing()
    expect(isActive).toBe(true)
    expect(Number(timeEnforcementEnds)).toBeGreaterThan(Date.now() + 3_500_000)
    expect(await client.socket.fetchNewChatMessageCap()).toEqual({ capping_status: 'NONE' })
  })

  test('dropped acks take their share', async () => {
    await simulation.fault({ kind: 'drop-acks', share: 1, target: DEVICE })
    const dropped = await client.sendText(BOB, 'all of them')
    await client.until('its receipt', () => client.receipts.has(dropped))
    await simulation.call('DELETE', '/faults')
    await simulation.fault({ kind: 'drop-acks', share: 0, target: DEVICE })
    await client.acknowledged(await client.sendText(BOB, 'none of them'))
    expect(client.acks.has(dropped)).toBe(false)
  })

  test('delay: everything is late by that much, in order', async () => {
    await client.acknowledged(await client.sendText(BOB, 'at once'))
    await simulation.fault({ kind: 'delay', ms: 300, target: DEVICE })
    const started = Date.now()
    const id = await client.sendText(BOB, 'late')
    await client.acknowledged(id)
    expect(Date.now() - started).toBeGreaterThanOrEqual(290)
    await client.until('both receipts', () => client.receipts.get(id)?.length === 2)
    expect(client.receipts.get(id)).toEqual(['delivered', 'read'])
  })

  test('a fault for one device leaves the others alone; a share of none matches none', async () => {
    const other = await simulation.linked(BOB)
    await simulation.fault({ kind: 'drop', target: { share: 0 } })
    await simulation.fault({ kind: 'drop', target: DEVICE })
    await client.closed()
    await other.acknowledged(await other.sendText(ALICE, 'still here'))
    await other.stop()
  })

  test('an impossible fault is refused in words', async () => {
    expect(await simulation.call('POST', '/faults', { kind: 'drop', target: { device: 'Alice' } })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    })
    expect(await simulation.call('DELETE', '/faults/none')).toMatchObject({ status: 404 })
  })

  test('failures also meet clients that want to pair', async () => {
    await client.stop()
    await simulation.fault({ kind: 'failure', reason: 405, count: 1, target: { all: true } })
    expect(await simulation.client(memoryAuth()).closed()).toMatchObject({ statusCode: 405 })
  })

  test.each([
    ['with its code', {}, 401],
    ['without a code, which Baileys takes for a conflict', { withoutCode: true }, 440],
  ])('device removed %s', async (_, params, statusCode) => {
    const removed = await simulation.linked(BOB)
    await simulation.fault({ kind: 'device-removed', ...params, target: { phoneNumber: BOB } })
    expect(await removed.closed()).toMatchObject({ statusCode, data: { attrs: { type: 'device_removed' } } })
    expect(await simulation.again(removed).closed()).toMatchObject({ statusCode: 401 })
  })
})
