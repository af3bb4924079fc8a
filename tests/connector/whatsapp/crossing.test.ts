import { afterAll, beforeAll, expect, it } from 'vitest'
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

async function untilAttempted({ state }: Device, id: string): Promise<void> {
  while (!state.attempted().has(id)) await new Promise((resolve) => setImmediate(resolve))
}
