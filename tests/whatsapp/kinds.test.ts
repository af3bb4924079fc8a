import {
  type AnyMessageContent,
  decryptPollVote,
  normalizeMessageContent,
  proto,
  type WAMessage,
} from '@whiskeysockets/baileys'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encryptVote, optionHash } from '../../local/whatsapp/poll-votes.ts'
import { type Client, Simulation } from './client.ts'

const ALICE = '15550100001'
const BOB = '15550100002'
const BOB_JID = `${BOB}@s.whatsapp.net`
const VCARD = 'BEGIN:VCARD\nVERSION:3.0\nFN:Carol\nTEL;waid=15550100003:+15550100003\nEND:VCARD'
const { MESSAGE_EDIT, REVOKE, EPHEMERAL_SETTING } = proto.Message.ProtocolMessage.Type

let simulation: Simulation
let client: Client
let lids: Record<string, string>

beforeAll(async () => {
  simulation = await Simulation.start()
  lids = {}
  for (const number of [ALICE, BOB]) {
    await simulation.phone(number)
    lids[number] = `${(await simulation.call<{ lid: string }>('GET', `/phones/${number}`)).body.lid}@lid`
  }
  client = await simulation.linked(ALICE)
})

afterAll(() => simulation.close())

async function sent(
  content: AnyMessageContent,
  options?: { quoted?: WAMessage; ephemeralExpiration?: number },
): Promise<WAMessage> {
  const message = await client.socket.sendMessage(BOB_JID, content, options)
  if (!message) throw new Error('not sent')
  return message
}

/** What Bob's phone shows of a message, as soon as it does. */
async function shown(id: string | null | undefined) {
  for (let count = 1; ; count++) {
    const { messages } = await simulation.inbox(BOB, count)
    const found = messages.find((each) => each.id === id)
    if (found) return found
    if (messages.length < count) throw new Error(`the phone does not show ${id}`)
  }
}

/** What arrives at the client when the phone sends. */
async function arrived(request: Record<string, unknown>): Promise<WAMessage> {
  const { id } = await simulation.sendMessage(BOB, { to: ALICE, ...request })
  return client.message(id)
}

