import { createHmac, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type BinaryNode, Curve, configureSuccessfulPairing, proto } from '@whiskeysockets/baileys'
import { SenderKeyMessage } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-message.js'
import { describe, expect, test } from 'vitest'
import { libsignalCurve, resolvedByLibsignal } from './implementations.ts'

function flipped(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes)
  copy[0]! ^= 1
  return copy
}

describe('libsignal', () => {
  test('the package it loads as curve25519-js is the drop-in', () => {
    // By its text: node_modules may be another checkout's.
    const dropIn = new URL('../../connector/curve25519-js/index.js', import.meta.url)
    expect(readFileSync(resolvedByLibsignal, 'utf8')).toBe(readFileSync(dropIn, 'utf8'))
  })

  test('a key pair it makes signs, verifies and agrees', () => {
    const alice = libsignalCurve.generateKeyPair()
    const bob = libsignalCurve.generateKeyPair()
    const msg = randomBytes(40)
    const signature = libsignalCurve.calculateSignature(alice.privKey, msg)
    expect(libsignalCurve.getPublicFromPrivateKey(alice.privKey)).toEqual(alice.pubKey)
    expect(libsignalCurve.verifySignature(alice.pubKey, msg, signature)).toBe(true)
    expect(libsignalCurve.calculateAgreement(alice.pubKey, bob.privKey)).toEqual(
      libsignalCurve.calculateAgreement(bob.pubKey, alice.privKey),
    )
  })

  test('its verifySignature throws on a bad signature', () => {
    const { pubKey, privKey } = libsignalCurve.generateKeyPair()
    const signature = libsignalCurve.calculateSignature(privKey, Buffer.from('one'))
    expect(() => libsignalCurve.verifySignature(pubKey, Buffer.from('two'), signature)).toThrow('bad signature')
  })

  test('its verifySignature still checks nothing when told the session is being started', () => {
    const { pubKey } = libsignalCurve.generateKeyPair()
    expect(libsignalCurve.verifySignature(pubKey, Buffer.from('anything'), Buffer.alloc(64), true)).toBe(true)
  })
})

describe('Baileys', () => {
  test('Curve.verify returns true on a good signature and false on a bad one', () => {
    const pair = Curve.generateKeyPair()
    const msg = randomBytes(40)
    const signature = Curve.sign(pair.private, msg)
    expect(Curve.verify(pair.public, msg, signature)).toBe(true)
    expect(Curve.verify(pair.public, msg, flipped(signature))).toBe(false)
    expect(Curve.verify(pair.public, flipped(msg), signature)).toBe(false)
    expect(Curve.verify(Curve.generateKeyPair().public, msg, signature)).toBe(false)
    expect(Curve.verify(pair.public, msg, signature.subarray(1))).toBe(false)
  })

  test('a group message verifies under its sender key and is refused under another', () => {
    const signer = libsignalCurve.generateKeyPair()
    const sent = new SenderKeyMessage(7, 0, randomBytes(32), signer.privKey)
    const received = new SenderKeyMessage(null, null, null, null, sent.serialize())
    expect(() => received.verifySignature(signer.pubKey)).not.toThrow()
    expect(() => received.verifySignature(libsignalCurve.generateKeyPair().pubKey)).toThrow('bad signature')
  })

  test('pairing succeeds when the account signed the new device', () => {
    const { stanza, creds } = pairSuccess((signature) => signature)
    expect(configureSuccessfulPairing(stanza, creds).creds.account?.deviceSignature).toHaveLength(64)
  })

  test('pairing is refused when the account signature is forged', () => {
    const { stanza, creds } = pairSuccess(flipped)
    expect(() => configureSuccessfulPairing(stanza, creds)).toThrow('Failed to verify account signature')
  })
})

/** WhatsApp's pair-success stanza for a fresh device, its account signature passed through `tamper`. */
function pairSuccess(tamper: (signature: Buffer) => Uint8Array) {
  const account = Curve.generateKeyPair()
  const device = Curve.generateKeyPair()
  const advSecret = randomBytes(32)
  const details = proto.ADVDeviceIdentity.encode({ rawId: 1, timestamp: 1_700_000_000, keyIndex: 1 }).finish()
  const signed = Buffer.concat([Buffer.from([6, 0]), details, device.public])
  const identity = proto.ADVSignedDeviceIdentity.encode({
    details,
    accountSignatureKey: account.public,
    accountSignature: tamper(Curve.sign(account.private, signed) as Buffer),
  }).finish()
  const content = proto.ADVSignedDeviceIdentityHMAC.encode({
    details: identity,
    hmac: createHmac('sha256', advSecret).update(identity).digest(),
  }).finish()
  const stanza: BinaryNode = {
    tag: 'iq',
    attrs: { id: '1', type: 'set' },
    content: [
      {
        tag: 'pair-success',
        attrs: {},
        content: [
          { tag: 'device-identity', attrs: {}, content },
          { tag: 'device', attrs: { jid: '31600000000:1@s.whatsapp.net', lid: '1000000000000:1@lid' } },
          { tag: 'platform', attrs: { name: 'android' } },
        ],
      },
    ],
  }
  return {
    stanza,
    creds: { advSecretKey: advSecret.toString('base64'), signedIdentityKey: device, signalIdentities: [] },
  }
}
