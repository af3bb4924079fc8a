import { afterAll, beforeAll, expect, it } from 'vitest'
import { seeded } from '../auth/virtual-clock.ts'
import { Device, World } from './device.ts'

let world: World

beforeAll(async () => {
  world = await World.start()
})
afterAll(() => world.stop())

it('first messages that cross on the way open a session each, and either stays whole when the other is used', async () => {
  const contact = '94772000101'
  await world.phone(contact)
  const device = await Device.linked(world, '94771000101')
  const first = '3EB0000000000000000A01'
  // From the instant of its encryption on, the store does not answer: the first message is held back in the gate.
  world.fate = (call) =>
    call === 'append' && device.state.attempted().has(first)
      ? { kind: 'lost', givesUpAfterMs: 20 }
      : { kind: 'answered' }
  const sending = device.send(first, contact, 'ours')
  await untilAttempted(device, first)
  await world.says(contact, device.phoneNumber, 'theirs')
  await device.told.text('theirs')
  world.fate = () => ({ kind: 'answered' })
  expect(await sending).toEqual({ kind: 'handed_over' })
  await world.inbox(contact, 'ours')

  // Each side now writes in the session that the other one opened, and holds two. Trying one must not spoil the other.
  for (let round = 0; round < 3; round += 1) {
    await device.send(`3EB0000000000000000B0${round}`, contact, `out ${round}`)
    await world.inbox(contact, `out ${round}`)
    await world.says(contact, device.phoneNumber, `in ${round}`)
    await device.told.text(`in ${round}`)
  }
  expect(await world.stats()).toMatchObject({ decryptFailures: 0, undecryptable: 0, resendsRequested: 0 })
  await device.socket.close()
})

it('held back, slow or killed among first messages from both sides, nothing has to be asked for again', async () => {
  const random = seeded(7)
  const device = await Device.linked(world, '94771000102')
  const heard = new Set<unknown>()
  const listen = (): void => {
    for (const { content } of device.told.inbound) if (content.type === 'text') heard.add(content.text.body)
  }
  for (let round = 0; round < 24; round += 1) {
    const contact = `9477201${String(round).padStart(4, '0')}`
    await world.phone(contact)
    const id = `3EB0000000000000000C${String(round).padStart(2, '0')}`
    const heldFrom = random.next() < 0.5 ? id : undefined
    world.fate = (call) =>
      call === 'append' && heldFrom !== undefined && device.state.attempted().has(heldFrom)
        ? { kind: 'lost', givesUpAfterMs: 5 }
        : { kind: 'answered', afterMs: Math.floor(random.next() * 8) }
    const sending = device.send(id, contact, `ours ${round}`)
    if (heldFrom !== undefined) await untilAttempted(device, id)
    for (let n = 0; n < 2; n += 1) await world.says(contact, device.phoneNumber, `theirs ${round}.${n}`)
    await new Promise((resolve) => setTimeout(resolve, random.next() * 30))
    world.fate = () => ({ kind: 'answered', afterMs: Math.floor(random.next() * 8) })
    if (random.next() < 0.5) {
      listen()
      device.crash()
      await device.restore()
      await device.open()
      // As the session does: what was not acknowledged goes again under its id.
      await device.send(id, contact, `ours ${round}`)
    } else {
      await sending
    }
    await world.inbox(contact, `ours ${round}`)
    for (let n = 0; n < 2; n += 1) {
      await device.send(`3EB0000000000000000D${String(round).padStart(2, '0')}${n}`, contact, `more ${round}.${n}`)
      await world.inbox(contact, `more ${round}.${n}`)
      await world.says(contact, device.phoneNumber, `back ${round}.${n}`)
      await device.told.text(`back ${round}.${n}`)
    }
    await device.told.until(`what came first in round ${round}`, () => {
      listen()
      return heard.has(`theirs ${round}.0`) && heard.has(`theirs ${round}.1`)
    })
  }
  expect(await world.stats()).toMatchObject({ decryptFailures: 0, undecryptable: 0, resendsRequested: 0 })
  await device.socket.close()
})

async function untilAttempted({ state }: Device, id: string): Promise<void> {
  while (!state.attempted().has(id)) await new Promise((resolve) => setImmediate(resolve))
}
