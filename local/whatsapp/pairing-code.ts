/**
 * The cryptography of linking by code: both sides prove with PBKDF2 of the code that they know it, agree on a key by
 * their ephemeral keys, and derive the adv secret from that and their identities.
 */

import { createCipheriv, createDecipheriv, hkdfSync, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { type KeyPair, sharedSecret } from './curve.ts'

const CODE_ITERATIONS = 131_072
const SALT_BYTES = 32
const CTR_IV_BYTES = 16
const GCM_IV_BYTES = 12
const GCM_TAG_BYTES = 16
const KEY_BYTES = 32
const BUNDLE_KEY_INFO = 'link_code_pairing_key_bundle_encryption_key'

/** Salt, IV and the encrypted ephemeral public key. */
export const WRAPPED_KEY_BYTES = SALT_BYTES + CTR_IV_BYTES + KEY_BYTES

const derive = promisify(pbkdf2)

function hkdf(inputKey: Buffer, salt: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', inputKey, salt, info, KEY_BYTES))
}

export async function wrapWithCode(code: string, publicKey: Buffer): Promise<Buffer> {
  const salt = randomBytes(SALT_BYTES)
  const iv = randomBytes(CTR_IV_BYTES)
  const cipher = createCipheriv('aes-256-ctr', await derive(code, salt, CODE_ITERATIONS, KEY_BYTES, 'sha256'), iv)
  return Buffer.concat([salt, iv, cipher.update(publicKey), cipher.final()])
}

/** A wrong code gives other bytes, not an error: it shows when the key bundle does not open. */
export async function unwrapWithCode(code: string, wrapped: Buffer): Promise<Buffer> {
  const key = await derive(code, wrapped.subarray(0, SALT_BYTES), CODE_ITERATIONS, KEY_BYTES, 'sha256')
  const decipher = createDecipheriv('aes-256-ctr', key, wrapped.subarray(SALT_BYTES, SALT_BYTES + CTR_IV_BYTES))
  return Buffer.concat([decipher.update(wrapped.subarray(SALT_BYTES + CTR_IV_BYTES)), decipher.final()])
}

/** What both sides bring; public keys of 32 bytes. */
export interface CodeExchange {
  ephemeral: KeyPair
  identity: KeyPair
  companionEphemeral: Buffer
  companionIdentity: Buffer
}

/** The adv secret, or undefined if the client's key bundle does not open or names other identities: a wrong code. */
export function openKeyBundle(bundle: Buffer, exchange: CodeExchange): Buffer | undefined {
  const { ephemeral, identity, companionEphemeral, companionIdentity } = exchange
  try {
    const shared = sharedSecret(ephemeral.privateKey, companionEphemeral)
    const key = hkdf(shared, bundle.subarray(0, SALT_BYTES), BUNDLE_KEY_INFO)
    const sealed = bundle.subarray(SALT_BYTES + GCM_IV_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', key, bundle.subarray(SALT_BYTES, SALT_BYTES + GCM_IV_BYTES))
    decipher.setAuthTag(sealed.subarray(sealed.length - GCM_TAG_BYTES))
    const opened = Buffer.concat([decipher.update(sealed.subarray(0, -GCM_TAG_BYTES)), decipher.final()])
    const expected = Buffer.concat([companionIdentity, identity.publicKey])
    if (!opened.subarray(0, 2 * KEY_BYTES).equals(expected)) return undefined
    const identities = sharedSecret(identity.privateKey, companionIdentity)
    const random = opened.subarray(2 * KEY_BYTES)
    return hkdf(Buffer.concat([shared, identities, random]), Buffer.alloc(KEY_BYTES), 'adv_secret')
  } catch {
    // The bundle does not authenticate.
    return undefined
  }
}