describe('from Baileys to a phone', () => {
  const KINDS: [what: string, content: AnyMessageContent, expected: Record<string, unknown>][] = [
    ['text', { text: 'plain' }, { kind: 'text', text: 'plain' }],
    [
      'mention',
      { text: 'hi @15550100002', mentions: [BOB_JID] },
      { kind: 'text', contextInfo: { mentions: [BOB_JID] } },
    ],
    [
      'location',
      { location: { degreesLatitude: 6.5, degreesLongitude: 79.75, name: 'Galle Face' } },
      { kind: 'location', location: { latitude: 6.5, longitude: 79.75, name: 'Galle Face' } },
    ],
    [
      'contact',
      { contacts: { displayName: 'Carol', contacts: [{ displayName: 'Carol', vcard: VCARD }] } },
      { kind: 'contacts', contacts: [{ displayName: 'Carol', vcard: VCARD }] },
    ],
    [
      'poll',
      { poll: { name: 'lunch?', values: ['rice', 'kottu'], selectableCount: 1 } },
      { kind: 'poll', poll: { name: 'lunch?', options: ['rice', 'kottu'], selectableCount: 1 } },
    ],
    [
      'disappearing setting',
      { disappearingMessagesInChat: 86_400 },
      { kind: 'ephemeralSetting', ephemeralSetting: { seconds: 86_400 } },
    ],
  ]

  test.each(KINDS)('%s', async (_, content, expected) => {
    expect(await shown((await sent(content)).key.id)).toMatchObject(expected)
  })

  test('reply, reaction, edit and deletion name the message that they are about', async () => {
    const first = await sent({ text: 'first' })
    const reply = await sent({ text: 'reply' }, { quoted: first, ephemeralExpiration: 3600 })
    const { id } = first.key
    expect(await shown(reply.key.id)).toMatchObject({
      kind: 'text',
      ephemeral: 3600,
      contextInfo: { quotedId: id, quotedText: 'first' },
    })
    const reaction = await sent({ react: { text: '👍', key: first.key } })
    expect(await shown(reaction.key.id)).toMatchObject({ kind: 'reaction', reaction: { key: { id }, text: '👍' } })
    const edit = await sent({ text: 'first, corrected', edit: first.key })
    expect(await shown(edit.key.id)).toMatchObject({ kind: 'edit', edit: { of: id, text: 'first, corrected' } })
    const revoke = await sent({ delete: first.key })
    expect(await shown(revoke.key.id)).toMatchObject({ kind: 'revoke', revoke: { of: id } })
  })

  test("a vote in the phone's poll is decrypted, whichever address it was made under", async () => {
    const poll = await arrived({ kind: 'poll', name: 'when?', options: ['now', 'later'], selectableCount: 1 })
    const secret = Buffer.from(poll.message?.messageContextInfo?.messageSecret ?? [])
    const pollId = poll.key.id ?? ''
    for (const voterJid of [lids[ALICE] ?? '', `${ALICE}@s.whatsapp.net`]) {
      const vote = encryptVote(['later'], { pollId, secret, creatorJid: lids[BOB] ?? '', voterJid })
      const id = await client.socket.relayMessage(
        BOB_JID,
        { pollUpdateMessage: { pollCreationMessageKey: poll.key, vote, senderTimestampMs: Date.now() } },
        {},
      )
      expect(await shown(id)).toMatchObject({ kind: 'pollVote', pollVote: { of: { id: pollId }, options: ['later'] } })
    }
  })

  test('typing, recording and presence are seen by the phone; read receipts too', async () => {
    client.auth.state.creds.me = {
      ...client.auth.state.creds.me,
      id: client.auth.state.creds.me?.id ?? '',
      name: 'Alice',
    }
    for (const state of ['composing', 'recording', 'paused'] as const)
      await client.socket.sendPresenceUpdate(state, BOB_JID)
    await client.socket.sendPresenceUpdate('available')
    await client.ping()
    const bob = await simulation.call<{ chatStates: { from: string; state: string }[] }>(
      'GET',
      `/phones/${BOB}/presence`,
    )
    expect(bob.body.chatStates.map(({ from, state }) => `${from} ${state}`)).toEqual(
      ['composing', 'recording', 'paused'].map((state) => `${ALICE}:1 ${state}`),
    )
    expect((await simulation.call('GET', `/phones/${ALICE}/presence`)).body).toMatchObject({
      state: 'available',
      devices: { [`${ALICE}:1`]: 'available' },
    })
    const message = await arrived({ text: 'read me' })
    await client.socket.readMessages([message.key])
    await client.ping()
    const { body } = await simulation.call<{ messages: { id: string; receipts: object }[] }>(
      'GET',
      `/phones/${BOB}/sent`,
    )
    expect(body.messages.find(({ id }) => id === message.key.id)?.receipts).toMatchObject({
      [`${ALICE}:1`]: { delivered: expect.any(String), read: expect.any(String) },
    })
  })
})

