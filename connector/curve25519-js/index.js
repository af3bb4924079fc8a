'use strict'

/**
 * Curve25519 key agreement and XEdDSA signatures with the exports and argument conventions of the npm package
 * `curve25519-js` 0.0.4. Keys are 32 bytes, little-endian Montgomery u-coordinates or scalars (RFC 7748); signatures are
 * 64 bytes, R || s, where the top bit of the last byte carries the sign of the signer's Edwards key. See README.md for
 * where this differs from the original, and why.
 *
 * Sources: RFC 7748 (X25519), RFC 8032 (Ed25519), Signal's "The XEdDSA and VXEdDSA Signature Schemes".
 */

const { createHash, createPrivateKey, createPublicKey, diffieHellman, verify: verifyEd25519 } = require('node:crypto')
const { types } = require('node:util')
const { ed25519 } = require('@noble/curves/ed25519.js')
const { bytesToNumberLE, numberToBytesLE } = require('@noble/curves/utils.js')

const { BASE, Fp, Fn } = ed25519.Point

const KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const RANDOM_BYTES = 64
const SIGN_BIT = 0x80
const GOOD_SIGNATURES_MAX = 64

// RFC 8410: everything in a DER-encoded key of these curves but its last 32 bytes is constant.
const X25519_PRIVATE_DER = Buffer.from('302e020100300506032b656e04220420', 'hex')
const X25519_PUBLIC_DER = Buffer.from('302a300506032b656e032100', 'hex')
const ED25519_PUBLIC_DER = Buffer.from('302a300506032b6570032100', 'hex')

// XEdDSA's hash_1: a prefix no encoded Edwards point or clamped scalar can have, so that the nonce's hash never meets the
// challenge's.
const NONCE_PREFIX = Buffer.concat([Buffer.from([0xfe]), Buffer.alloc(31, 0xff)])

// The u-coordinates of points whose order divides 8, and of u = -1, which has no Edwards counterpart. Nobody holds a
// secret key for them, and under most of them a signature can be made for any message.
const LOW_ORDER_U = new Set([
  0n,
  1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  Fp.ORDER - 1n,
])

function requireBytes(name, value, length) {
  if (!types.isUint8Array(value)) {
    throw new TypeError(`unexpected type of ${name} ${Object.prototype.toString.call(value)}, use Uint8Array`)
  }
  if (length !== undefined && value.length !== length) {
    throw new Error(`wrong ${name} length ${value.length}, expected ${length}`)
  }
}

function clamp(secretKey) {
  const scalar = Uint8Array.from(secretKey)
  scalar[0] &= 248
  scalar[31] = (scalar[31] & 127) | 64
  return scalar
}

function hashToScalar(...parts) {
  const hash = createHash('sha512')
  for (const part of parts) hash.update(part)
  return Fn.create(bytesToNumberLE(hash.digest()))
}

function x25519PrivateKey(bytes) {
  return createPrivateKey({ key: Buffer.concat([X25519_PRIVATE_DER, bytes]), format: 'der', type: 'pkcs8' })
}

/** The Edwards y-coordinate of a Montgomery public key, 32 bytes with a clear sign bit; undefined for a key that no one can own. */
function edwardsKey(publicKey) {
  const masked = Uint8Array.from(publicKey)
  masked[31] &= ~SIGN_BIT // RFC 7748 section 5: the unused bit of a u-coordinate is ignored
  const u = bytesToNumberLE(masked)
  if (u >= Fp.ORDER || LOW_ORDER_U.has(u)) return undefined
  return numberToBytesLE(Fp.div(Fp.sub(u, 1n), Fp.add(u, 1n)), KEY_BYTES)
}

function signatureMatches(publicKey, msg, signature) {
  const key = edwardsKey(publicKey)
  if (key === undefined) return false
  const standard = Uint8Array.from(signature)
  key[31] |= standard[63] & SIGN_BIT
  standard[63] &= ~SIGN_BIT
  const edwards = createPublicKey({ key: Buffer.concat([ED25519_PUBLIC_DER, key]), format: 'der', type: 'spki' })
  return verifyEd25519(null, msg, edwards, standard)
}

