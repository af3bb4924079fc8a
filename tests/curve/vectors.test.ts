import { ed25519 } from '@noble/curves/ed25519.js'
import { describe, expect, test } from 'vitest'
import { ours } from './implementations.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('RFC 7748, X25519', () => {
  test.each([
    {
      scalar: 'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
      u: 'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
      result: 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
    },
    {
      scalar: '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
      u: 'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
      result: '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
    },
  ])('section 5.2: $scalar times its coordinate', ({ scalar, u, result }) => {
    expect(toHex(ours.sharedKey(hex(scalar), hex(u)))).toBe(result)
  })

  test('section 5.2: the iterated vector, after 1 and after 1000 rounds', () => {
    let scalar = hex('09'.padEnd(64, '0'))
    let u = scalar
    for (let round = 1; round <= 1000; round++) {
      const next = ours.sharedKey(scalar, u)
      u = scalar
      scalar = next
      if (round === 1) expect(toHex(scalar)).toBe('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079')
    }
    expect(toHex(scalar)).toBe('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51')
  })

  test('section 6.1: Alice and Bob agree', () => {
    const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')
    const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb')
    const alicePublic = '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'
    const bobPublic = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'
    const secret = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'
    expect(toHex(ours.generateKeyPair(alice).public)).toBe(alicePublic)
    expect(toHex(ours.generateKeyPair(bob).public)).toBe(bobPublic)
    expect(toHex(ours.sharedKey(alice, hex(bobPublic)))).toBe(secret)
    expect(toHex(ours.sharedKey(bob, hex(alicePublic)))).toBe(secret)
  })
})

describe('XEdDSA', () => {
  // libsignal's test_signature: Alice's identity key signs her (type-prefixed) ephemeral key.
  const aliceIdentity = hex('ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64')
  const aliceIdentitySecret = hex('c097248412e58bf05df487968205132794178e367637f5818f81e0e6ce73e865')
  const aliceEphemeral = hex('05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a')
  const aliceSignature = hex(
    '5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfbede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88',
  )

  test("libsignal's published signature verifies under its published key", () => {
    expect(toHex(ours.generateKeyPair(aliceIdentitySecret).public)).toBe(toHex(aliceIdentity))
    expect(ours.verify(aliceIdentity, aliceEphemeral, aliceSignature)).toBe(true)
  })

  test("libsignal's published signature is refused with any one byte changed", () => {
    for (let index = 0; index < 64; index++) {
      const changed = Uint8Array.from(aliceSignature)
      changed[index]! ^= 1
      expect(() => ours.verify(aliceIdentity, aliceEphemeral, changed)).toThrow('bad signature')
    }
  })

  // RFC 8032 section 7.1, with the key carried over to Montgomery form and its sign bit to the signature's last byte.
  test.each([
    {
      name: 'TEST 1',
      key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      msg: '',
      signature:
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    },
    {
      name: 'TEST 2',
      key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      msg: '72',
      signature:
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    },
    {
      name: 'TEST 3',
      key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      msg: 'af82',
      signature:
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    },
  ])('RFC 8032 $name verifies in its Montgomery form', ({ key, msg, signature }) => {
    const montgomery = ed25519.utils.toMontgomery(hex(key))
    const carried = hex(signature)
    carried[63]! |= hex(key)[31]! & 0x80
    expect(ours.verify(montgomery, hex(msg), carried)).toBe(true)
  })
})
