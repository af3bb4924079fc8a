import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { Device, World } from './device.ts'

const contact = '94774000001'
let world: World
beforeAll(async () => {
  // Before the delayed WhatsApp of these tests has answered, and long after one that only runs on a busy machine.
  world = await World.start({ sendTimeoutMs: 4_000 })
  await world.phone(contact)
})
afterEach(() => world.control('DELETE', '/faults'))
afterAll(() => world.stop())

it('a send that is given up while WhatsApp is asked for the recipient’s devices never leaves later', async () => {
  const device = await Device.linked(world, '94774000011')
  await world.phone('94774000002')
  await world.control('POST', '/faults', { kind: 'delay', target: { phoneNumber: device.phoneNumber }, ms: 6_000 })
  expect(await device.send('3EB0000000000000000011', '94774000002', 'given up')).toMatchObject({ kind: 'not_sent' })
  expect(device.state.attempted().size).toBe(0)
  await world.control('DELETE', '/faults')
  while ((await device.send('3EB0000000000000000012', '94774000002', 'next')).kind === 'not_sent') {
    // Answers that are late already stay late.
  }
  await world.inbox('94774000002', 'next').then((messages) => {
    expect(messages.map(({ text }) => text)).not.toContain('given up')
  })
  await device.socket.close()
})

it('a new contact that WhatsApp is slow about holds up nobody else', async () => {
  const device = await Device.linked(world, '94774000012')
  await world.phone('94774000003')
  await device.send('3EB0000000000000000021', contact, 'known')
  await world.inbox(contact, 'known')
  await world.control('POST', '/faults', { kind: 'delay', target: { phoneNumber: device.phoneNumber }, ms: 9_000 })
  const slow = device.send('3EB0000000000000000022', '94774000003', 'new contact')
  expect(await device.send('3EB0000000000000000023', contact, 'not held up')).toEqual({ kind: 'handed_over' })
  await world.inbox(contact, 'not held up')
  expect((await slow).kind).toBe('not_sent')
  device.socket.terminate('watchdog')
})

it('one account’s slow store does not delay another account’s message from the same contact', async () => {
  const slow = await Device.linked(world, '94774000013')
  const quick = await Device.linked(world, '94774000014')
  for (const device of [slow, quick]) {
    await world.says(contact, device.phoneNumber, `to ${device.phoneNumber}`)
    await device.told.text(`to ${device.phoneNumber}`)
  }
  slow.told.onStore = () => new Promise(() => undefined)
  await world.says(contact, slow.phoneNumber, 'stuck')
  await slow.told.text('stuck')
  await world.says(contact, quick.phoneNumber, 'through')
  await quick.told.text('through')
  slow.socket.terminate('watchdog')
  await quick.socket.close()
})

it('many sends and inbound messages at once: all arrive, none undecryptable', async () => {
  const device = await Device.linked(world, '94774000015')
  await device.send('3EB0000000000000000030', contact, 'warm')
  const outcomes = await Promise.all(
    Array.from({ length: 30 }, async (_, index) => {
      const out = device.send(`3EB00000000000000001${index.toString().padStart(2, '0')}`, contact, `out ${index}`)
      await world.says(contact, device.phoneNumber, `in ${index}`)
      return out
    }),
  )
  expect(outcomes.every(({ kind }) => kind === 'handed_over')).toBe(true)
  for (let index = 0; index < 30; index += 1) {
    await world.inbox(contact, `out ${index}`)
    await device.told.text(`in ${index}`)
  }
  expect(await world.stats()).toMatchObject({ undecryptable: 0, decryptFailures: 0 })
  await device.socket.close()
})

it('a contact’s new device gets the next message, a reinstalled phone too', async () => {
  const device = await Device.linked(world, '94774000016')
  await world.phone('94774000004')
  await device.send('3EB0000000000000000041', '94774000004', 'first')
  await world.inbox('94774000004', 'first')
  const companion = await Device.linked(world, '94774000004')
  await device.send('3EB0000000000000000042', '94774000004', 'to both')
  await companion.told.text('to both')
  await world.control('POST', '/phones/94774000004/reinstall')
  await world.control('DELETE', '/phones/94774000004/inbox')
  await device.send('3EB0000000000000000043', '94774000004', 'after reinstall')
  await world.inbox('94774000004', 'after reinstall')
  await device.socket.close()
})

it('a contact that lost its session asks again and gets it, under the same id', async () => {
  const device = await Device.linked(world, '94774000017')
  await world.phone('94774000005')
  await device.send('3EB0000000000000000051', '94774000005', 'first')
  await world.inbox('94774000005', 'first')
  await world.control('DELETE', `/phones/94774000005/sessions/${device.phoneNumber}`)
  await device.send('3EB0000000000000000052', '94774000005', 'lost')
  await world.inbox('94774000005', 'lost')
  expect(await world.stats()).toMatchObject({ undecryptable: 0 })
  await device.socket.close()
})
