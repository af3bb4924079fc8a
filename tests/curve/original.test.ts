import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { original, ours } from './implementations.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const message = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(0)))
const random = fc.option(bytes(64), { nil: undefined })
const seeded = { seed: 25519, numRuns: 60 }

describe('against curve25519-js 0.0.4', { timeout: 120_000 }, () => {
  test('the same names are exported', () => {
    expect(Object.keys(ours).sort()).toEqual(Object.keys(original).sort())
  })

  test('a seed gives the same key pair, clamped the same way', () => {
    fc.assert(
      fc.property(bytes(32), (seed) => {
        expect(ours.generateKeyPair(seed)).toEqual(original.generateKeyPair(seed))
      }),
      seeded,
    )
  })

  test('any peer key, on the curve, on its twist or with the unused bit set, gives the same shared key', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), (secretKey, publicKey) => {
        expect(ours.sharedKey(secretKey, publicKey)).toEqual(original.sharedKey(secretKey, publicKey))
      }),
      seeded,
    )
  })

  test('a signature has the same bytes, with and without random data, whether the key is clamped or not', () => {
    fc.assert(
      fc.property(bytes(32), message, random, (secretKey, msg, rnd) => {
        expect(ours.sign(secretKey, msg, rnd)).toEqual(original.sign(secretKey, msg, rnd))
      }),
      seeded,
    )
  })

  test('a signed message has the same bytes and opens on either side', () => {
    fc.assert(
      fc.property(bytes(32), message, random, (secretKey, msg, rnd) => {
        const { public: publicKey } = ours.generateKeyPair(secretKey)
        const signed = ours.signMessage(secretKey, msg, rnd)
        expect(signed).toEqual(original.signMessage(secretKey, msg, rnd))
        expect(ours.openMessage(publicKey, signed)).toEqual(msg)
        // The original clears the sign bit in its argument, hence the copy.
        expect(original.openMessage(publicKey, Uint8Array.from(signed))).toEqual(msg)
      }),
      { ...seeded, numRuns: 30 },
    )
  })

  test('each verifies what the other signed', () => {
    fc.assert(
      fc.property(bytes(32), message, random, (secretKey, msg, rnd) => {
        const { public: publicKey } = original.generateKeyPair(secretKey)
        expect(ours.verify(publicKey, msg, original.sign(secretKey, msg, rnd))).toBe(true)
        expect(original.verify(publicKey, msg, ours.sign(secretKey, msg, rnd))).toBe(true)
      }),
      { ...seeded, numRuns: 40 },
    )
  })

  test('a flipped bit anywhere in signature, message or key is refused by both', () => {
    const place = fc.record({
      part: fc.integer({ min: 0, max: 2 }),
      bit: fc.nat(),
      mask: fc.integer({ min: 0, max: 7 }),
    })
    fc.assert(
      fc.property(
        bytes(32),
        fc.uint8Array({ minLength: 1, maxLength: 80 }),
        place,
        (secretKey, msg, { part, bit, mask }) => {
          const parts = [ours.generateKeyPair(secretKey).public, msg, ours.sign(secretKey, msg)] as const
          const flipped = parts.map((each) => Uint8Array.from(each)) as [Uint8Array, Uint8Array, Uint8Array]
          const target = flipped[part]!
          const index = bit % target.length
          // The unused top bit of a public key is ignored by both (RFC 7748 section 5).
          fc.pre(!(part === 0 && index === 31 && mask === 7))
          target[index]! ^= 1 << mask
          expect(original.verify(...flipped)).toBe(false)
          expect(() => ours.verify(...flipped)).toThrow('bad signature')
        },
      ),
      { ...seeded, numRuns: 40 },
    )
  })

  test('Buffers and plain Uint8Arrays are taken alike, and no argument is changed', () => {
    const secretKey = Buffer.alloc(32, 0xff)
    const msg = Buffer.from('a message')
    const rnd = Buffer.alloc(64, 7)
    const { public: publicKey } = ours.generateKeyPair(secretKey)
    const signed = Buffer.from(ours.signMessage(secretKey, msg, rnd))
    const before = Buffer.from(signed)
    expect(ours.openMessage(Buffer.from(publicKey), signed)).toEqual(Uint8Array.from(msg))
    expect(ours.verify(Buffer.from(publicKey), msg, signed.subarray(0, 64))).toBe(true)
    expect(signed).toEqual(before)
    expect([secretKey, msg, rnd]).toEqual([Buffer.alloc(32, 0xff), Buffer.from('a message'), Buffer.alloc(64, 7)])
  })
})
