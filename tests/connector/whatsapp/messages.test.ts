import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Device, World } from './device.ts'

let world: World
beforeAll(async () => {
  world = await World.start()
})
afterAll(() => world.stop())

describe('messages', () => {
  it('go both ways, with acks and receipts under the id that was given', async () => {
    await world.phone('94771000001')
    const device = await Device.linked(world, '94770000011')
    expect(await device.send('3EB0000000000000000001', '94771000001', 'hello')).toEqual({ kind: 'handed_over' })
    await world.inbox('94771000001', 'hello')
    const { told } = device
    await told.until('ack', () => told.acks.find(({ whatsappId }) => whatsappId === '3EB0000000000000000001'))
    await told.until('read', () => told.receipts.find(({ step }) => step === 'read'))
    expect(told.receipts.map(({ step, whatsappId }) => [step, whatsappId])).toEqual([
      ['delivered', '3EB0000000000000000001'],
      ['read', '3EB0000000000000000001'],
    ])
    expect(device.state.attempted()).toEqual(new Set(['3EB0000000000000000001']))
    device.state.settled('3EB0000000000000000001')
    expect(device.state.attempted().size).toBe(0)

    await world.says('94771000001', device.phoneNumber, 'hello back')
    expect(await told.text('hello back')).toMatchObject({
      senderPhoneNumber: '+94771000001',
      senderLid: expect.stringMatching(/@lid$/),
      content: { type: 'text', text: { body: 'hello back' } },
    })
    await device.socket.close()
  })

  it('a number that is not on WhatsApp is refused for good', async () => {
    const device = await Device.linked(world, '94770000012')
    expect(await device.send('3EB0000000000000000002', '94779999999', 'hello')).toMatchObject({
      kind: 'refused',
      code: 'not_on_whatsapp',
    })
    await device.socket.close()
  })

  it('a probe is a round trip', async () => {
    const device = await Device.linked(world, '94770000013')
    expect(await device.socket.probe(40_000)).toBe(true)
    await world.control('POST', '/faults', {
      kind: 'silent',
      target: { phoneNumber: device.phoneNumber },
      ms: 60_000,
    })
    expect(await device.socket.probe(300)).toBe(false)
    device.socket.terminate('liveness')
    expect(await device.told.closed()).toMatchObject({ intent: 'liveness', phase: 'open' })
  })
})
