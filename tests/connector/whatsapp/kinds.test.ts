import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inboundRow } from '../../../connector/session/inbound.ts'
import type { InboundContent } from '../../../shared/domain/content.ts'
import type { MessageLookup, MessageRow } from '../../../shared/domain/stores/messages.ts'
import type { SendContent } from '../../../shared/domain/words.ts'
import { Device, World } from './device.ts'

const business = '94775000001'
const ada = '94775000002'
const bob = '94775000003'

let world: World
let device: Device
let group: string
const rows = new Map<string, MessageRow>()

/** The stored messages, as `messageLookup` finds them. */
const messages: MessageLookup = {
  find: async (_ref, id) => {
    for (const { inbound } of [device.told])
      for (const message of inbound) rows.set(message.whatsappId, inboundRow(device.ref, 1, message, 0))
    return rows.get(id) ?? [...rows.values()].find(({ messageId }) => messageId === id)
  },
}

beforeAll(async () => {
  world = await World.start({ messages })
  await world.phone(ada, { name: 'Ada' })
  await world.phone(bob, { name: 'Bob' })
  device = await Device.linked(world, business)
  const participants = [ada, business]
  group = (await world.control<{ id: string }>('POST', '/groups', { by: bob, subject: 'Tea', participants })).id
})
afterAll(async () => {
  await device?.socket.close()
  await world?.stop()
})

let sends = 0
const at = '2026-01-31T12:00:00.000Z'

/** Sends it as the outbox does; resolves with what the phone shows of it. */
async function shown(content: SendContent, chat: string) {
  sends += 1
  const whatsappId = `3EB0${String(sends).padStart(18, '0')}`
  const messageId = `msg_${sends}`
  rows.set(whatsappId, {
    ...device.ref,
    key: `out#${whatsappId}`,
    direction: 'outbound',
    messageId,
    whatsappId,
    chat,
    to: chat,
    content,
    status: 'queued',
    seq: sends,
    partition: 0,
    generation: 1,
    deadlineAt: at,
    bodyHash: '',
    version: 1,
    epoch: 1,
    createdAt: at,
    updatedAt: at,
    expireAt: 1,
  })
  world.sent.set(whatsappId, content)
  expect(await device.socket.send(whatsappId, chat, content)).toEqual({ kind: 'handed_over' })
  await device.told.until('ack', () => device.told.acks.find((ack) => ack.whatsappId === whatsappId))
  const message = await arrived(ada, whatsappId)
  return { messageId, whatsappId, message }
}

type Shown = { readonly id: string; readonly kind: string } & Readonly<Record<string, unknown>>

async function arrived(phone: string, id: string): Promise<Shown> {
  for (let count = 1; ; ) {
    const { messages: inbox } = await world.control<{ messages: Shown[] }>(
      'GET',
      `/phones/${phone}/inbox?count=${count}&wait=20`,
    )
    const found = inbox.find((message) => message.id === id)
    if (found) return found
    if (inbox.length < count) throw new Error(`${phone} never got ${id}`)
    count = inbox.length + 1
  }
}

/** A phone sends it; resolves with what the connector makes of it. */
async function received(body: object, to: string): Promise<{ readonly id: string; readonly content: InboundContent }> {
  const { id } = await world.control<{ id: string }>('POST', `/phones/${ada}/messages`, { to, ...body })
  const message = await device.told.until(JSON.stringify(body), () =>
    device.told.inbound.find(({ whatsappId }) => whatsappId === id),
  )
  expect(message).toMatchObject({ senderPhoneNumber: `+${ada}`, senderLid: expect.stringMatching(/@lid$/) })
  expect(message.chat.endsWith('@g.us')).toBe(to.endsWith('@g.us'))
  return { id, content: message.content }
}

