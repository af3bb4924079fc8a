import { generateWAMessage, proto } from '@whiskeysockets/baileys'
import { describe, expect, it, test } from 'vitest'
import { outboundContent, pollSecret } from '../../../connector/whatsapp/outbound-content.ts'
import { readVcard, writeVcard } from '../../../connector/whatsapp/vcard.ts'
import type { InboundRow, MessageRow, OutboundRow } from '../../../shared/domain/stores/messages.ts'
import type { SendContent } from '../../../shared/domain/words.ts'

const person = '94771111111@s.whatsapp.net'
const group = '120363001234567890@g.us'
const me = '94770000001:3@s.whatsapp.net'
const at = '2026-01-31T12:00:00.000Z'
const base = {
  businessProfileId: 'bp_1',
  connectionId: 'con_1',
  key: 'k',
  version: 1,
  epoch: 1,
  createdAt: at,
  updatedAt: at,
  expireAt: 1,
}

const ours = (chat: string, content: SendContent = { type: 'text', text: { body: 'ours' } }): OutboundRow => ({
  ...base,
  direction: 'outbound',
  messageId: 'msg_1',
  whatsappId: '3EB0OURS',
  chat,
  to: chat,
  content,
  status: 'read',
  seq: 1,
  partition: 0,
  generation: 1,
  deadlineAt: at,
  bodyHash: 'h',
})
const theirs = (chat: string): InboundRow => ({
  ...base,
  direction: 'inbound',
  messageId: 'wam_1',
  whatsappId: '3EB0THEIRS',
  chat,
  sender: '777@lid',
  from: { phoneNumber: '+94771111111', lid: '777@lid' },
  content: { type: 'text', text: { body: 'theirs' } },
  sentAt: at,
  receivedAt: at,
})

/** The protobuf that leaves, as the recipient decodes it. */
async function sent(content: SendContent, chat: string, referred?: MessageRow): Promise<Record<string, unknown>> {
  const made = outboundContent(content, { chat, ...(referred && { referred }), pollSecret: Buffer.alloc(32, 7) })
  if (made.kind !== 'message') throw new Error(made.kind === 'refused' ? made.why : made.kind)
  const { message } = await generateWAMessage(chat, made.message.content, {
    ...made.message.options,
    messageId: '3EB0NEW',
    userJid: me,
    upload: () => Promise.reject(new Error('no media')),
  })
  return proto.Message.toObject(proto.Message.decode(proto.Message.encode(message as proto.IMessage).finish()), {
    longs: Number,
  })
}

describe.each([
  ['a person', person],
  ['a group', group],
])('to %s', (_whom, chat) => {
  it('a text goes as it was written', async () => {
    const text = { body: ' *as* _written_\n' }
    expect(await sent({ type: 'text', text }, chat)).toMatchObject({ extendedTextMessage: { text: text.body } })
  })

  it('a text carries mentions, its mark as forwarded, and its end', async () => {
    const mentions = ['94772222222@s.whatsapp.net']
    const content = { type: 'text', text: { body: '@94772222222' }, mentions, forwarded: true } as const
    expect(await sent({ ...content, disappearAfterSeconds: 86_400 }, chat)).toMatchObject({
      extendedTextMessage: {
        contextInfo: { mentionedJid: mentions, isForwarded: true, forwardingScore: 1, expiration: 86_400 },
      },
    })
  })

  it('a link has a card only where it was asked for', async () => {
    const body = 'see (https://example.com/tea).'
    const plain = await sent({ type: 'text', text: { body } }, chat)
    expect(plain).not.toHaveProperty('extendedTextMessage.matchedText')
    const card = await sent({ type: 'text', text: { body, preview_url: true } }, chat)
    expect(card).toMatchObject({
      extendedTextMessage: { text: body, matchedText: 'https://example.com/tea', title: 'example.com' },
    })
  })

  it('a reply quotes what the stored message says, and who said it', async () => {
    const content = { type: 'text', text: { body: 'yes' }, context: { message_id: 'wam_1' } } as const
    const quoting = (message: Record<string, unknown>) =>
      (message as { extendedTextMessage: { contextInfo: object } }).extendedTextMessage.contextInfo
    expect(quoting(await sent(content, chat, theirs(chat)))).toMatchObject({
      stanzaId: '3EB0THEIRS',
      participant: '777@lid',
      quotedMessage: { conversation: 'theirs' },
    })
    expect(quoting(await sent(content, chat, ours(chat)))).toMatchObject({
      stanzaId: '3EB0OURS',
      participant: '94770000001@s.whatsapp.net',
      quotedMessage: { conversation: 'ours' },
    })
  })

  it('a place, contact cards and a poll answer and disappear as texts do', async () => {
    const rest = { context: { message_id: 'msg_1' }, disappearAfterSeconds: 86_400 }
    const contextInfo = { stanzaId: '3EB0OURS', expiration: 86_400 }
    const location = { latitude: 6.9, longitude: 79.8, name: 'Tea House', address: 'Colombo' }
    expect(await sent({ type: 'location', location, forwarded: true, ...rest }, chat, ours(chat))).toMatchObject({
      locationMessage: {
        degreesLatitude: 6.9,
        degreesLongitude: 79.8,
        name: 'Tea House',
        address: 'Colombo',
        contextInfo: { ...contextInfo, isForwarded: true },
      },
    })
    const ada = { name: { formatted_name: 'Ada' } }
    expect(await sent({ type: 'contacts', contacts: [ada], ...rest }, chat, ours(chat))).toMatchObject({
      contactMessage: { displayName: 'Ada', vcard: expect.stringContaining('FN:Ada'), contextInfo },
    })
    expect(
      await sent({ type: 'contacts', contacts: [ada, ada], forwarded: true, ...rest }, chat, ours(chat)),
    ).toMatchObject({
      contactsArrayMessage: {
        contacts: [{ displayName: 'Ada' }, {}],
        contextInfo: { ...contextInfo, isForwarded: true },
      },
    })
    const poll = { name: 'Tea?', options: ['Yes', 'No'], selectableCount: 0 }
    expect(await sent({ type: 'poll', poll, ...rest }, chat, ours(chat))).toMatchObject({
      pollCreationMessage: { name: 'Tea?', options: [{ optionName: 'Yes' }, { optionName: 'No' }], contextInfo },
      messageContextInfo: { messageSecret: Buffer.alloc(32, 7) },
    })
  })

  it('a poll with one choice says so', async () => {
    const poll = { name: 'Tea?', options: ['Yes', 'No'], selectableCount: 1 }
    expect(await sent({ type: 'poll', poll }, chat)).toMatchObject({
      pollCreationMessageV3: { selectableOptionsCount: 1 },
    })
  })

  it('a reaction names its message, and is taken back by an empty emoji', async () => {
    for (const emoji of ['👍', '']) {
      const content = { type: 'reaction', reaction: { message_id: 'x', emoji } } as const
      const participant = chat === group ? { participant: '777@lid' } : {}
      expect(await sent(content, chat, theirs(chat))).toMatchObject({
        reactionMessage: { text: emoji, key: { remoteJid: chat, id: '3EB0THEIRS', fromMe: false, ...participant } },
      })
      expect(await sent(content, chat, ours(chat))).toMatchObject({
        reactionMessage: { text: emoji, key: { remoteJid: chat, id: '3EB0OURS', fromMe: true } },
      })
    }
  })

  it('an edit and a deletion name the message that we sent', async () => {
    const key = { remoteJid: chat, id: '3EB0OURS', fromMe: true }
    expect(await sent({ type: 'edit', edit: { message_id: 'x', text: 'better' } }, chat, ours(chat))).toMatchObject({
      protocolMessage: { key, type: 14, editedMessage: { extendedTextMessage: { text: 'better' } } },
    })
    expect(await sent({ type: 'delete', delete: { message_id: 'x' } }, chat, ours(chat))).toMatchObject({
      protocolMessage: { key },
    })
  })
})

