/**
 * The signed device identity: the account vouches for a companion's identity key, and the companion signs in turn. It is
 * made when a device is linked, and travels with every first message of a companion, so that recipients can check it.
 */

import { proto } from '@whiskeysockets/baileys'
import { sign, verify } from './curve.ts'

const ACCOUNT_SIGNATURE_PREFIX = Buffer.from([6, 0])
const DEVICE_SIGNATURE_PREFIX = Buffer.from([6, 1])

/** Public keys of 32 bytes. */
export interface IdentityKeys {
  account: Buffer
  companion: Buffer
}

/** The account's signature over the details and the companion's identity key. */
export function signAsAccount(privateKey: Buffer, details: Buffer, companionKey: Buffer): Buffer {
  return sign(privateKey, ACCOUNT_SIGNATURE_PREFIX, details, companionKey)
}

/** The details that the companion signed, or undefined if its signature, or a part of it, is missing or wrong. */
export function verifiedByDevice(encoded: Buffer, keys: IdentityKeys): Buffer | undefined {
  const { details, deviceSignature } = proto.ADVSignedDeviceIdentity.decode(encoded)
  if (!details || !deviceSignature) return undefined
  const signed = [DEVICE_SIGNATURE_PREFIX, details, keys.companion, keys.account]
  return verify(keys.companion, deviceSignature, ...signed) ? Buffer.from(details) : undefined
}

/** True if both signatures hold, which is what the recipient of a companion's first message asks. */
export function identityHolds(encoded: Buffer, keys: IdentityKeys): boolean {
  const details = verifiedByDevice(encoded, keys)
  const { accountSignature } = proto.ADVSignedDeviceIdentity.decode(encoded)
  if (!details || !accountSignature) return false
  return verify(keys.account, accountSignature, ACCOUNT_SIGNATURE_PREFIX, details, keys.companion)
}
