import { createServer } from 'node:net'
import { WA_CERT_DETAILS } from '@whiskeysockets/baileys'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ConnectionEnd } from '../../../connector/ports.ts'
import { processClock } from '../../../connector/process-clock.ts'
import { baileysWhatsApp } from '../../../connector/whatsapp/baileys.ts'
import { Device, silentLog, Told, World } from './device.ts'

let world: World
let device: Device
beforeAll(async () => {
  world = await World.start()
  device = await Device.linked(world, '94773000001')
  await device.socket.close()
})
afterEach(async () => {
  await world.control('DELETE', '/faults')
  device.socket.terminate('watchdog')
})
afterAll(() => world.stop())

const all = { all: true }

describe('how an open connection ended', () => {
  const rows: readonly (readonly [string, object, Partial<ConnectionEnd>])[] = [
    ['TCP reset', { kind: 'drop', target: all }, { statusCode: 428 }],
    ['WebSocket close', { kind: 'close', target: all }, { statusCode: 428 }],
    ['xmlstreamend', { kind: 'close', how: 'xmlstreamend', target: all }, { statusCode: 428 }],
    ['conflict replaced', { kind: 'replaced', target: all }, { statusCode: 440, conflict: 'replaced' }],
    ['stream error 503', { kind: 'stream-error', code: 503, target: all }, { statusCode: 503 }],
    ['stream error 515', { kind: 'stream-error', code: 515, target: all }, { statusCode: 515 }],
    ['failure 403', { kind: 'failure', reason: 403, target: all, count: 1 }, { statusCode: 403 }],
    ['failure 405', { kind: 'failure', reason: 405, target: all, count: 1 }, { statusCode: 405 }],
    ['downgrade', { kind: 'downgrade', target: all }, { statusCode: 411 }],
  ]
  it.each(rows)('%s', async (_name, fault, expected) => {
    await device.open()
    await world.control('POST', '/faults', fault)
    expect(await device.told.closed()).toMatchObject({ ...expected, phase: 'open' })
    expect(device.told.events.filter(({ kind }) => kind === 'closed')).toHaveLength(1)
  })

  it.each([
    ['with a code', false, 401],
    ['without one', true, 440],
  ])('device removed %s: the conflict tells', async (_name, withoutCode, statusCode) => {
    const removed = await Device.linked(world, withoutCode ? '94773000002' : '94773000003')
    await world.control('POST', '/faults', {
      kind: 'device-removed',
      withoutCode,
      target: { phoneNumber: removed.phoneNumber },
    })
    expect(await removed.told.closed()).toMatchObject({ statusCode, conflict: 'device_removed' })
  })

  it('with much under way leaves nothing uncaught', async () => {
    const busy = await Device.linked(world, '94773000005')
    await world.phone('94773000006')
    const outcomes = Array.from({ length: 20 }, (_, n) =>
      busy.send(`3EB0000000000000000A${n.toString().padStart(2, '0')}`, '94773000006', `busy ${n}`),
    )
    for (let n = 0; n < 10; n += 1) void world.says('94773000006', busy.phoneNumber, `busy ${n}`)
    await world.inbox('94773000006', 'busy 3')
    await world.control('POST', '/faults', { kind: 'drop', target: { phoneNumber: busy.phoneNumber } })
    await busy.told.closed()
    // No send is left without an answer; vitest fails on a rejection that nobody caught.
    for (const { kind } of await Promise.all(outcomes)) expect(['handed_over', 'not_sent', 'unknown']).toContain(kind)
  })

  it('logout unlinks the device and says whose doing it was', async () => {
    const leaving = await Device.linked(world, '94773000004')
    await leaving.socket.logout()
    expect(await leaving.told.closed()).toMatchObject({ intent: 'logout' })
    const { devices } = await world.control<{ devices: unknown[] }>('GET', '/phones/94773000004/devices')
    expect(devices).toEqual([])
  })
})

describe('how an opening ended', () => {
  it.each([403, 429, 503])('HTTP %i instead of the upgrade', async (status) => {
    await world.control('POST', '/faults', { kind: 'refuse-upgrade', status, target: all })
    device.connect(new Told())
    expect(await device.told.closed()).toMatchObject({ upgradeStatus: status, phase: 'connecting' })
  })

  it('nobody listens', async () => {
    const port = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const address = server.address()
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
      })
    })
    const settings = { url: `ws://127.0.0.1:${port}`, deviceName: 'Holdfast', sendTimeoutMs: 1_000 }
    const told = new Told()
    baileysWhatsApp({ clock: processClock, log: silentLog, settings }).open(device, told)
    expect(await told.closed()).toMatchObject({ phase: 'connecting', detail: expect.stringContaining('ECONNREFUSED') })
  })

  it('terminated while connecting: closed once, with the intent', async () => {
    device.connect(new Told())
    device.socket.terminate('watchdog')
    expect(await device.told.closed()).toMatchObject({ intent: 'watchdog', phase: 'connecting' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(device.told.events.filter(({ kind }) => kind === 'closed')).toHaveLength(1)
  })

  it('a certificate chain that leads to another root is refused before anything is said', async () => {
    const trusted = WA_CERT_DETAILS.PUBLIC_KEY
    WA_CERT_DETAILS.PUBLIC_KEY = Buffer.alloc(32, 9)
    try {
      device.connect(new Told())
      const end = await device.told.closed()
      expect(end.phase).toBe('logging_in')
      expect(device.told.events.map(({ kind }) => kind)).toEqual(['closed'])
    } finally {
      WA_CERT_DETAILS.PUBLIC_KEY = trusted
    }
  })
})
