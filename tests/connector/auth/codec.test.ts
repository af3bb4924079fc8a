import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AuthDataUnreadable, decodeChanges, encodeChanges, type RecordChange } from '../../../connector/auth/codec.ts'
import { packKeyPair, Records, unpackKeyPair } from '../../../connector/auth/records.ts'
import { decodeValue, encodeValue } from '../../../connector/auth/values.ts'

const changes = fc.array(
  fc.tuple(fc.string({ unit: 'grapheme' }), fc.option(fc.string({ unit: 'grapheme', maxLength: 400 }))),
) as fc.Arbitrary<RecordChange[]>

describe('codec', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(changes, fc.constantFrom('entry' as const, 'snapshot' as const), (written, kind) => {
        expect(decodeChanges(kind, encodeChanges(kind, written))).toEqual(written)
      }),
    )
  })

  it('gives back what is large enough to be compressed, and makes it smaller', () => {
    const written: RecordChange[] = [['key/session/1', 'abc'.repeat(5_000)]]
    const bytes = encodeChanges('snapshot', written)
    expect(bytes.length).toBeLessThan(1_000)
    expect(decodeChanges('snapshot', bytes)).toEqual(written)
    for (let at = 0; at < bytes.length; at += 1) {
      for (const bit of [0x01, 0x10]) {
        const flipped = Uint8Array.from(bytes)
        flipped[at]! ^= bit
        expect(() => decodeChanges('snapshot', flipped)).toThrow(AuthDataUnreadable)
      }
    }
  })

  it('refuses every truncation and every flipped bit', () => {
    fc.assert(
      fc.property(changes, fc.nat(), fc.nat(7), (written, position, bit) => {
        const bytes = encodeChanges('entry', written)
        expect(() => decodeChanges('entry', bytes.subarray(0, position % bytes.length))).toThrow(AuthDataUnreadable)
        const flipped = Uint8Array.from(bytes)
        flipped[position % bytes.length]! ^= 1 << bit
        expect(() => decodeChanges('entry', flipped)).toThrow(AuthDataUnreadable)
      }),
    )
  })

  it('refuses bytes after the end, another kind and another version', () => {
    const bytes = encodeChanges('entry', [['a', 'b']])
    expect(() => decodeChanges('entry', Buffer.concat([bytes, Buffer.from([0])]))).toThrow(AuthDataUnreadable)
    expect(() => decodeChanges('snapshot', bytes)).toThrow('kind')
    const later = Uint8Array.from(bytes)
    later[3] = 2
    expect(() => decodeChanges('entry', later)).toThrow('format version 2, expected 1')
    expect(() => decodeChanges('entry', new Uint8Array())).toThrow(AuthDataUnreadable)
  })
})

describe('values', () => {
  it('keep bytes as bytes, also within objects that have a `toJSON` of their own', () => {
    const account = Object.assign(Object.create({ toJSON: () => 'lost' }) as object, {
      signature: new Uint8Array([1, 2]),
    })
    const value = { account, key: Buffer.from([0, 255]), list: [Buffer.alloc(0)], missing: undefined, text: '$bytes' }
    expect(decodeValue(encodeValue(value))).toEqual({
      account: { signature: Buffer.from([1, 2]) },
      key: Buffer.from([0, 255]),
      list: [Buffer.alloc(0)],
      text: '$bytes',
    })
  })
})

describe('records', () => {
  it('behave like a map, prekeys included', () => {
    const preKey = fc.uint8Array({ minLength: 64, maxLength: 64 }).map((bytes) => {
      bytes[0]! |= 1
      return Buffer.from(bytes).toString('base64')
    })
    const operation = fc.oneof(
      fc.tuple(
        fc.integer({ min: 1, max: 900 }).map((id) => `key/pre-key/${id}`),
        fc.option(preKey),
      ),
      fc.tuple(fc.constantFrom('creds/me', 'attempted/1', 'key/session/1.0'), fc.option(fc.string())),
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const model = new Map<string, string>()
        const records = new Records()
        for (const [key, value] of operations) {
          records.set(key, value)
          if (value === null) model.delete(key)
          else model.set(key, value)
          expect(records.get(key)).toBe(model.get(key))
        }
        expect(new Map(records.entries())).toEqual(model)
      }),
    )
  })

  it('unpack the pair that was packed', () => {
    const pair = { private: Buffer.alloc(32, 1), public: Buffer.alloc(32, 2) }
    expect(unpackKeyPair(packKeyPair(pair))).toEqual(pair)
    expect(() => packKeyPair({ ...pair, public: Buffer.alloc(33) })).toThrow('expected two halves of 32 bytes')
  })
})
