import {
  createCipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'

const PROTOCOL = Buffer.from('Noise_XX_25519_AESGCM_SHA256\0\0\0\0')
const X25519_PUBLIC_DER = Buffer.from('302a300506032b656e032100', 'hex')

/** An X25519 key pair as node:crypto makes it, so that nothing here rests on the code under test. */
export interface NoiseKeyPair {
  readonly publicKey: Buffer
  readonly privateKey: KeyObject
}

export function noiseKeyPair(): NoiseKeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519')
  return { publicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32), privateKey }
}

export interface ServerHello {
  readonly ephemeral: Buffer
  readonly static: Buffer
  readonly payload: Buffer
}

/**
 * The responder's one message of a Noise XX handshake (`<- e, ee, s, es`): the server's ephemeral key, its static key
 * encrypted, and the encrypted certificate chain.
 */
export function serverHello(input: {
  prologue: Uint8Array
  clientEphemeral: Uint8Array
  staticKeyPair: NoiseKeyPair
  certificateChain: Uint8Array
}): ServerHello {
  const ephemeral = noiseKeyPair()
  const client = createPublicKey({
    key: Buffer.concat([X25519_PUBLIC_DER, input.clientEphemeral]),
    format: 'der',
    type: 'spki',
  })
  let hash: Buffer = PROTOCOL
  let chainingKey: Buffer = PROTOCOL
  let key: Buffer = PROTOCOL

  const mixHash = (data: Uint8Array): void => {
    hash = createHash('sha256').update(hash).update(data).digest()
  }
  const mixKey = (privateKey: KeyObject): void => {
    const secret = diffieHellman({ privateKey, publicKey: client })
    const derived = Buffer.from(hkdfSync('sha256', secret, chainingKey, '', 64))
    chainingKey = derived.subarray(0, 32)
    key = derived.subarray(32)
  }
  // Every key of this message encrypts once, so the nonce is always zero.
  const encryptAndHash = (plaintext: Uint8Array): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12)).setAAD(hash)
    const sealed = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
    mixHash(sealed)
    return sealed
  }

  mixHash(input.prologue)
  mixHash(input.clientEphemeral)
  mixHash(ephemeral.publicKey)
  mixKey(ephemeral.privateKey)
  const encryptedStatic = encryptAndHash(input.staticKeyPair.publicKey)
  mixKey(input.staticKeyPair.privateKey)
  return { ephemeral: ephemeral.publicKey, static: encryptedStatic, payload: encryptAndHash(input.certificateChain) }
}
