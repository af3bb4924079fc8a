/** The server's long-lived identity: its Noise key and the certificate chain that leads from the root key to it. */

import { proto } from '@whiskeysockets/baileys'
import { generateKeyPair, type KeyPair, type KeyPairRecord, keyPairFromRecord, keyPairRecord, sign } from './curve.ts'

export interface ServerIdentity {
  rootKey: KeyPair
  staticKey: KeyPair
  /** `CertChain` in protobuf: intermediate signed by the root, leaf signed by the intermediate. */
  certificateChain: Buffer
}

export interface ServerIdentityRecord {
  rootKey: KeyPairRecord
  staticKey: KeyPairRecord
}

const ROOT_SERIAL = 0
const INTERMEDIATE_SERIAL = 1
const LEAF_SERIAL = 2

function certificate(serial: number, issuerSerial: number, key: Buffer, issuer: KeyPair) {
  const details = proto.CertChain.NoiseCertificate.Details.encode({ serial, issuerSerial, key }).finish()
  return { details, signature: sign(issuer.privateKey, details) }
}

function build(rootKey: KeyPair, staticKey: KeyPair): ServerIdentity {
  const intermediateKey = generateKeyPair()
  const certificateChain = proto.CertChain.encode({
    intermediate: certificate(INTERMEDIATE_SERIAL, ROOT_SERIAL, intermediateKey.publicKey, rootKey),
    leaf: certificate(LEAF_SERIAL, INTERMEDIATE_SERIAL, staticKey.publicKey, intermediateKey),
  }).finish()
  return { rootKey, staticKey, certificateChain: Buffer.from(certificateChain) }
}

export function newServerIdentity(): ServerIdentity {
  return build(generateKeyPair(), generateKeyPair())
}

/** The intermediate is made anew at every start; the root, which clients trust, stays. */
export function restoreServerIdentity(record: ServerIdentityRecord): ServerIdentity {
  return build(keyPairFromRecord(record.rootKey), keyPairFromRecord(record.staticKey))
}

export function serverIdentityRecord(identity: ServerIdentity): ServerIdentityRecord {
  return { rootKey: keyPairRecord(identity.rootKey), staticKey: keyPairRecord(identity.staticKey) }
}
