import { proto } from '@whiskeysockets/baileys'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Simulation } from './client.ts'

const ALICE = '15550100001'
const BOB = '15550100002'
const { READ } = proto.WebMessageInfo.Status

describe('messages between a linked device and a phone', () => {
  let simulation: Simulation

  beforeEach(async () => {
    simulation = await Simulation.start()
    await simulation.phone(ALICE, { name: 'Alice' })
    await simulation.phone(BOB, { name: 'Bob' })
  })

  afterEach(() => simulation.close())

  test('text arrives decrypted at the phone, is acknowledged, delivered, then read', async () => {
    const client = await simulation.linked(ALICE)
    const id = await client.sendText(BOB, 'hello Bob')
    expect(await client.acknowledged(id)).toEqual({ error: undefined })
    await client.reached(id, READ)
    expect(client.receipts.get(id)).toEqual(['delivered', 'read'])
    const { messages, undecryptable } = await simulation.inbox(BOB, 1)
    expect(messages).toMatchObject([{ id, from: ALICE, device: 1, text: 'hello Bob', arrivals: 1, read: true }])
    expect(undecryptable).toEqual([])
  })

  test('text from the phone arrives at the device, and answers go on in the same session', async () => {
    const client = await simulation.linked(ALICE)
    for (const text of ['one', 'two', 'three']) {
      await simulation.send(BOB, ALICE, text)
      await client.text(text)
      await client.sendText(BOB, `answer to ${text}`)
    }
    const { messages, undecryptable } = await simulation.inbox(BOB, 3)
    expect(messages.map(({ text }) => text)).toEqual(['answer to one', 'answer to two', 'answer to three'])
    expect(undecryptable).toEqual([])
    expect(client.texts).toEqual(['one', 'two', 'three'])
    expect(await client.text('one')).toMatchObject({ pushName: 'Bob', key: { remoteJidAlt: `${BOB}@s.whatsapp.net` } })
  })
})
