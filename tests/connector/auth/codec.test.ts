import { Curve } from '@whiskeysockets/baileys'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packKeyPair, Records, unpackKeyPair } from '../../../connector/auth/records.ts'
import { AuthDataUnreadable, decodeChanges, encodeChanges, type RecordChange } from '../../../shared/aws/auth-codec.ts'
import { decodeValue, encodeValue } from '../../../shared/aws/auth-values.ts'

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
    const written: RecordChange[] = [['key/session/1', 'abc'.repeat(6_000)]]
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
    later[3] = 3
    expect(() => decodeChanges('entry', later)).toThrow('format version 3, expected 1 to 2')
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
  const half = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => {
    bytes[0]! |= 1
    return Buffer.from(bytes).toString('base64')
  })
  const operation = fc.oneof(
    fc.tuple(
      fc.integer({ min: 1, max: 900 }).map((id) => `key/pre-key/${id}`),
      fc.option(half),
    ),
    fc.tuple(fc.constantFrom('creds/me', 'attempted/1', 'key/session/1.0'), fc.option(fc.string())),
  )

  it('behave like a map, prekeys included, also after a snapshot', () => {
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
        const restored = new Records()
        const snapshot = decodeChanges('snapshot', encodeChanges('snapshot', [...records.entries()]))
        for (const [key, value] of snapshot) restored.set(key, value)
        for (const [key, value] of model) expect(restored.get(key)).toBe(value)
        expect([...restored.entries()]).toEqual([...records.entries()])
        for (const [key] of operations) expect(restored.has(key)).toBe(model.has(key))
      }),
    )
  })

  it('take what an earlier version stored: both halves of a prekey', () => {
    const pair = Curve.generateKeyPair()
    const text = Buffer.concat([pair.private, pair.public]).toString('base64')
    const records = new Records()
    records.set('key/pre-key/7', text)
    expect(unpackKeyPair(records.get('key/pre-key/7') ?? '')).toEqual(bytesOf(pair))
    expect(unpackKeyPair(text)).toEqual(bytesOf(pair))
  })

  it('hold no more than the private half of a prekey, and give back both', () => {
    const pair = Curve.generateKeyPair()
    expect(Buffer.from(packKeyPair(pair), 'base64')).toHaveLength(32)
    expect(unpackKeyPair(packKeyPair(pair))).toEqual(bytesOf(pair))
    expect(() => packKeyPair({ ...pair, public: Buffer.alloc(33) })).toThrow('expected two halves of 32 bytes')
    expect(() => packKeyPair({ ...pair, public: Buffer.alloc(32, 2) })).toThrow('to follow from the private one')
  })

  it('refuse what is no prekey', () => {
    const records = new Records()
    expect(() => records.set('key/pre-key/x', Buffer.alloc(32, 1).toString('base64'))).toThrow('prekey id')
    expect(() => records.set('key/pre-key/1', Buffer.alloc(31, 1).toString('base64'))).toThrow('expected 32 bytes')
    expect(() => records.set('pre-keys/1', Buffer.alloc(33, 1))).toThrow('slots of 32 bytes')
    expect(() => records.set('creds/me', Buffer.alloc(1))).toThrow('expected a text')
  })
})

const bytesOf = (pair: { readonly private: Uint8Array; readonly public: Uint8Array }) => ({
  private: Buffer.from(pair.private),
  public: Buffer.from(pair.public),
})
