/** All keys of a phone: its identity and sessions with devices, and its sender keys for groups; kept in the state store. */

import type { DeviceAddress } from './jids.ts'
import { SenderKeys, type SenderKeysRecord } from './sender-keys.ts'
import { type Ciphertext, type SessionRecords, SignalIdentity, type SignalIdentityRecord } from './signal-identity.ts'
import type { Simulator } from './simulator.ts'

export interface StoredKeys {
  signal?: SignalIdentityRecord | undefined
  sessions?: SessionRecords | undefined
  senderKeys?: SenderKeysRecord | undefined
}

export class PhoneKeys {
  readonly #simulator: Simulator
  readonly #phoneNumber: string
  readonly #onIdentityChanged: () => void
  #signal: SignalIdentity
  #senderKeys: SenderKeys

  constructor(simulator: Simulator, phoneNumber: string, stored: StoredKeys, onIdentityChanged: () => void) {
    this.#simulator = simulator
    this.#phoneNumber = phoneNumber
    this.#onIdentityChanged = onIdentityChanged
    this.#signal = this.#newSignal(stored.signal, stored.sessions)
    this.#senderKeys = this.#newSenderKeys(stored.senderKeys)
  }

  get signal(): SignalIdentity {
    return this.#signal
  }

  get senderKeys(): SenderKeys {
    return this.#senderKeys
  }

  /** A new identity without sessions, as after setting the phone up anew. Returns the numbers it had sessions with. */
  replace(): Set<string> {
    const peers = this.#signal.peers()
    this.#signal = this.#newSignal()
    this.#senderKeys = this.#newSenderKeys()
    this.#onIdentityChanged()
    this.#sessionsChanged()
    this.#senderKeysChanged()
    return peers
  }

  /** In the session with that device, opened with one of its prekeys where there is none; undefined if it is unlinked. */
  async encrypt(target: DeviceAddress, plaintext: Buffer): Promise<Ciphertext | undefined> {
    const signal = this.#signal
    if (!signal.hasSession(target)) {
      const bundle = this.#simulator.directory.takeBundle(target)
      if (!bundle) return undefined
      await signal.startSession(target, bundle)
    }
    return signal.encrypt(target, plaintext)
  }

  #newSignal(record?: SignalIdentityRecord, sessions?: SessionRecords): SignalIdentity {
    const options = {
      owner: this.#phoneNumber,
      onKeysChanged: this.#onIdentityChanged,
      onSessionsChanged: () => this.#sessionsChanged(),
    }
    return new SignalIdentity(options, record, sessions)
  }

  #newSenderKeys(record?: SenderKeysRecord): SenderKeys {
    return new SenderKeys(() => this.#senderKeysChanged(), record)
  }

  #sessionsChanged(): void {
    this.#simulator.store.changed('sessions', this.#phoneNumber, () => this.#signal.sessionRecords())
  }

  #senderKeysChanged(): void {
    this.#simulator.store.changed('sender-keys', this.#phoneNumber, () => this.#senderKeys.record())
  }
}
