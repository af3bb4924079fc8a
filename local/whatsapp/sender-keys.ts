/**
 * A phone's side of group encryption: one sender key for each group and device that writes there, and for its own key who
 * was given it already. When someone who had the own key is no longer in the group, the phone makes a new one.
 */

import {
  GroupCipher,
  GroupSessionBuilder,
  SenderKeyDistributionMessage,
  SenderKeyName,
  SenderKeyRecord,
} from '@whiskeysockets/baileys/lib/Signal/Group/index.js'
import { type DeviceAddress, deviceKey } from './jids.ts'

export interface SenderKeysRecord {
  /** By group and device, as Baileys' SenderKeyRecord serializes. */
  keys: [string, string][]
  handedOut: [string, string[]][]
}

const OWN = { id: 'own', deviceId: 0, toString: () => 'own.0' }

export class SenderKeys {
  readonly #onChange: () => void
  readonly #keys: Map<string, string>
  readonly #handedOut: Map<string, Set<string>>

  constructor(onChange: () => void, record: SenderKeysRecord = { keys: [], handedOut: [] }) {
    this.#onChange = onChange
    this.#keys = new Map(record.keys)
    this.#handedOut = new Map(record.handedOut.map(([group, devices]) => [group, new Set(devices)]))
  }

  /** Takes a sender key that a device of a group handed out. */
  async learn(group: string, sender: DeviceAddress, distribution: Uint8Array): Promise<void> {
    const message = new SenderKeyDistributionMessage(null, null, null, null, distribution)
    await new GroupSessionBuilder(this.#storage).process(this.#name(group, sender), message)
  }

  /** Throws if the device's key is unknown or does not open the message. */
  async decrypt(group: string, sender: DeviceAddress, body: Uint8Array): Promise<Uint8Array> {
    return new GroupCipher(this.#storage, this.#name(group, sender)).decrypt(body)
  }

  /** Encrypts for the group; `distribution` is what the devices in `newTo` must be given to read it. */
  async encrypt(
    group: string,
    members: readonly DeviceAddress[],
    plaintext: Uint8Array,
  ): Promise<{ body: Buffer; distribution: Buffer; newTo: DeviceAddress[] }> {
    const name = new SenderKeyName(group, OWN)
    const present = new Set(members.map(deviceKey))
    const had = this.#handedOut.get(group) ?? new Set()
    if ([...had].some((each) => !present.has(each))) {
      this.#keys.delete(name.toString())
      had.clear()
    }
    const distribution = await new GroupSessionBuilder(this.#storage).create(name)
    const body = await new GroupCipher(this.#storage, name).encrypt(plaintext)
    const newTo = members.filter((member) => !had.has(deviceKey(member)))
    this.#handedOut.set(group, present)
    this.#onChange()
    return { body: Buffer.from(body), distribution: Buffer.from(distribution.serialize()), newTo }
  }

  /** The own key as it is now, for a device that asks for a message again. */
  async distribution(group: string): Promise<Buffer> {
    const message = await new GroupSessionBuilder(this.#storage).create(new SenderKeyName(group, OWN))
    return Buffer.from(message.serialize())
  }

  /** As a phone that lost its keys: what is written in the group next does not decrypt. */
  forget(group: string): void {
    for (const name of [...this.#keys.keys()]) {
      if (name.startsWith(`${group}::`) && !name.startsWith(`${group}::${OWN.id}::`)) this.#keys.delete(name)
    }
    this.#onChange()
  }

  record(): SenderKeysRecord {
    return {
      keys: [...this.#keys],
      handedOut: [...this.#handedOut].map(([group, devices]) => [group, [...devices]]),
    }
  }

  #name(group: string, sender: DeviceAddress): SenderKeyName {
    return new SenderKeyName(group, {
      id: sender.phoneNumber,
      deviceId: sender.device,
      toString: () => deviceKey(sender),
    })
  }

  readonly #storage = {
    loadSenderKey: async (name: SenderKeyName) => {
      const stored = this.#keys.get(name.toString())
      return stored === undefined ? new SenderKeyRecord() : SenderKeyRecord.deserialize(Buffer.from(stored))
    },
    storeSenderKey: async (name: SenderKeyName, record: SenderKeyRecord) => {
      this.#keys.set(name.toString(), JSON.stringify(record.serialize()))
      this.#onChange()
    },
  }
}
