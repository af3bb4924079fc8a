import { describe, expect, test } from 'vitest'
import { queuedSendSchema, sendContent, sendMessageSchema } from '../../shared/api/messages.ts'
import { invalidRequest } from '../../shared/api/problems.ts'

const to = '+94714515253'
const group = '120363001234567890@g.us'

/** Every kind as a caller writes it; what is stored of it where that differs. */
const kinds: readonly (readonly [string, Readonly<Record<string, unknown>>, object?])[] = [
  ['text', { type: 'text', text: { body: ' *bold* _as written_ ' } }],
  [
    'text with everything',
    {
      type: 'text',
      text: { body: '@94771234567 see https://example.com', preview_url: true },
      context: { message_id: 'wam_0a' },
      mentions: ['+94 77 123 4567', '123456789@lid'],
      forwarded: true,
      disappearAfterSeconds: 86_400,
    },
    {
      type: 'text',
      text: { body: '@94771234567 see https://example.com', preview_url: true },
      context: { message_id: 'wam_0a' },
      mentions: ['94771234567@s.whatsapp.net', '123456789@lid'],
      forwarded: true,
      disappearAfterSeconds: 86_400,
    },
  ],
  ['location', { type: 'location', location: { latitude: 6.9, longitude: 79.8, name: 'Tea House' } }],
  [
    'location with a fraction that no table holds',
    { type: 'location', location: { latitude: 1e-140, longitude: 79.123456789012 } },
    { type: 'location', location: { latitude: 0, longitude: 79.123456789 } },
  ],
  [
    'contacts',
    {
      type: 'contacts',
      contacts: [{ name: { formatted_name: 'Ada' }, phones: [{ phone: '+49 151', type: 'CELL', wa_id: '49151234' }] }],
    },
  ],
  [
    'poll',
    { type: 'poll', poll: { name: 'Tea?', options: ['Yes', 'No'] } },
    { type: 'poll', poll: { name: 'Tea?', options: ['Yes', 'No'], selectableCount: 0 } },
  ],
  ['reaction', { type: 'reaction', reaction: { message_id: '3EB0AA', emoji: '👍🏽' } }],
  ['a reaction taken back', { type: 'reaction', reaction: { message_id: '3EB0AA', emoji: '' } }],
  ['edit', { type: 'edit', edit: { message_id: 'msg_0a', text: 'better' } }],
  ['delete', { type: 'delete', delete: { message_id: 'msg_0a' } }],
]

describe.each([
  ['a person', to],
  ['a group', group],
])('to %s', (_whom, recipient) => {
  for (const [what, kind, stored = kind] of kinds) {
    test(`${what} is kept as it was written`, () => {
      expect(sendContent(sendMessageSchema.parse({ to: recipient, ...kind }))).toEqual(stored)
      const queued = { version: 1, businessProfileId: 'bp_1', connectionId: 'con_1', to: recipient, ...kind }
      expect(sendContent(queuedSendSchema.parse(queued))).toEqual(stored)
    })
  }
})

test.each([
  ['a kind that is none', { type: 'fax' }, ['type']],
  ['no kind', { text: { body: 'x' } }, ['type']],
  [
    "another kind's field",
    { type: 'location', location: { latitude: 1, longitude: 2 }, text: { body: 'x' } },
    ['text'],
  ],
  [
    'a field that the kind does not have',
    { type: 'edit', edit: { message_id: 'a', body: 'x' } },
    ['edit.text', 'edit.body'],
  ],
  ['a latitude beyond the pole', { type: 'location', location: { latitude: 91, longitude: 2 } }, ['location.latitude']],
  ['no contacts', { type: 'contacts', contacts: [] }, ['contacts']],
  ['a contact without a name', { type: 'contacts', contacts: [{}] }, ['contacts.0.name']],
  ['one option', { type: 'poll', poll: { name: 'x', options: ['a'] } }, ['poll.options']],
  ['the same option twice', { type: 'poll', poll: { name: 'x', options: ['a', 'a'] } }, ['poll.options']],
  [
    'more choices than options',
    { type: 'poll', poll: { name: 'x', options: ['a', 'b'], selectableCount: 3 } },
    ['poll.selectableCount'],
  ],
  ['a reaction in words', { type: 'reaction', reaction: { message_id: 'a', emoji: 'nice' } }, ['reaction.emoji']],
  ['a message id that is none', { type: 'delete', delete: { message_id: 'a b' } }, ['delete.message_id']],
  ['a mention of nobody', { type: 'text', text: { body: 'x' }, mentions: ['12'] }, ['mentions.0']],
  [
    'a time that WhatsApp does not offer',
    { type: 'text', text: { body: 'x' }, disappearAfterSeconds: 5 },
    ['disappearAfterSeconds'],
  ],
])('%s is named', (_what, body, fields) => {
  const result = sendMessageSchema.safeParse({ to, ...body }, { reportInput: true })
  expect(result.error && invalidRequest(result.error).errors?.map(({ field }) => field)).toEqual(fields)
})
