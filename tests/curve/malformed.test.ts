import { ed25519 } from '@noble/curves/ed25519.js'
import { bytesToNumberLE, numberToBytesLE } from '@noble/curves/utils.js'
import { describe, expect, test } from 'vitest'
import { original, ours } from './implementations.ts'

const P = ed25519.Point.Fp.ORDER
const L = ed25519.Point.Fn.ORDER
const secretKey = new Uint8Array(32).fill(0x42)
const { public: publicKey } = ours.generateKeyPair(secretKey)
const msg = Uint8Array.from(Buffer.from('a message'))
const signature = ours.sign(secretKey, msg)

/** Canonical u-coordinates of the points of order 1, 2, 4 and 8 on the curve and on its twist. */
const lowOrder = [
  0n,
  1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  P - 1n,
]

describe('wrong shapes are refused with the argument and the expected length in the message', () => {
  const short = new Uint8Array(31)
  const long = new Uint8Array(33)
  test.each([
    ['seed', () => ours.generateKeyPair(short)],
    ['secret key', () => ours.sharedKey(long, publicKey)],
    ['public key', () => ours.sharedKey(secretKey, long)],
    ['secret key', () => ours.sign(short, msg)],
    ['random data', () => ours.sign(secretKey, msg, short)],
    ['random data', () => ours.signMessage(secretKey, msg, long)],
    ['public key', () => ours.verify(short, msg, signature)],
    ['signature', () => ours.verify(publicKey, msg, signature.subarray(1))],
    ['public key', () => ours.openMessage(long, signature)],
  ])('%s of a wrong length', (name, call) => {
    expect(call).toThrow(new RegExp(`wrong ${name} length \\d+, expected \\d+`))
  })

  test('anything but a Uint8Array is a TypeError, in ours as in the original', () => {
    for (const each of [ours, original]) {
      for (const value of ['text', undefined, null, [1, 2], new Uint16Array(32), new ArrayBuffer(32)]) {
        const wrong = value as unknown as Uint8Array
        expect(() => each.generateKeyPair(wrong)).toThrow(TypeError)
        expect(() => each.sharedKey(wrong, publicKey)).toThrow(TypeError)
        expect(() => each.sign(secretKey, wrong)).toThrow(TypeError)
        expect(() => each.verify(publicKey, msg, wrong)).toThrow(TypeError)
        expect(() => each.openMessage(wrong, msg)).toThrow(TypeError)
      }
    }
  })
})

describe('keys that nobody can own', () => {
  test.each(lowOrder)('u = %s gives no shared key and verifies nothing', (u) => {
    for (const coordinate of [u, u + P].filter((each) => each < 2n ** 255n)) {
      for (const unusedBit of [0, 0x80]) {
        const key = numberToBytesLE(coordinate, 32)
        key[31]! |= unusedBit
        expect(() => ours.sharedKey(secretKey, key)).toThrow('low order')
        expect(() => ours.verify(key, msg, signature)).toThrow('bad signature')
        expect(ours.openMessage(key, ours.signMessage(secretKey, msg))).toBeNull()
      }
    }
  })

  test('a signature forged under the key of order 2, which the original accepts, is refused', () => {
    const key = new Uint8Array(32)
    // With A of order 2 and an even challenge, R = sB verifies whatever the message is; half of all s will do.
    const forged = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n].map((s) => {
      const forgery = new Uint8Array(64)
      forgery.set(ed25519.Point.BASE.multiply(s).toBytes())
      forgery.set(numberToBytesLE(s, 32), 32)
      return forgery
    })
    expect(forged.some((each) => original.verify(key, msg, each))).toBe(true)
    for (const each of forged) expect(() => ours.verify(key, msg, each)).toThrow('bad signature')
  })

  test('a coordinate of the twist has no Edwards point and verifies nothing', () => {
    const twist = numberToBytesLE(2n, 32)
    expect(() => ed25519.Point.fromBytes(edwardsBytes(2n))).toThrow()
    expect(() => ours.verify(twist, msg, signature)).toThrow('bad signature')
  })

  test('a public key not reduced modulo p is refused by verify, and used as X25519 says by sharedKey', () => {
    const unreduced = numberToBytesLE(9n + P, 32)
    expect(() => ours.verify(unreduced, msg, signature)).toThrow('bad signature')
    expect(ours.sharedKey(secretKey, unreduced)).toEqual(publicKey)
  })
})

describe('signatures outside their range', () => {
  test('s + L, which the original accepts as a second signature, is refused', () => {
    const s = Uint8Array.from(signature.subarray(32))
    const sign = s[31]! & 0x80
    s[31]! &= 0x7f
    const malleated = Uint8Array.from(signature)
    malleated.set(numberToBytesLE(bytesToNumberLE(s) + L, 32), 32)
    malleated[63]! |= sign
    expect(original.verify(publicKey, msg, malleated)).toBe(true)
    expect(() => ours.verify(publicKey, msg, malleated)).toThrow('bad signature')
  })

  test('all zeros, all ones and a non-canonical R are refused', () => {
    const nonCanonical = Uint8Array.from(signature)
    nonCanonical.set(numberToBytesLE(P + 1n, 32))
    for (const each of [new Uint8Array(64), new Uint8Array(64).fill(0xff), nonCanonical]) {
      expect(() => ours.verify(publicKey, msg, each)).toThrow('bad signature')
    }
  })

  test('a signed message shorter than a signature opens to null', () => {
    for (const length of [0, 1, 63]) expect(ours.openMessage(publicKey, new Uint8Array(length))).toBeNull()
  })
})

function edwardsBytes(u: bigint): Uint8Array {
  const { Fp } = ed25519.Point
  return numberToBytesLE(Fp.div(Fp.sub(u, 1n), Fp.add(u, 1n)), 32)
}
