import { SenderKeyRecord } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-record.js'
import { SessionRecord, type SignalStorage } from 'libsignal'
import type { ConnectionAuthState, SignalChange } from '../auth/auth-state.ts'
import { baileysCreds } from './key-store.ts'
import { recordOf } from './signal-address.ts'

/**
 * What one cipher operation reads and changes. Changes stay here until the operation came to its end; then they go into the
 * auth state in one synchronous step, together with what they were made for (an attempted send, a decrypted message).
 * An operation that fails leaves nothing.
 */
export class StagedSignalStorage implements SignalStorage {
  readonly #state: ConnectionAuthState
  readonly #staged = new Map<string, SignalChange>()

  constructor(state: ConnectionAuthState) {
    this.#state = state
  }

  get changes(): readonly SignalChange[] {
    return [...this.#staged.values()]
  }

  async loadSession(address: string): Promise<SessionRecord | null> {
    const record = this.#read('session', recordOf(address))
    return record === undefined || record === null ? null : SessionRecord.deserialize(record as Uint8Array)
  }

  async storeSession(address: string, session: SessionRecord): Promise<void> {
    this.#write('session', recordOf(address), session.serialize())
  }

  /** Trust on first use, as WhatsApp Web does; a change is seen by `saveIdentity`. */
  isTrustedIdentity(): boolean {
    return true
  }

  /** True if it is new or has changed. A changed identity ends the session made with the old one. */
  saveIdentity(record: string, identityKey: Uint8Array): boolean {
    const known = this.#read('identity-key', record)
    if (known instanceof Uint8Array && Buffer.compare(known, identityKey) === 0) return false
    if (known instanceof Uint8Array) this.#write('session', record, null)
    this.#write('identity-key', record, Buffer.from(identityKey))
    return true
  }

  async loadPreKey(id: number | string): Promise<{ privKey: Buffer; pubKey: Buffer } | undefined> {
    const pair = this.#read('pre-key', String(id)) as { private: Uint8Array; public: Uint8Array } | null | undefined
    return pair ? { privKey: Buffer.from(pair.private), pubKey: Buffer.from(pair.public) } : undefined
  }

  removePreKey(id: number): void {
    this.#write('pre-key', String(id), null)
  }

  loadSignedPreKey(): { privKey: Buffer; pubKey: Buffer } {
    const { keyPair } = baileysCreds(this.#state.creds).signedPreKey
    return { privKey: Buffer.from(keyPair.private), pubKey: Buffer.from(keyPair.public) }
  }

  getOurRegistrationId(): number {
    return baileysCreds(this.#state.creds).registrationId
  }

  getOurIdentity(): { privKey: Buffer; pubKey: Buffer } {
    const { signedIdentityKey } = baileysCreds(this.#state.creds)
    return { privKey: Buffer.from(signedIdentityKey.private), pubKey: prefixed(signedIdentityKey.public) }
  }

  async loadSenderKey(name: { toString(): string }): Promise<SenderKeyRecord> {
    const record = this.#read('sender-key', name.toString())
    return record instanceof Uint8Array ? SenderKeyRecord.deserialize(record) : new SenderKeyRecord()
  }

  hasSenderKey(name: { toString(): string }): boolean {
    return this.#read('sender-key', name.toString()) instanceof Uint8Array
  }

  async storeSenderKey(name: { toString(): string }, record: SenderKeyRecord): Promise<void> {
    this.#write('sender-key', name.toString(), Buffer.from(JSON.stringify(record.serialize())))
  }

  #read(type: string, id: string): unknown {
    const staged = this.#staged.get(`${type}/${id}`)
    return staged === undefined ? this.#state.read(type, id) : staged.value
  }

  #write(type: string, id: string, value: unknown): void {
    this.#staged.set(`${type}/${id}`, { type, id, value })
  }
}

/** Signal's public keys have a type byte in front: 5, Curve25519. */
function prefixed(key: Uint8Array): Buffer {
  return key.length === 33 ? Buffer.from(key) : Buffer.concat([Buffer.from([5]), key])
}
