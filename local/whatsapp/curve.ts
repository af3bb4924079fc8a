/**
 * Curve25519 as the wire protocol uses it, straight on libsignal's curve module: Baileys' own `Curve.verify` reports a
 * bad signature as good whenever libsignal answers `false` instead of throwing, so it can't be used to judge a client.
 */

import * as signalCurve from 'libsignal/src/curve.js'

/** Both keys have 32 bytes; the public key carries no type byte. */
export interface KeyPair {
  publicKey: Buffer
  privateKey: Buffer
}

/** A key pair in JSON: both keys in base64. */
export interface KeyPairRecord {
  publicKey: string
  privateKey: string
}

/** The type byte that Signal puts before a Curve25519 public key. */
export const KEY_TYPE = Buffer.from([5])

/** The public key in Signal's 33 byte form. */
export function typedPublicKey(publicKey: Uint8Array): Buffer {
  return publicKey.length === 33 ? Buffer.from(publicKey) : Buffer.concat([KEY_TYPE, publicKey])
}

export function generateKeyPair(): KeyPair {
  const { pubKey, privKey } = signalCurve.generateKeyPair()
  return { publicKey: Buffer.from(pubKey.subarray(1)), privateKey: Buffer.from(privKey) }
}

export function sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Buffer {
  return Buffer.from(signalCurve.calculateAgreement(typedPublicKey(publicKey), Buffer.from(privateKey)))
}

/** XEdDSA signature of 64 bytes over the parts, one after the other. */
export function sign(privateKey: Uint8Array, ...parts: Uint8Array[]): Buffer {
  return Buffer.from(signalCurve.calculateSignature(Buffer.from(privateKey), Buffer.concat(parts)))
}

/** False for a bad signature and for a malformed key alike: libsignal throws for some of these and answers for others. */
export function verify(publicKey: Uint8Array, signature: Uint8Array, ...parts: Uint8Array[]): boolean {
  try {
    return signalCurve.verifySignature(typedPublicKey(publicKey), Buffer.concat(parts), Buffer.from(signature)) === true
  } catch {
    return false
  }
}

export function keyPairRecord(pair: KeyPair): KeyPairRecord {
  return { publicKey: pair.publicKey.toString('base64'), privateKey: pair.privateKey.toString('base64') }
}

export function keyPairFromRecord(record: KeyPairRecord): KeyPair {
  return {
    publicKey: Buffer.from(record.publicKey, 'base64'),
    privateKey: Buffer.from(record.privateKey, 'base64'),
  }
}