describe.each([
  ['a person', () => `${ada}@s.whatsapp.net`, () => business],
  ['a group', () => group, () => group],
])('with %s', (_whom, chatOf, backOf) => {
  it('each kind is sent and is what the phone shows', async () => {
    const chat = chatOf()
    const { messageId, whatsappId, message: text } = await shown({ type: 'text', text: { body: '*as* written' } }, chat)
    expect(text).toMatchObject({ kind: 'text', text: '*as* written' })

    const reply = {
      type: 'text',
      text: { body: `@${bob}` },
      mentions: [`${bob}@s.whatsapp.net`],
      forwarded: true,
    } as const
    const context = { message_id: messageId }
    expect((await shown({ ...reply, context, disappearAfterSeconds: 86_400 }, chat)).message).toMatchObject({
      contextInfo: {
        quotedId: whatsappId,
        quotedText: '*as* written',
        mentions: [`${bob}@s.whatsapp.net`],
        forwarded: true,
      },
      ephemeral: 86_400,
    })
    const location = { latitude: 6.9, longitude: 79.8, name: 'Tea House' }
    expect((await shown({ type: 'location', location }, chat)).message).toMatchObject({ kind: 'location', location })
    const contacts = [{ name: { formatted_name: 'Carl' }, phones: [{ phone: '+49 1' }] }]
    expect((await shown({ type: 'contacts', contacts }, chat)).message).toMatchObject({
      kind: 'contacts',
      contacts: [{ displayName: 'Carl', vcard: expect.stringContaining('TEL:+49 1') }],
    })
    expect(
      (await shown({ type: 'reaction', reaction: { message_id: messageId, emoji: '👍' } }, chat)).message,
    ).toMatchObject({
      kind: 'reaction',
      reaction: { key: { id: whatsappId }, text: '👍' },
    })
    expect(
      (await shown({ type: 'edit', edit: { message_id: messageId, text: 'better' } }, chat)).message,
    ).toMatchObject({
      kind: 'edit',
      edit: { of: whatsappId, text: 'better' },
    })
    expect((await shown({ type: 'delete', delete: { message_id: messageId } }, chat)).message).toMatchObject({
      kind: 'revoke',
      revoke: { of: whatsappId },
    })
  })

  it('a poll is sent, and the votes on it are read', async () => {
    const poll = { name: 'Tea?', options: ['Black', 'Green', 'None'], selectableCount: 0 }
    const { messageId, whatsappId, message } = await shown({ type: 'poll', poll }, chatOf())
    expect(message).toMatchObject({ kind: 'poll', poll })
    for (const options of [['Black', 'Green'], []]) {
      expect((await received({ kind: 'pollVote', of: whatsappId, options }, backOf())).content).toEqual({
        type: 'poll_vote',
        poll_vote: { message_id: messageId, options },
      })
    }
  })

  it('each kind is received', async () => {
    const to = backOf()
    const text = await received({ text: 'hello', ephemeral: 86_400, forwarded: true }, to)
    expect(text.content).toEqual({
      type: 'text',
      text: { body: 'hello' },
      forwarded: true,
      disappearAfterSeconds: 86_400,
    })
    const about = { message_id: expect.stringMatching(/^wam_/) }
    expect((await received({ text: 'again', quote: text.id }, to)).content).toMatchObject({
      context: about,
      quotedFrom: `+${ada}`,
    })
    const location = { latitude: 6.9, longitude: 79.8, name: 'Tea House' }
    expect((await received({ kind: 'location', ...location }, to)).content).toEqual({ type: 'location', location })
    const vcard = 'BEGIN:VCARD\nVERSION:3.0\nFN:Carl\nTEL;waid=491:+49 1\nEND:VCARD'
    expect((await received({ kind: 'contacts', contacts: [{ displayName: 'Carl', vcard }] }, to)).content).toEqual({
      type: 'contacts',
      contacts: [{ name: { formatted_name: 'Carl' }, phones: [{ phone: '+49 1', wa_id: '491' }], vcard }],
    })
    expect((await received({ kind: 'reaction', of: text.id, text: '❤️' }, to)).content).toEqual({
      type: 'reaction',
      reaction: { ...about, emoji: '❤️' },
    })
    expect((await received({ kind: 'edit', of: text.id, text: 'hello!' }, to)).content).toEqual({
      type: 'edit',
      edit: { ...about, text: 'hello!' },
    })
    expect((await received({ kind: 'revoke', of: text.id }, to)).content).toEqual({ type: 'delete', delete: about })
    const poll = { name: 'Tea?', options: ['Black', 'Green'], selectableCount: 1 }
    const asked = await received({ kind: 'poll', ...poll }, to)
    expect(asked.content).toMatchObject({ type: 'poll', poll })
    expect((await received({ kind: 'pollVote', of: asked.id, options: ['Green'] }, to)).content).toEqual({
      type: 'poll_vote',
      poll_vote: { ...about, options: ['Green'] },
    })
  })

  it('media come with what is known of them', async () => {
    const to = backOf()
    const source = { mediaKey: expect.any(String), directPath: expect.any(String) }
    expect((await received({ kind: 'image', size: 100, caption: 'tea', viewOnce: true }, to)).content).toMatchObject({
      type: 'image',
      image: { bytes: 100, caption: 'tea', source },
      viewOnce: true,
    })
    expect((await received({ kind: 'video', size: 100, gifPlayback: true }, to)).content).toMatchObject({
      type: 'video',
      video: { gif: true, source },
    })
    expect((await received({ kind: 'audio', size: 100, ptt: true, seconds: 3 }, to)).content).toMatchObject({
      type: 'audio',
      audio: { voice: true, seconds: 3 },
    })
    expect((await received({ kind: 'document', size: 100, fileName: 'tea.pdf' }, to)).content).toMatchObject({
      type: 'document',
      document: { filename: 'tea.pdf' },
    })
    expect((await received({ kind: 'sticker', size: 100 }, to)).content).toMatchObject({ type: 'sticker' })
  })

  it('an answer to what we sent says that it was ours', async () => {
    const { messageId, whatsappId } = await shown({ type: 'text', text: { body: 'ours' } }, chatOf())
    expect((await received({ kind: 'reaction', of: whatsappId, text: '👍' }, backOf())).content).toEqual({
      type: 'reaction',
      reaction: { message_id: messageId, emoji: '👍' },
    })
    expect((await received({ text: 'yes', quote: whatsappId }, backOf())).content).toMatchObject({
      context: { message_id: messageId },
      quotedFrom: `+${business}`,
    })
  })
})