it('an admin deletes another’s message in a group', async () => {
  expect(await sent({ type: 'delete', delete: { message_id: 'x' } }, group, theirs(group))).toMatchObject({
    protocolMessage: { key: { remoteJid: group, id: '3EB0THEIRS', fromMe: false, participant: '777@lid' } },
  })
})

const reaction: SendContent = { type: 'reaction', reaction: { message_id: 'x', emoji: '👍' } }
const edit: SendContent = { type: 'edit', edit: { message_id: 'x', text: 'better' } }
test.each<[string, SendContent, MessageRow | undefined, string]>([
  [
    'a reply to what is not there',
    { type: 'text', text: { body: 'x' }, context: { message_id: 'x' } },
    undefined,
    'context.message_id',
  ],
  ['a reaction to what is not there', reaction, undefined, 'reaction.message_id'],
  ['a reaction to a message of a group', reaction, theirs(group), 'reaction.message_id'],
  ['an edit of what another wrote', edit, theirs(person), 'edit.message_id'],
  ['an edit of what is no text', edit, ours(person, reaction), 'edit.message_id'],
  [
    'a deletion of what another wrote',
    { type: 'delete', delete: { message_id: 'x' } },
    theirs(person),
    'delete.message_id',
  ],
  ['an empty text', { type: 'text', text: { body: '' } }, undefined, 'text.body'],
])('%s is refused, naming the field', (_what, content, referred, field) => {
  const made = outboundContent(content, { chat: person, ...(referred && { referred }), pollSecret: Buffer.alloc(32) })
  expect(made).toEqual({ kind: 'refused', why: expect.stringMatching(`^${field}: `) })
})

test('a poll has the same secret wherever it is sent from, and another than every other poll', () => {
  const device = Buffer.alloc(32, 1).toString('base64')
  expect(pollSecret(device, 'A')).toEqual(pollSecret(device, 'A'))
  expect(pollSecret(device, 'A')).toHaveLength(32)
  expect(pollSecret(device, 'A')).not.toEqual(pollSecret(device, 'B'))
})

test('a contact card is read as it was written', () => {
  const card = {
    name: { formatted_name: 'Ada, Countess; of \\ Lovelace', first_name: 'Ada', last_name: 'Lovelace' },
    phones: [{ phone: '+49 151 1', type: 'CELL', wa_id: '491511' }, { phone: '+49 151 2' }],
    emails: [{ email: 'ada@example.com', type: 'WORK' }],
    urls: [{ url: 'https://example.com/a:b' }],
    org: { company: 'Engines', department: 'Analytical', title: 'Countess' },
  }
  const vcard = writeVcard(card)
  expect(readVcard(vcard)).toEqual({ ...card, vcard })
})

test('a contact card from a phone is read', () => {
  const vcard = [
    'BEGIN:VCARD',
    'VERSION:3.0',
    'N:;Ada;;;',
    'FN:Ada Love',
    ' lace',
    'item1.TEL;waid=491511:+49 151 1',
    'item1.X-ABLabel:Mobil',
    'END:VCARD',
  ].join('\r\n')
  expect(readVcard(vcard)).toEqual({
    name: { formatted_name: 'Ada Lovelace', first_name: 'Ada' },
    phones: [{ phone: '+49 151 1', wa_id: '491511' }],
    vcard,
  })
})
