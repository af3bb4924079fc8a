/**
 * A simulated phone's Signal side: a real identity, prekeys and sessions in libsignal. Sessions are kept in serialized
 * form, so that a ciphertext which fails to decrypt leaves no trace in them.
 */

import { ProtocolAddress, SessionBuilder, SessionRecord, type SignalStorage } from 'libsignal'
import {
  generateKeyPair,
  type KeyPair,
  type KeyPairRecord,
  keyPairFromRecord,
  keyPairRecord,
  sign,
  typedPublicKey,
} from './curve.ts'
import type { DeviceAddress } from './jids.ts'
import { PhoneSessionCipher } from './session-cipher.ts'

/** What a peer needs to open a session: 32 byte public keys. The one-time key is missing once a device ran out. */
export interface PreKeyBundle {
  registrationId: number
  identityKey: Buffer
  signedPreKey: { keyId: number; publicKey: Buffer; signature: Buffer }
  preKey: { keyId: number; publicKey: Buffer } | undefined
}

export type CiphertextType = 'pkmsg' | 'msg'

export interface Ciphertext {
  type: CiphertextType
  body: Buffer
}

export interface SignalIdentityRecord {
  identity: KeyPairRecord
  registrationId: number
  signedPreKey: { pair: KeyPairRecord; signature: string }
  preKeys: [number, KeyPairRecord][]
  nextPreKeyId: number
}

/** By peer device; what libsignal's SessionRecord serializes to. */
export type SessionRecords = [string, unknown][]

const SIGNED_PRE_KEY_ID = 1
const PRE_KEY_WHISPER_MESSAGE = 3
const PRE_KEY_ID_MAX = 0xff_ff_ff

/** libsignal's records serialize to plain JSON objects, whatever its type declarations say. */
type SerializedSession = ReturnType<SessionRecord['serialize']>

export interface SignalIdentityOptions {
  /** Names this phone in libsignal's job queue, which is one for the whole process. */
  owner: string
  onKeysChanged: () => void
  onSessionsChanged: () => void
}

export class SignalIdentity {
  readonly #options: SignalIdentityOptions
  readonly identity: KeyPair
  readonly registrationId: number
  readonly #signedPreKey: { pair: KeyPair; signature: Buffer }
  readonly #preKeys: Map<number, KeyPair>
  #nextPreKeyId: number
  readonly #sessions: Map<string, SerializedSession>

  constructor(options: SignalIdentityOptions, record?: SignalIdentityRecord, sessions: SessionRecords = []) {
    this.#options = options
    this.identity = record ? keyPairFromRecord(record.identity) : generateKeyPair()
    this.registrationId = record?.registrationId ?? 1 + (this.identity.publicKey.readUInt16BE(0) & 0x3ffe)
    if (record) {
      const { pair, signature } = record.signedPreKey
      this.#signedPreKey = { pair: keyPairFromRecord(pair), signature: Buffer.from(signature, 'base64') }
    } else {
      const pair = generateKeyPair()
      const signature = sign(this.identity.privateKey, typedPublicKey(pair.publicKey))
      this.#signedPreKey = { pair, signature }
    }
    this.#preKeys = new Map(record?.preKeys.map(([id, pair]) => [id, keyPairFromRecord(pair)]))
    this.#nextPreKeyId = record?.nextPreKeyId ?? 1
    this.#sessions = new Map(sessions as [string, SerializedSession][])
  }

  /** A bundle with a one-time key that no one else was given. */
  takeBundle(): PreKeyBundle & { preKey: { keyId: number; publicKey: Buffer } } {
    const keyId = this.#nextPreKeyId
    this.#nextPreKeyId = keyId >= PRE_KEY_ID_MAX ? 1 : keyId + 1
    const pair = generateKeyPair()
    this.#preKeys.set(keyId, pair)
    this.#options.onKeysChanged()
    return {
      registrationId: this.registrationId,
      identityKey: this.identity.publicKey,
      signedPreKey: {
        keyId: SIGNED_PRE_KEY_ID,
        publicKey: this.#signedPreKey.pair.publicKey,
        signature: this.#signedPreKey.signature,
      },
      preKey: { keyId, publicKey: pair.publicKey },
    }
  }