it.each([
  ['a person', () => `${ada}@s.whatsapp.net`, () => business],
  ['a group', () => group, () => group],
])('%s sees that its message was read, and that somebody is typing or recording', async (_whom, chatOf, backOf) => {
  const { id } = await received({ text: 'seen?' }, backOf())
  device.socket.gesture?.({ kind: 'read', messageId: id })
  for (const presence of ['typing', 'recording', 'paused'] as const) {
    device.socket.gesture?.({ kind: 'presence', chat: chatOf(), presence })
  }
  type Sent = { readonly id: string; readonly receipts: Record<string, { readonly read?: string }> }
  await soon(async () => {
    const { messages: sent } = await world.control<{ messages: Sent[] }>('GET', `/phones/${ada}/sent`)
    const receipts = Object.entries(sent.find((message) => message.id === id)?.receipts ?? {})
    return receipts.some(([by, { read }]) => by.startsWith(business) && read !== undefined)
  })
  await soon(async () => {
    const { chatStates } = await world.control<{ chatStates: { state: string }[] }>('GET', `/phones/${ada}/presence`)
    return (
      chatStates
        .slice(-3)
        .map(({ state }) => state)
        .join() === 'composing,recording,paused'
    )
  })
})

/** Asks until it is so; the test's own time is the limit. */
async function soon(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}

it('what a channel publishes comes with the channel as its sender, and is acknowledged', async () => {
  const channel = '120363009876543210@newsletter'
  const body = { channel, text: 'news' }
  const { id } = await world.control<{ id: string }>('POST', `/phones/${business}/channel-messages`, body)
  const message = await device.told.until('news', () => device.told.inbound.find((each) => each.whatsappId === id))
  expect(message).toMatchObject({ chat: channel, sender: channel, content: { type: 'text', text: { body: 'news' } } })
  expect(message).not.toHaveProperty('senderPhoneNumber')
})

it('each member of a group says how far they got with what we sent', async () => {
  const { whatsappId } = await shown({ type: 'text', text: { body: 'who read it?' } }, group)
  for (const [phone, step] of [
    [ada, 'delivered'],
    [ada, 'read'],
    [bob, 'delivered'],
    [bob, 'read'],
  ] as const) {
    const receipt = await device.told.until(`${phone} ${step}`, () =>
      device.told.receipts.find(
        (each) => each.whatsappId === whatsappId && each.step === step && each.participant?.phoneNumber === `+${phone}`,
      ),
    )
    expect(receipt.participant).toEqual({ phoneNumber: `+${phone}`, lid: expect.stringMatching(/^\d+@lid$/) })
  }
})

it('a group that this device is not in refuses for good', async () => {
  const chat = '120363000000000000@g.us'
  expect(await device.socket.send('3EB0FF', chat, { type: 'text', text: { body: 'x' } })).toMatchObject({
    kind: 'refused',
    code: 'invalid_content',
  })
})

it('everything could be read', async () => {
  expect(await world.stats()).toMatchObject({ undecryptable: 0 })
})
