import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeCursor, encodeCursor, InvalidCursor } from '../../shared/aws/cursor.ts'
import * as ids from '../../shared/aws/ids.ts'

const ref = { businessProfileId: 'bp_1', connectionId: 'con_1' }

describe('ids', () => {
  test('have their prefix and length, and no two are the same', () => {
    const shapes = [
      [ids.newBusinessProfileId, /^bp_[0-9a-z]{20}$/],
      [ids.newConnectionId, /^con_[0-9a-z]{20}$/],
      [ids.newMessageId, /^msg_[0-9a-z]{26}$/],
      [ids.newApiKeyId, /^[0-9a-z]{16}$/],
    ] as const
    for (const [make, shape] of shapes) {
      const made = Array.from({ length: 1_000 }, make)
      for (const id of made) expect(id).toMatch(shape)
      expect(new Set(made).size).toBe(1_000)
    }
  })

  // Rows are found by these: another value would lose every row that is stored.
  test('that follow from others never change', () => {
    const messageId = ids.messageIdOf(ref, 'order-1')
    expect(messageId).toBe('msg_m5eqxenpe0ztu7y8x03zqa6f89')
    expect(ids.whatsappIdOf('msg_1')).toBe('3EB0116B88F173007BE5E0')
    expect(ids.inboundMessageIdOf('chat', 'sender', 'id')).toBe('wam_kuvbyksew8j4v4mw391u1i0jzb')
    expect(ids.messageKey('msg_1')).toBe(`out#${ids.whatsappIdOf('msg_1')}`)
    expect(ids.messageKey('wam_abc')).toBe('in#abc')
    expect(ids.connectionKey(ref)).toBe('bp_1#con_1')
    expect(ids.partitionOf('con_1', 16)).toBe(4)
  })

  test('for WhatsApp are `3EB0` and 18 upper-case hex digits', () => {
    fc.assert(fc.property(fc.string(), (text) => /^3EB0[0-9A-F]{18}$/.test(ids.whatsappIdOf(text))))
  })

  test('of a send are the same only for the same connection and key', () => {
    const place = fc.record({ businessProfileId: fc.string(), connectionId: fc.string() })
    const named = (where: typeof ref, key: string) => ids.messageIdOf(where, key)
    expect(named(ref, 'a')).toBe(named({ ...ref }, 'a'))
    fc.assert(
      fc.property(place, fc.string(), fc.string(), (where, a, b) => a === b || named(where, a) !== named(where, b)),
    )
    expect(named({ ...ref, connectionId: 'con_2' }, 'a')).not.toBe(named(ref, 'a'))
    expect(named({ ...ref, businessProfileId: 'bp_2' }, 'a')).not.toBe(named(ref, 'a'))
  })

  test('of received messages do not run into one another where chat, sender and id do', () => {
    expect(ids.inboundMessageIdOf('ab', 'c', 'd')).not.toBe(ids.inboundMessageIdOf('a', 'bc', 'd'))
    expect(ids.inboundMessageIdOf('a","b', 'c', 'd')).not.toBe(ids.inboundMessageIdOf('a', 'b","c', 'd'))
  })

  test('spread connections evenly over the partitions', () => {
    const counts = new Array<number>(16).fill(0)
    for (let i = 0; i < 16_000; i++) {
      const partition = ids.partitionOf(`con_${i}`, 16)
      counts[partition] = (counts[partition] ?? 0) + 1
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150)
  })
})

describe('cursors', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 100 }), fc.string({ minLength: 1, maxLength: 100 }), (a, b) => {
        expect(decodeCursor(encodeCursor({ a, b }), ['a', 'b'])).toEqual({ a, b })
      }),
    )
  })

  test('of any other text are refused, and nothing else is thrown', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => decodeCursor(text, ['connectionId'])).toThrow(InvalidCursor)
      }),
    )
    fc.assert(
      fc.property(fc.json(), (json) => {
        const cursor = Buffer.from(json).toString('base64url')
        expect(() => decodeCursor(cursor, ['connectionId'])).toThrow(InvalidCursor)
      }),
    )
  })
})
