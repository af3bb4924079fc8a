import { type BinaryNode, proto } from '@whiskeysockets/baileys'
import { describe, expect, it } from 'vitest'
import type { ConnectionAuthState, KeptInbound } from '../../../connector/auth/auth-state.ts'
import { readEnd } from '../../../connector/whatsapp/connection-end.ts'
import { readInbound } from '../../../connector/whatsapp/inbound-content.ts'
import { readAck, readReceipt } from '../../../connector/whatsapp/receipts.ts'

const me = { id: '94770000001:3@s.whatsapp.net', lid: '555:3@lid' }
const known = new Map([
  ['777_reverse', '94771111111'],
  ['94772222222', '888'],
])
const state = { creds: { me } as ConnectionAuthState['creds'], read: (_type: string, id: string) => known.get(id) }

function receipt(attrs: Record<string, string>, content?: BinaryNode[]): BinaryNode {
  return { tag: 'receipt', attrs: { id: 'A', from: '777@lid', t: '1700000000', ...attrs }, ...(content && { content }) }
}

describe('receipts', () => {
  it.each([
    [undefined, 'delivered'],
    ['inactive', 'delivered'],
    ['read', 'read'],
    ['played', 'played'],
  ])('type %s says %s', (type, step) => {
    expect(readReceipt(receipt(type === undefined ? {} : { type }), state)).toEqual([
      { whatsappId: 'A', step, at: 1_700_000_000_000 },
    ])
  })

  it('name every message in their list', () => {
    const item = (id: string): BinaryNode => ({ tag: 'item', attrs: { id } })
    const list: BinaryNode = { tag: 'list', attrs: {}, content: [item('B'), item('C')] }
    expect(readReceipt(receipt({ type: 'read' }, [list]), state).map(({ whatsappId }) => whatsappId)).toEqual([
      'A',
      'B',
      'C',
    ])
  })

  it.each([
    ['777:2@lid', {}, { phoneNumber: '+94771111111', lid: '777@lid' }],
    ['94772222222@s.whatsapp.net', {}, { phoneNumber: '+94772222222', lid: '888@lid' }],
    ['999@lid', { participant_pn: '94779999999@s.whatsapp.net' }, { phoneNumber: '+94779999999', lid: '999@lid' }],
    ['999@lid', {}, { lid: '999@lid' }],
  ])('in a group name the member: %s, %j', (participant, more, told) => {
    const [read] = readReceipt(receipt({ from: '120363001234567890@g.us', participant, ...more }), state)
    expect(read?.participant).toEqual(told)
  })

  it('in a group name the member as the group does, where it is known', () => {
    const groups = { idsOfMember: () => ['94778888888@s.whatsapp.net'] }
    const [read] = readReceipt(receipt({ from: '120363001234567890@g.us', participant: '999:4@lid' }), state, groups)
    expect(read?.participant).toEqual({ phoneNumber: '+94778888888', lid: '999@lid' })
  })

  it.each([
    ['a request to send again', { type: 'retry' }],
    ['our other device', { from: '94770000001@s.whatsapp.net' }],
    ['our other device by its LID', { from: '555:1@lid', type: 'read' }],
    ['what our other device read', { type: 'read', recipient: '777@lid' }],
    ['another kind', { type: 'hist_sync' }],
  ])('%s says nothing', (_name, attrs) => {
    expect(readReceipt(receipt(attrs), state)).toEqual([])
  })
})

it('acks carry the error where there is one', () => {
  expect(readAck({ tag: 'ack', attrs: { id: 'A', class: 'message' } })).toEqual({ whatsappId: 'A' })
  expect(readAck({ tag: 'ack', attrs: { id: 'A', error: '463' } })).toEqual({ whatsappId: 'A', error: '463' })
})

describe('inbound', () => {
  const kept = (message: proto.IMessage, envelope: Record<string, string>): KeptInbound => ({
    whatsappId: 'A',
    plaintext: Buffer.concat([proto.Message.encode(message).finish(), Buffer.from([1])]),
    envelope: { t: '1700000000', ...envelope },
  })
  const text = { conversation: 'hi' }

  it('carries both ids of one contact, told or known', () => {
    expect(
      readInbound(kept(text, { from: '777:2@lid', sender_pn: '94773333333@s.whatsapp.net', notify: 'Ann' }), state),
    ).toEqual({
      whatsappId: 'A',
      chat: '777@lid',
      sender: '777@lid',
      senderPhoneNumber: '+94773333333',
      senderLid: '777@lid',
      name: 'Ann',
      content: { type: 'text', text: { body: 'hi' } },
      sentAt: 1_700_000_000_000,
    })
    expect(readInbound(kept(text, { from: '777@lid' }), state)).toMatchObject({ senderPhoneNumber: '+94771111111' })
    expect(readInbound(kept(text, { from: '94772222222@s.whatsapp.net' }), state)).toMatchObject({
      senderPhoneNumber: '+94772222222',
      senderLid: '888@lid',
    })
  })

  it('keeps group and sender apart', () => {
    expect(readInbound(kept(text, { from: '1-2@g.us', participant: '777:4@lid' }), state)).toMatchObject({
      chat: '1-2@g.us',
      sender: '777@lid',
    })
  })

  it('names a status update by its chat', () => {
    expect(readInbound(kept(text, { from: 'status@broadcast', participant: '777@lid' }), state)).toMatchObject({
      chat: 'status@broadcast',
      sender: '777@lid',
    })
  })

  it('unwraps text and names what it does not know', () => {
    const read = (message: proto.IMessage) => readInbound(kept(message, { from: '777@lid' }), state)?.content
    expect(read({ extendedTextMessage: { text: 'link' } })).toEqual({ type: 'text', text: { body: 'link' } })
    expect(read({ ephemeralMessage: { message: text } })).toEqual({ type: 'text', text: { body: 'hi' } })
    expect(read({ orderMessage: { orderTitle: 'c' } })).toEqual({ type: 'unsupported', kind: 'orderMessage' })
  })

  it.each([
    ['a protocol message', kept({ protocolMessage: {} }, { from: '777@lid' })],
    ['group keys', kept({ senderKeyDistributionMessage: { groupId: 'g' } }, { from: '777@lid' })],
    ['our own other device', kept(text, { from: '94770000001:1@s.whatsapp.net', recipient: '777@lid' })],
    ['our own phone by its LID', kept(text, { from: '555@lid' })],
    ['a peer message', kept(text, { from: '777@lid', category: 'peer' })],
  ])('%s is nobody’s message', (_name, message) => {
    expect(readInbound(message, state)).toBeUndefined()
  })
})

/** As Baileys ends: a Boom error. */
function boom(message: string, statusCode: number, data?: unknown): Error {
  return Object.assign(new Error(message), { output: { statusCode }, data })
}

describe('ends', () => {
  it('finds the conflict wherever it lies', () => {
    const conflict = { tag: 'conflict', attrs: { type: 'device_removed' } }
    expect(readEnd(boom('x', 401, conflict))).toMatchObject({ conflict: 'device_removed' })
    expect(readEnd(boom('x', 440, { tag: 'stream:error', attrs: {}, content: [conflict] }))).toMatchObject({
      statusCode: 440,
      conflict: 'device_removed',
    })
  })

  it('tells run-out QR codes from other timeouts', () => {
    expect(readEnd(boom('QR refs attempts ended', 408))).toMatchObject({ qrRanOut: true })
    expect(readEnd(boom('Connection was lost', 408))).not.toHaveProperty('qrRanOut')
  })

  it('an end without an error has no code', () => {
    expect(readEnd(undefined)).toEqual({ detail: 'the connection was closed' })
  })
})
