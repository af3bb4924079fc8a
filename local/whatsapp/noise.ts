/**
 * The server's side of Noise_XX_25519_AESGCM_SHA256 as WhatsApp frames it: three handshake messages in protobuf, then
 * AES-256-GCM with one key and one counter for each direction.
 */

import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { ProtocolError } from './binary-node.ts'
import type { ServerIdentity } from './certificates.ts'
import { generateKeyPair, sharedSecret } from './curve.ts'

const PROTOCOL_NAME = Buffer.from('Noise_XX_25519_AESGCM_SHA256\0\0\0\0')
/** `WA`, protocol 6, dictionary 3: what a client writes before its first frame, and the prologue of the handshake. */
export const CLIENT_INTRO = Buffer.from([0x57, 0x41, 0x06, 0x03])

const TAG_BYTES = 16
const NONCE_BYTES = 12
const KEY_BYTES = 32
const EMPTY = Buffer.alloc(0)

function nonce(counter: number): Buffer {
  const bytes = Buffer.alloc(NONCE_BYTES)
  bytes.writeUInt32BE(counter, NONCE_BYTES - 4)
  return bytes
}

function seal(key: Buffer, counter: number, additional: Buffer, plaintext: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce(counter))
  cipher.setAAD(additional)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function open(key: Buffer, counter: number, additional: Buffer, sealed: Uint8Array): Buffer {
  if (sealed.length < TAG_BYTES) throw new ProtocolError('a Noise ciphertext is shorter than its tag')
  const decipher = createDecipheriv('aes-256-gcm', key, nonce(counter))
  decipher.setAAD(additional)
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES)), decipher.final()])
}

function expand(inputKey: Buffer, salt: Buffer): [Buffer, Buffer] {
  const bytes = Buffer.from(hkdfSync('sha256', inputKey, salt, EMPTY, 2 * KEY_BYTES))
  return [bytes.subarray(0, KEY_BYTES), bytes.subarray(KEY_BYTES)]
}

/** What the third handshake message proves and says: the client's long-lived Noise key, and its login payload. */
export interface ClientIntroduction {
  noiseKey: Buffer
  payload: proto.ClientPayload
  transport: NoiseTransport
}

/** The handshake, one message after the other; a message that does not authenticate throws. */
export class NoiseHandshake {
  readonly #identity: ServerIdentity
  readonly #ephemeral = generateKeyPair()
  #hash: Buffer = PROTOCOL_NAME
  #chainingKey: Buffer = PROTOCOL_NAME
  #key: Buffer = PROTOCOL_NAME
  #counter = 0

  constructor(identity: ServerIdentity) {
    this.#identity = identity
    this.#mixHash(CLIENT_INTRO)
  }

  /** Takes the client's hello and returns the answer to write. */
  answerHello(frame: Uint8Array): Uint8Array {
    const clientEphemeral = proto.HandshakeMessage.decode(frame).clientHello?.ephemeral
    if (clientEphemeral?.length !== KEY_BYTES) throw new ProtocolError('clientHello needs an ephemeral of 32 bytes')
    this.#mixHash(clientEphemeral)
    this.#mixHash(this.#ephemeral.publicKey)
    this.#mixKey(sharedSecret(this.#ephemeral.privateKey, clientEphemeral))
    const { staticKey, certificateChain } = this.#identity
    const sealedStatic = this.#encrypt(staticKey.publicKey)
    this.#mixKey(sharedSecret(staticKey.privateKey, clientEphemeral))
    const payload = this.#encrypt(certificateChain)
    return proto.HandshakeMessage.encode({
      serverHello: { ephemeral: this.#ephemeral.publicKey, static: sealedStatic, payload },
    }).finish()
  }

  acceptFinish(frame: Uint8Array): ClientIntroduction {
    const finish = proto.HandshakeMessage.decode(frame).clientFinish
    if (!finish?.static || !finish.payload) throw new ProtocolError('clientFinish needs static and payload')
    const noiseKey = this.#decrypt(finish.static)
    this.#mixKey(sharedSecret(this.#ephemeral.privateKey, noiseKey))
    const payload = proto.ClientPayload.decode(this.#decrypt(finish.payload))
    const [fromClient, toClient] = expand(EMPTY, this.#chainingKey)
    return { noiseKey, payload, transport: new NoiseTransport(fromClient, toClient) }
  }

  #mixHash(data: Uint8Array): void {
    this.#hash = createHash('sha256').update(this.#hash).update(data).digest()
  }

  #mixKey(inputKey: Buffer): void {
    ;[this.#chainingKey, this.#key] = expand(inputKey, this.#chainingKey)
    this.#counter = 0
  }

  #encrypt(plaintext: Uint8Array): Buffer {
    const sealed = seal(this.#key, this.#counter++, this.#hash, plaintext)
    this.#mixHash(sealed)
    return sealed
  }

  #decrypt(sealed: Uint8Array): Buffer {
    const plaintext = open(this.#key, this.#counter++, this.#hash, sealed)
    this.#mixHash(sealed)
    return plaintext
  }
}

/** The channel after the handshake. */
export class NoiseTransport {
  readonly #fromClient: Buffer
  readonly #toClient: Buffer
  #received = 0
  #sent = 0

  constructor(fromClient: Buffer, toClient: Buffer) {
    this.#fromClient = fromClient
    this.#toClient = toClient
  }

  encrypt(plaintext: Uint8Array): Buffer {
    return seal(this.#toClient, this.#sent++, EMPTY, plaintext)
  }

  decrypt(sealed: Uint8Array): Buffer {
    return open(this.#fromClient, this.#received++, EMPTY, sealed)
  }
}