/** The X25519 shared secret, 32 bytes. Throws if it is all zeros, which is what a peer's low-order key makes of any secret. */
function sharedKey(secretKey, publicKey) {
  requireBytes('public key', publicKey, KEY_BYTES)
  requireBytes('secret key', secretKey, KEY_BYTES)
  const privateKey = x25519PrivateKey(secretKey)
  const peerKey = createPublicKey({ key: Buffer.concat([X25519_PUBLIC_DER, publicKey]), format: 'der', type: 'spki' })
  let secret
  try {
    secret = diffieHellman({ privateKey, publicKey: peerKey })
  } catch (cause) {
    throw new Error('wrong public key: a point of low order gives no shared key', { cause })
  }
  return new Uint8Array(secret)
}

/** The key pair of a 32-byte random seed: the seed clamped, and its X25519 public key. */
function generateKeyPair(seed) {
  requireBytes('seed', seed, KEY_BYTES)
  const spki = createPublicKey(x25519PrivateKey(seed)).export({ format: 'der', type: 'spki' })
  return { public: new Uint8Array(spki.subarray(-KEY_BYTES)), private: clamp(seed) }
}

/**
 * The 64-byte XEdDSA signature of `msg`. Without `opt_random` (64 bytes) the nonce is derived from key and message alone,
 * and the same input gives the same signature.
 */
function sign(secretKey, msg, opt_random) {
  requireBytes('secret key', secretKey, KEY_BYTES)
  requireBytes('message', msg)
  if (opt_random) requireBytes('random data', opt_random, RANDOM_BYTES)

  const scalarBytes = clamp(secretKey)
  // A clamped scalar is above the group's order; the base point's multiples do not change by reducing it.
  const scalar = Fn.create(bytesToNumberLE(scalarBytes))
  const publicPoint = BASE.multiply(scalar).toBytes()
  const nonce = opt_random ? hashToScalar(NONCE_PREFIX, scalarBytes, msg, opt_random) : hashToScalar(scalarBytes, msg)
  const commitment = BASE.multiply(nonce).toBytes()
  const challenge = hashToScalar(commitment, publicPoint, msg)

  const signature = new Uint8Array(SIGNATURE_BYTES)
  signature.set(commitment)
  signature.set(numberToBytesLE(Fn.add(nonce, Fn.mul(challenge, scalar)), KEY_BYTES), KEY_BYTES)
  signature[63] |= publicPoint[31] & SIGN_BIT
  return signature
}

// The signatures that were good last. A server shows the same certificates at every login.
const goodSignatures = new Set()

function isGood(publicKey, msg, signature) {
  const name = createHash('sha256').update(publicKey).update(signature).update(msg).digest('latin1')
  if (goodSignatures.has(name)) return true
  if (!signatureMatches(publicKey, msg, signature)) return false
  if (goodSignatures.size >= GOOD_SIGNATURES_MAX) goodSignatures.delete(goodSignatures.keys().next().value)
  goodSignatures.add(name)
  return true
}

/** True for a good signature. Throws for a bad one: callers that only catch, such as Baileys, would otherwise accept it. */
function verify(publicKey, msg, signature) {
  requireBytes('message', msg)
  requireBytes('signature', signature, SIGNATURE_BYTES)
  requireBytes('public key', publicKey, KEY_BYTES)
  if (!isGood(publicKey, msg, signature)) {
    throw new Error('bad signature: not made for this message by the holder of this public key')
  }
  return true
}

/** The signature followed by a copy of the message. */
function signMessage(secretKey, msg, opt_random) {
  const signature = sign(secretKey, msg, opt_random)
  const signed = new Uint8Array(SIGNATURE_BYTES + msg.length)
  signed.set(signature)
  signed.set(msg, SIGNATURE_BYTES)
  return signed
}

/** The message of a signed message, or null if its signature is bad. */
function openMessage(publicKey, signedMsg) {
  requireBytes('signed message', signedMsg)
  requireBytes('public key', publicKey, KEY_BYTES)
  if (signedMsg.length < SIGNATURE_BYTES) return null
  const msg = Uint8Array.from(signedMsg.subarray(SIGNATURE_BYTES))
  return signatureMatches(publicKey, msg, signedMsg.subarray(0, SIGNATURE_BYTES)) ? msg : null
}

exports.sharedKey = sharedKey
exports.signMessage = signMessage
exports.openMessage = openMessage
exports.sign = sign
exports.verify = verify
exports.generateKeyPair = generateKeyPair
exports.default = {}
