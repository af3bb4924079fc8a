import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** What both packages export; only `verify` differs, in that ours never returns false. */
export interface Curve25519 {
  sharedKey(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array
  generateKeyPair(seed: Uint8Array): { public: Uint8Array; private: Uint8Array }
  sign(secretKey: Uint8Array, msg: Uint8Array, random?: Uint8Array | null): Uint8Array
  signMessage(secretKey: Uint8Array, msg: Uint8Array, random?: Uint8Array | null): Uint8Array
  openMessage(publicKey: Uint8Array, signedMsg: Uint8Array): Uint8Array | null
  verify(publicKey: Uint8Array, msg: Uint8Array, signature: Uint8Array): boolean
}

/** The npm package curve25519-js 0.0.4. */
export const original: Curve25519 = require('curve25519-js-original')

/** The drop-in, by the name and the way libsignal loads it. */
export const ours: Curve25519 = require('curve25519-js')

/** The part of libsignal's curve module that Baileys uses. Public keys are 33 bytes: a type byte 5, then the key. */
export const libsignalCurve: {
  generateKeyPair(): { pubKey: Buffer; privKey: Buffer }
  getPublicFromPrivateKey(privKey: Uint8Array): Buffer
  calculateSignature(privKey: Uint8Array, msg: Uint8Array): Buffer
  calculateAgreement(pubKey: Uint8Array, privKey: Uint8Array): Buffer
  verifySignature(pubKey: Uint8Array, msg: Uint8Array, sig: Uint8Array, isInit?: boolean): boolean
} = require('libsignal/src/curve.js')

/** The path libsignal itself resolves for curve25519-js. */
export const resolvedByLibsignal: string = createRequire(require.resolve('libsignal')).resolve('curve25519-js')