  hasSession(peer: DeviceAddress): boolean {
    const session = this.#sessions.get(this.#address(peer).toString())
    return session !== undefined && SessionRecord.deserialize(session).haveOpenSession()
  }

  /** Opens a session from a peer's bundle; one that is open already is closed for sending. */
  async startSession(peer: DeviceAddress, bundle: PreKeyBundle): Promise<void> {
    const { registrationId, identityKey, signedPreKey, preKey } = bundle
    const session = {
      registrationId,
      identityKey: typedPublicKey(identityKey),
      signedPreKey: { ...signedPreKey, publicKey: typedPublicKey(signedPreKey.publicKey) },
      ...(preKey ? { preKey: { keyId: preKey.keyId, publicKey: typedPublicKey(preKey.publicKey) } } : {}),
    }
    // libsignal takes a bundle without a one-time key; its type declarations ask for one.
    type E2ESession = Parameters<SessionBuilder['initOutgoing']>[0]
    await new SessionBuilder(this.#storage, this.#address(peer)).initOutgoing(session as E2ESession)
  }

  async encrypt(peer: DeviceAddress, plaintext: Buffer): Promise<Ciphertext> {
    const { type, body } = await new PhoneSessionCipher(this.#storage, this.#address(peer)).encrypt(plaintext)
    return { type: type === PRE_KEY_WHISPER_MESSAGE ? 'pkmsg' : 'msg', body: Buffer.from(body, 'binary') }
  }

  /** Throws what libsignal throws for a ciphertext that it can't decrypt. */
  async decrypt(peer: DeviceAddress, type: CiphertextType, body: Buffer): Promise<Buffer> {
    const cipher = new PhoneSessionCipher(this.#storage, this.#address(peer))
    return type === 'pkmsg' ? cipher.decryptPreKeyWhisperMessage(body) : cipher.decryptWhisperMessage(body)
  }

  /** The numbers that this phone has a session with. */
  peers(): Set<string> {
    const prefix = `${this.#options.owner}-`
    return new Set([...this.#sessions.keys()].map((address) => address.slice(prefix.length).split('.')[0] ?? ''))
  }

  /** As a phone that was restored without its sessions: the next `msg` of the peer does not decrypt. */
  forgetSessions(phoneNumber: string): void {
    for (const address of this.#sessions.keys()) {
      if (address.startsWith(`${this.#options.owner}-${phoneNumber}.`)) this.#sessions.delete(address)
    }
    this.#options.onSessionsChanged()
  }

  record(): SignalIdentityRecord {
    return {
      identity: keyPairRecord(this.identity),
      registrationId: this.registrationId,
      signedPreKey: {
        pair: keyPairRecord(this.#signedPreKey.pair),
        signature: this.#signedPreKey.signature.toString('base64'),
      },
      preKeys: [...this.#preKeys].map(([id, pair]) => [id, keyPairRecord(pair)]),
      nextPreKeyId: this.#nextPreKeyId,
    }
  }

  sessionRecords(): SessionRecords {
    return [...this.#sessions]
  }

  #address(peer: DeviceAddress): ProtocolAddress {
    return new ProtocolAddress(`${this.#options.owner}-${peer.phoneNumber}`, peer.device)
  }

  readonly #storage: SignalStorage = {
    loadSession: async (address) => {
      const session = this.#sessions.get(address)
      return session === undefined ? undefined : SessionRecord.deserialize(session)
    },
    storeSession: async (address, session) => {
      this.#sessions.set(address, session.serialize())
      this.#options.onSessionsChanged()
    },
    isTrustedIdentity: () => true,
    loadPreKey: async (id) => {
      const pair = this.#preKeys.get(Number(id))
      return pair && { privKey: pair.privateKey, pubKey: typedPublicKey(pair.publicKey) }
    },
    removePreKey: (id) => {
      this.#preKeys.delete(id)
      this.#options.onKeysChanged()
    },
    loadSignedPreKey: () => {
      const { pair } = this.#signedPreKey
      return { privKey: pair.privateKey, pubKey: typedPublicKey(pair.publicKey) }
    },
    getOurRegistrationId: () => this.registrationId,
    getOurIdentity: () => ({
      privKey: this.identity.privateKey,
      pubKey: typedPublicKey(this.identity.publicKey),
    }),
  }
}
