import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Device, World } from './device.ts'

let world: World
beforeAll(async () => {
  world = await World.start()
})
afterAll(() => world.stop())

describe.each(['qr', 'code'] as const)('linking by %s', (method) => {
  const number = method === 'qr' ? '94770000001' : '94770000002'

  it('stores nothing until it succeeded, then a first snapshot before the reply leaves', async () => {
    const device = new Device(world, number)
    await world.phone(number)
    const key = `bp_test#con_${number}`
    const end = await (async () => {
      await device.create()
      expect(world.tables.heads.get(key)).toMatchObject({ identity: 'none' })
      expect(device.state.registered).toBe(false)
      return device.pair(method)
    })()
    expect(end).toMatchObject({ statusCode: 515, phase: 'pairing' })
    expect(device.told.events.at(-2)).toMatchObject({ kind: 'paired', phoneNumber: `+${number}` })
    expect(world.tables.heads.get(key)).toMatchObject({ identity: 'linked' })
    expect(device.state.registered).toBe(true)

    await device.open()
    expect(await device.told.event('open')).toMatchObject({ jid: expect.stringContaining(number) })
    await device.socket.close()
    expect(await device.told.closed()).toMatchObject({ intent: 'closed_by_us', phase: 'open' })
  })
})

it.each([
  'qr',
  'code',
] as const)('a phone that asks for a passkey is not linked by %s, and it is said why', async (method) => {
  const device = new Device(world, method === 'qr' ? '94770000004' : '94770000005')
  await world.phone(device.phoneNumber, { passkey: true })
  await device.create()
  await expect(device.pair(method)).rejects.toThrow('passkey_required')
  await device.told.event('passkey_required')
  expect(device.state.registered).toBe(false)
  device.socket.terminate('closed_by_us')
  await device.told.closed()
  await world.phone(device.phoneNumber, { passkey: false })
  expect((await device.pair(method)).statusCode).toBe(515)
})

it('an interrupted linking starts over with the same state', async () => {
  const device = new Device(world, '94770000003')
  await world.phone(device.phoneNumber)
  await device.create()
  const pairing = { method: 'code', phoneNumber: `+${device.phoneNumber}` } as const
  device.socket = world.port.open({ ...device, pairing }, device.told)
  await device.told.event('pairing_code')
  device.socket.terminate('watchdog')
  expect(await device.told.closed()).toMatchObject({ intent: 'watchdog' })
  expect((await device.pair('code')).statusCode).toBe(515)
})
