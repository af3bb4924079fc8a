import { proto } from '@whiskeysockets/baileys'
import { describe, expect, it } from 'vitest'
import type { KeptInbound } from '../../../connector/auth/auth-state.ts'
import { readInbound } from '../../../connector/whatsapp/inbound-content.ts'
import { References } from '../../../connector/whatsapp/references.ts'
import { inboundMessageIdOf } from '../../../shared/aws/ids.ts'
import type { MessageLookup, MessageRow } from '../../../shared/domain/stores/messages.ts'

const ref = { businessProfileId: 'bp_1', connectionId: 'con_1' }
const group = '120363001234567890@g.us'
const mappings = new Map([
  ['777_reverse', '94771111111'],
  ['94771111111', '777'],
])
const state = {
  creds: { me: { id: '94770000001:3@s.whatsapp.net', lid: '555:3@lid' } },
  read: (_type: string, id: string) => mappings.get(id),
}

/** One message of ours, and one of the contact's in each chat, stored as they came. */
const stored = new Map<string, Partial<MessageRow>>([
  ['OURS', { direction: 'outbound', messageId: 'msg_ours', whatsappId: 'OURS', chat: '94771111111@s.whatsapp.net' }],
  ['OURS-IN-GROUP', { direction: 'outbound', messageId: 'msg_group', whatsappId: 'OURS-IN-GROUP', chat: group }],
])
for (const chat of ['777@lid', group]) {
  const messageId = inboundMessageIdOf(chat, '777@lid', 'THEIRS')
  stored.set(messageId, { direction: 'inbound', messageId, whatsappId: 'THEIRS', chat })
}
const messages: MessageLookup = {
  find: async (_ref, id, where = []) => {
    const ids = [id, ...where.map(({ chat, sender }) => inboundMessageIdOf(chat, sender, id))]
    return ids.map((each) => stored.get(each)).find((row) => row !== undefined) as MessageRow | undefined
  },
}

async function resolved(message: proto.IMessage, envelope: Record<string, string>) {
  const plaintext = Buffer.concat([proto.Message.encode(message).finish(), Buffer.from([1])])
  const kept: KeptInbound = { whatsappId: 'NEW', plaintext, envelope: { t: '1700000000', ...envelope } }
  const read = readInbound(kept, state)
  if (read === undefined) throw new Error('nobody’s message')
  return (await new References(ref, state, messages).resolve(read)).content
}

const { REVOKE, MESSAGE_EDIT } = proto.Message.ProtocolMessage.Type
const editOf = (id: string): proto.IMessage => ({
  protocolMessage: { type: MESSAGE_EDIT, key: { id, fromMe: true }, editedMessage: { conversation: 'new' } },
})
const deletionOf = (id: string, participant?: string): proto.IMessage => ({
  protocolMessage: { type: REVOKE, key: { id, fromMe: participant === undefined, participant } },
})

describe.each([
  ['by LID', { from: '777@lid' }, '777@lid'],
  ['by phone number, stored by LID', { from: '94771111111@s.whatsapp.net' }, '777@lid'],
  ['in a group', { from: group, participant: '777@lid' }, group],
])('a contact %s', (_how, envelope, chat) => {
  const theirs = inboundMessageIdOf(chat, '777@lid', 'THEIRS')

  it('edits and deletes what it wrote', async () => {
    expect(await resolved(editOf('THEIRS'), envelope)).toEqual({
      type: 'edit',
      edit: { message_id: theirs, text: 'new' },
    })
    expect(await resolved(deletionOf('THEIRS'), envelope)).toEqual({ type: 'delete', delete: { message_id: theirs } })
  })

  it('does not edit or delete what we wrote, though it knows the id', async () => {
    for (const id of ['OURS', 'OURS-IN-GROUP']) {
      expect(await resolved(editOf(id), envelope)).toMatchObject({ edit: { message_id: id } })
      expect(await resolved(deletionOf(id), envelope)).toMatchObject({ delete: { message_id: id } })
    }
  })

  it('is not taken for the author of what is not stored', async () => {
    expect(await resolved(editOf('UNKNOWN'), envelope)).toMatchObject({ edit: { message_id: 'UNKNOWN' } })
  })
})

it('a reaction in a chat of two to what is not the other’s is to ours', async () => {
  const reactionMessage = { key: { id: 'OURS', fromMe: false }, text: '👍' }
  expect(await resolved({ reactionMessage }, { from: '777@lid' })).toEqual({
    type: 'reaction',
    reaction: { message_id: 'msg_ours', emoji: '👍' },
  })
})

it('a group’s admin deletes what we wrote, and a message of another chat is not meant', async () => {
  const envelope = { from: group, participant: '777@lid' }
  expect(await resolved(deletionOf('OURS-IN-GROUP', '555@lid'), envelope)).toMatchObject({
    delete: { message_id: 'msg_group' },
  })
  expect(await resolved(deletionOf('OURS', '555@lid'), envelope)).toMatchObject({ delete: { message_id: 'OURS' } })
})

it('a vote whose poll is not known is kept as unsupported', async () => {
  const vote = { encPayload: Buffer.alloc(40), encIv: Buffer.alloc(12) }
  const pollUpdateMessage = { pollCreationMessageKey: { id: 'UNKNOWN', fromMe: true }, vote }
  expect(await resolved({ pollUpdateMessage }, { from: '777@lid' })).toEqual({
    type: 'unsupported',
    kind: 'pollUpdateMessage',
  })
})