describe('from a phone to Baileys', () => {
  const content = (message: WAMessage) => normalizeMessageContent(message.message) ?? {}

  test('location, contact card, disappearing text, mention, forward', async () => {
    const location = await arrived({ kind: 'location', latitude: 6.5, longitude: 79.75, name: 'Fort' })
    expect(content(location).locationMessage).toMatchObject({ degreesLatitude: 6.5, name: 'Fort' })
    const card = await arrived({ kind: 'contacts', contacts: [{ displayName: 'Carol', vcard: VCARD }] })
    expect(content(card).contactMessage).toMatchObject({ displayName: 'Carol', vcard: VCARD })
    const text = await arrived({ kind: 'text', text: 'soon gone', ephemeral: 60, mentions: [ALICE], forwarded: true })
    expect(content(text).extendedTextMessage?.contextInfo).toMatchObject({
      expiration: 60,
      mentionedJid: [lids[ALICE]],
      isForwarded: true,
    })
    const linkPreview = { url: 'https://example.com', title: 'Example' }
    const link = await arrived({ kind: 'text', text: 'see https://example.com', linkPreview })
    expect(content(link).extendedTextMessage).toMatchObject({ matchedText: 'https://example.com', title: 'Example' })
    const setting = await arrived({ kind: 'ephemeralSetting', seconds: 604_800 })
    expect(content(setting).protocolMessage).toMatchObject({ type: EPHEMERAL_SETTING, ephemeralExpiration: 604_800 })
  })

  test('view once is wrapped as WhatsApp wraps it', async () => {
    const message = await arrived({ kind: 'image', viewOnce: true, caption: 'once' })
    expect(message.message?.viewOnceMessage?.message?.imageMessage).toMatchObject({ caption: 'once', viewOnce: true })
  })

  test('reply, reaction, edit and deletion of what either side wrote', async () => {
    const ours = await sent({ text: 'ours' })
    await shown(ours.key.id)
    const reply = await arrived({ kind: 'text', text: 'reply', quote: ours.key.id })
    expect(content(reply).extendedTextMessage?.contextInfo).toMatchObject({
      stanzaId: ours.key.id,
      participant: lids[ALICE],
      quotedMessage: { conversation: 'ours' },
    })
    const reaction = await arrived({ kind: 'reaction', of: ours.key.id, text: '❤️' })
    expect(content(reaction).reactionMessage).toMatchObject({ text: '❤️', key: { id: ours.key.id, fromMe: true } })
    const edit = await arrived({ kind: 'edit', of: reply.key.id, text: 'reply, corrected' })
    expect(content(edit).protocolMessage).toMatchObject({
      type: MESSAGE_EDIT,
      key: { id: reply.key.id },
      editedMessage: { conversation: 'reply, corrected' },
    })
    const revoke = await arrived({ kind: 'revoke', of: reply.key.id })
    expect(content(revoke).protocolMessage).toMatchObject({ type: REVOKE, key: { id: reply.key.id } })
    expect(
      await simulation.call('POST', `/phones/${BOB}/messages`, {
        to: ALICE,
        kind: 'reaction',
        of: 'nothing',
        text: '?',
      }),
    ).toMatchObject({ status: 404, body: { code: 'message_unknown' } })
  })

  test("a vote in the client's poll decrypts with Baileys' own function", async () => {
    const poll = await sent({ poll: { name: 'tea?', values: ['yes', 'no'], selectableCount: 1 } })
    await shown(poll.key.id)
    const vote = content(await arrived({ kind: 'pollVote', of: poll.key.id, options: ['yes'] })).pollUpdateMessage
    const { selectedOptions } = decryptPollVote(vote?.vote ?? {}, {
      pollCreatorJid: lids[ALICE] ?? '',
      pollMsgId: poll.key.id ?? '',
      pollEncKey: poll.message?.messageContextInfo?.messageSecret ?? new Uint8Array(),
      voterJid: lids[BOB] ?? '',
    })
    expect(selectedOptions?.map((each) => Buffer.from(each))).toEqual([optionHash('yes')])
  })

  test('typing and presence of a phone reach who subscribed', async () => {
    const updates: unknown[] = []
    client.socket.ev.on('presence.update', ({ presences }) => {
      updates.push(...Object.values(presences).map(({ lastKnownPresence }) => lastKnownPresence))
    })
    await client.socket.presenceSubscribe(BOB_JID)
    await client.ping()
    await simulation.call('POST', `/phones/${BOB}/presence`, { state: 'available' })
    await simulation.call('POST', `/phones/${BOB}/presence`, { state: 'recording', to: ALICE })
    await client.ping()
    expect(updates).toEqual(['unavailable', 'available', 'recording'])
  })

  test('a voice note is played only by phones that play, after it was read', async () => {
    await simulation.call('PATCH', `/phones/${BOB}`, { autoPlay: true })
    const waiting = client.socket.relayMessage(
      BOB_JID,
      { audioMessage: { ptt: true, seconds: 2, mimetype: 'audio/ogg; codecs=opus' } },
      {},
    )
    const id = await waiting
    await client.until('the played receipt', () => client.receipts.get(id)?.includes('played'))
    expect(client.receipts.get(id)).toEqual(['delivered', 'read', 'played'])
    expect(await shown(id)).toMatchObject({ kind: 'audio', ptt: true, read: true, played: true })
  })
})
