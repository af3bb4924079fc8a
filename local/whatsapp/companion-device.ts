/** A linked companion device as the server knows it: its keys, the one-time keys it uploaded, and its mailbox. */

import type { Connection } from './connection.ts'
import { type DeviceAddress, deviceKey } from './jids.ts'
import { Mailbox, type MailboxRecord } from './mailbox.ts'
import { PreKeyPool, type PreKeyPoolRecord } from './prekey-pool.ts'
import type { PreKeyBundle } from './signal-identity.ts'
import type { StateStore } from './store.ts'

/** What a device registers with; public keys of 32 bytes, signed by its identity key where Signal wants it. */
export interface DeviceKeys {
  noiseKey: Buffer
  identityKey: Buffer
  registrationId: number
  signedPreKey: { keyId: number; publicKey: Buffer; signature: Buffer }
}

export interface CompanionDeviceRecord {
  phoneNumber: string
  device: number
  keyIndex: number
  linkedAt: string
  noiseKey: string
  identityKey: string
  registrationId: number
  signedPreKey: { keyId: number; publicKey: string; signature: string }
  preKeys: PreKeyPoolRecord
  greeted: boolean
}

export class CompanionDevice {
  readonly address: DeviceAddress
  readonly key: string
  readonly keyIndex: number
  readonly linkedAt: string
  readonly keys: DeviceKeys
  readonly mailbox: Mailbox
  /** The one authenticated socket; a second login takes its place. */
  connection: Connection | undefined
  readonly preKeys: PreKeyPool
  readonly #store: StateStore
  /** Whether the phone has sent its keys and history, which it does once. */
  greeted: boolean

  constructor(
    store: StateStore,
    address: DeviceAddress,
    linked: { keyIndex: number; linkedAt: string; keys: DeviceKeys },
    stored: { preKeys?: PreKeyPoolRecord; greeted?: boolean; mailbox?: MailboxRecord | undefined } = {},
  ) {
    this.#store = store
    this.address = address
    this.key = deviceKey(address)
    this.keyIndex = linked.keyIndex
    this.linkedAt = linked.linkedAt
    this.keys = linked.keys
    this.preKeys = new PreKeyPool(stored.preKeys)
    this.greeted = stored.greeted ?? false
    this.mailbox = new Mailbox(() => store.changed('mailboxes', this.key, () => this.mailbox.record()), stored.mailbox)
  }

  static restore(
    store: StateStore,
    record: CompanionDeviceRecord,
    mailbox: MailboxRecord | undefined,
  ): CompanionDevice {
    const { phoneNumber, device, keyIndex, linkedAt, registrationId, signedPreKey } = record
    const keys: DeviceKeys = {
      noiseKey: Buffer.from(record.noiseKey, 'base64'),
      identityKey: Buffer.from(record.identityKey, 'base64'),
      registrationId,
      signedPreKey: {
        keyId: signedPreKey.keyId,
        publicKey: Buffer.from(signedPreKey.publicKey, 'base64'),
        signature: Buffer.from(signedPreKey.signature, 'base64'),
      },
    }
    const { preKeys, greeted } = record
    return new CompanionDevice(
      store,
      { phoneNumber, device },
      { keyIndex, linkedAt, keys },
      { preKeys, greeted, mailbox },
    )
  }

  addPreKeys(preKeys: Iterable<[number, Buffer]>): void {
    this.preKeys.add(preKeys)
    this.changed()
  }

  replaceSignedPreKey(signedPreKey: DeviceKeys['signedPreKey']): void {
    this.keys.signedPreKey = signedPreKey
    this.changed()
  }

  /** Each bundle takes a one-time key away, oldest first, until there is none left. */
  takeBundle(): PreKeyBundle {
    const preKey = this.preKeys.take()
    if (preKey) this.changed()
    const { registrationId, identityKey, signedPreKey } = this.keys
    return { registrationId, identityKey, signedPreKey, preKey }
  }

  changed(): void {
    this.#store.changed('devices', this.key, () => this.#record())
  }

  forget(): void {
    this.#store.removed('devices', this.key)
    this.#store.removed('mailboxes', this.key)
  }

  #record(): CompanionDeviceRecord {
    const { noiseKey, identityKey, registrationId, signedPreKey } = this.keys
    return {
      phoneNumber: this.address.phoneNumber,
      device: this.address.device,
      keyIndex: this.keyIndex,
      linkedAt: this.linkedAt,
      noiseKey: noiseKey.toString('base64'),
      identityKey: identityKey.toString('base64'),
      registrationId,
      signedPreKey: {
        keyId: signedPreKey.keyId,
        publicKey: signedPreKey.publicKey.toString('base64'),
        signature: signedPreKey.signature.toString('base64'),
      },
      preKeys: this.preKeys.record(),
      greeted: this.greeted,
    }
  }
}
