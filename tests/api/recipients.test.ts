import { describe, expect, test } from 'vitest'
import { normalizePhoneNumber, parseRecipient } from '../../shared/api/recipients.ts'

describe('phone numbers', () => {
  test.each([
    '+94714515253',
    '94714515253',
    '0094714515253',
    '+94 71 451 52 53',
    ' +94 (71) 451-5253 ',
    '94.71.451.5253',
    '94714515253@s.whatsapp.net',
    '94714515253:7@s.whatsapp.net',
    '94714515253@c.us',
  ])('%j is +94714515253', (text) => {
    expect(normalizePhoneNumber(text)).toBe('+94714515253')
  })

  test.each([
    '',
    '+',
    '12',
    'abc',
    '+94',
    '++94714515253',
    '+9471451525312345678',
    '071 451',
    '94714515253@lid',
    '1@g.us',
  ])('%j is none', (text) => {
    expect(normalizePhoneNumber(text)).toBeUndefined()
  })
})

test.each([
  ['94714515253', { to: '+94714515253', chat: '94714515253@s.whatsapp.net' }],
  ['120363041234567890@g.us', { to: '120363041234567890@g.us', chat: '120363041234567890@g.us' }],
  ['94714515253-1400000000@g.us', { to: '94714515253-1400000000@g.us', chat: '94714515253-1400000000@g.us' }],
  ['123456789012345@lid', { to: '123456789012345@lid', chat: '123456789012345@lid' }],
  ['status@broadcast', undefined],
  ['@g.us', undefined],
])('recipient %j', (text, expected) => {
  expect(parseRecipient(text)).toEqual(expected)
})
