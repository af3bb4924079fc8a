import { decodeValue, encodeValue } from '../../shared/aws/auth-values.ts'
import type { AuthState } from '../ports.ts'
import type { Journal } from './journal.ts'
import { packKeyPair, type Records, unpackKeyPair } from './records.ts'

/** What Baileys calls creds: an object of JSON values and bytes. Only these fields mean something here. */
export interface Creds {
  /** Set by the server at pair-success. */
  me?: { id: string; lid?: string; name?: string }
  /** The account's signature of this device: there from the moment that pairing succeeded. */
  account?: unknown
  /** Random, base64; known to this account's devices only. */
  advSecretKey?: string
}

/** A Signal record to set, or null to delete. */
export interface SignalChange {
  readonly type: string
  readonly id: string
  readonly value: unknown
}

/** A decrypted message whose acknowledgement WhatsApp may not have yet. */
export interface KeptInbound {
  readonly whatsappId: string
  /** As libsignal gave it: padded protobuf. */
  readonly plaintext: Uint8Array
  /** Attributes of the stanza that name chat, sender, time. */
  readonly envelope: Readonly<Record<string, string>>
}

/**
 * One connection's auth state: the read path is memory, and every change is noted for the journal in the same synchronous
 * step, so that what belongs together (a session and the message that advanced it) can't be appended apart.
 */
export class ConnectionAuthState implements AuthState {
  /** Baileys changes it in place; `saveCreds` finds out what. */
  readonly creds: Creds
  readonly #records: Records
  readonly #journal: Journal
  readonly #attempted: Set<string>
  #linked: boolean

  constructor(creds: Creds, records: Records, journal: Journal, linked: boolean) {
    this.creds = creds
    this.#records = records
    this.#journal = journal
    this.#linked = linked
    this.#attempted = new Set([...records.keys('attempted')].map((key) => key.slice('attempted/'.length)))
  }

  get registered(): boolean {
    return this.#linked
  }

  /** True while a frame may leave at once. */
  get clean(): boolean {
    return this.#journal.clean
  }

  durable(): Promise<void> {
    return this.#journal.durable()
  }

  close(how: 'flush' | 'abandon'): Promise<void> {
    return this.#journal.close(how)
  }

  /** Fields of the creds that differ from what is recorded. At pair-success the identity begins to be kept. */
  saveCreds(): void {
    const recorded = new Set(this.#records.keys('creds'))
    for (const [field, value] of Object.entries(this.creds)) {
      if (value === undefined) continue
      const key = `creds/${field}`
      recorded.delete(key)
      this.#put(key, encodeValue(value))
    }
    for (const key of recorded) this.#put(key, null)
    if (!this.#linked && this.creds.account !== undefined && this.creds.me !== undefined) {
      this.#linked = true
      this.#journal.begin()
    }
  }

  /** The Signal record as it is kept; of a prekey its private half. */
  text(type: string, id: string): string | undefined {
    return this.#records.get(`key/${type}/${id}`)
  }

  /** The Signal record, a fresh copy at every read, or undefined. */
  read(type: string, id: string): unknown {
    const text = this.text(type, id)
    if (text === undefined) return undefined
    return type === 'pre-key' ? unpackKeyPair(text) : decodeValue(text)
  }

  /** All of them in one step. */
  apply(changes: readonly SignalChange[]): void {
    for (const { type, id, value } of changes) {
      const text =
        value === null || value === undefined ? null : type === 'pre-key' ? packPreKey(id, value) : encodeValue(value)
      this.#put(`key/${type}/${id}`, text)
    }
  }

  attempted(): ReadonlySet<string> {
    return this.#attempted
  }

  /** Its ciphertext is made in this same step. */
  attempt(whatsappId: string): void {
    this.#attempted.add(whatsappId)
    this.#put(`attempted/${whatsappId}`, '1')
  }

  settled(whatsappId: string): void {
    this.#attempted.delete(whatsappId)
    this.#put(`attempted/${whatsappId}`, null, 'lazily')
  }

  keepInbound(hash: string, kept: KeptInbound): void {
    this.#put(`inbound/${hash}`, encodeValue(kept))
  }

  inbound(hash: string): KeptInbound | undefined {
    const text = this.#records.get(`inbound/${hash}`)
    return text === undefined ? undefined : (decodeValue(text) as KeptInbound)
  }

  /** Hashes, oldest first. */
  inboundHashes(): string[] {
    return [...this.#records.keys('inbound')].map((key) => key.slice('inbound/'.length))
  }

  /** Its message row exists: it stays only to answer a redelivery. */
  inboundStored(hash: string): boolean {
    return this.#records.has(`stored/${hash}`)
  }

  markInboundStored(hash: string): void {
    this.#put(`stored/${hash}`, '1', 'lazily')
  }

  dropInbound(hash: string): void {
    this.#put(`inbound/${hash}`, null, 'lazily')
    this.#put(`stored/${hash}`, null, 'lazily')
  }

  devices(user: string): unknown {
    const text = this.#records.get(`devices/${user}`)
    return text === undefined ? undefined : decodeValue(text)
  }

  keepDevices(user: string, value: unknown): void {
    this.#put(`devices/${user}`, value === undefined ? null : encodeValue(value), 'lazily')
  }

  get deviceLists(): number {
    return this.#records.count('devices')
  }

  /** Users with a device list, the longest kept first. */
  deviceUsers(): string[] {
    return [...this.#records.keys('devices')].map((key) => key.slice('devices/'.length))
  }

  #put(key: string, text: string | null, when: 'before_the_next_frame' | 'lazily' = 'before_the_next_frame'): void {
    if ((this.#records.get(key) ?? null) === text) return
    this.#records.set(key, text)
    this.#journal.changed(key, when === 'lazily')
  }
}

/** The creds as they were recorded. */
export function credsOf(records: Records): Creds {
  const creds: Record<string, unknown> = {}
  for (const key of records.keys('creds')) creds[key.slice('creds/'.length)] = decodeValue(records.get(key) ?? 'null')
  return creds as Creds
}

function packPreKey(id: string, value: unknown): string {
  const pair = value as { readonly private?: unknown; readonly public?: unknown }
  if (!(pair.private instanceof Uint8Array) || !(pair.public instanceof Uint8Array)) {
    throw new Error(`prekey ${id}: expected a pair of bytes`)
  }
  return packKeyPair({ private: pair.private, public: pair.public })
}
