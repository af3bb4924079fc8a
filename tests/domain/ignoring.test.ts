import { expect, test } from 'vitest'
import { isIgnored } from '../../shared/domain/ignoring.ts'

const person = '94771111111@s.whatsapp.net'
const group = '120363001234567890@g.us'
const channel = '120363009876543210@newsletter'
const status = 'status@broadcast'

test.each([
  [person, undefined, false],
  [group, undefined, false],
  [status, undefined, true],
  [person, { groups: true, status: true }, false],
  [group, { groups: true }, true],
  [status, { groups: true }, true],
  [status, { status: false }, false],
  [channel, undefined, true],
  [channel, { groups: true, status: false }, true],
  [channel, { channels: false }, false],
])('a message in %s under %j: %s', (chat, ignore, ignored) => {
  expect(isIgnored(chat, ignore)).toBe(ignored)
})
