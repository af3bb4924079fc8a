/** Prekeys on the wire: uploads, bundles and the keys in a retry receipt share these elements. */

import { type BinaryNode, bigEndian, child, childBytes, node, requiredBytes } from './binary-node.ts'
import type { DeviceKeys } from './companion-device.ts'
import type { PreKeyBundle } from './signal-identity.ts'

const PUBLIC_KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const KEY_ID_BYTES = 3
const REGISTRATION_BYTES = 4

export function keyNode(keyId: number, publicKey: Buffer): BinaryNode {
  return node('key', {}, [node('id', {}, bigEndian(keyId, KEY_ID_BYTES)), node('value', {}, publicKey)])
}

function signedKeyNode({ keyId, publicKey, signature }: DeviceKeys['signedPreKey']): BinaryNode {
  return node('skey', {}, [
    node('id', {}, bigEndian(keyId, KEY_ID_BYTES)),
    node('value', {}, publicKey),
    node('signature', {}, signature),
  ])
}

/** The content of `<user>` in the answer to a bundle query. */
export function bundleNodes(bundle: PreKeyBundle, keyType: Buffer): BinaryNode[] {
  const { registrationId, identityKey, signedPreKey, preKey } = bundle
  return [
    node('registration', {}, bigEndian(registrationId, REGISTRATION_BYTES)),
    node('type', {}, keyType),
    node('identity', {}, identityKey),
    signedKeyNode(signedPreKey),
    ...(preKey ? [keyNode(preKey.keyId, preKey.publicKey)] : []),
  ]
}

/** `<keys>` of a retry receipt; its registration id stands beside it. */
export function retryKeys(bundle: PreKeyBundle, keyType: Buffer): BinaryNode {
  return node('keys', {}, bundleNodes(bundle, keyType).slice(1))
}

export function readKey(element: BinaryNode): [number, Buffer] {
  return [
    requiredBytes(element, 'id', KEY_ID_BYTES).readUIntBE(0, KEY_ID_BYTES),
    requiredBytes(element, 'value', PUBLIC_KEY_BYTES),
  ]
}

export function readSignedKey(element: BinaryNode): DeviceKeys['signedPreKey'] {
  const [keyId, publicKey] = readKey(element)
  return { keyId, publicKey, signature: requiredBytes(element, 'signature', SIGNATURE_BYTES) }
}

/** The bundle that a companion's retry receipt brings along, if it does. */
export function bundleFromRetry(receipt: BinaryNode): PreKeyBundle | undefined {
  const keys = child(receipt, 'keys')
  const signed = child(keys, 'skey')
  const registration = childBytes(receipt, 'registration')
  if (!keys || !signed || registration?.length !== REGISTRATION_BYTES) return undefined
  const oneTime = child(keys, 'key')
  const [keyId, publicKey] = oneTime ? readKey(oneTime) : []
  return {
    registrationId: registration.readUInt32BE(0),
    identityKey: requiredBytes(keys, 'identity', PUBLIC_KEY_BYTES),
    signedPreKey: readSignedKey(signed),
    preKey: keyId === undefined || publicKey === undefined ? undefined : { keyId, publicKey },
  }
}
