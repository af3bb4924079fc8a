/** Who there is: every number with its LID, its phone and its linked companion devices. */

import { CompanionDevice, type CompanionDeviceRecord, type DeviceKeys } from './companion-device.ts'
import type { InboxRecord } from './inbox.ts'
import { type DeviceAddress, lidOf, parseJid } from './jids.ts'
import type { MailboxRecord } from './mailbox.ts'
import { Phone, type PhoneRecord, type PhoneSettings, type StoredPhone } from './phone.ts'
import { Profile, type ProfileRecord } from './profiles.ts'
import type { SenderKeysRecord } from './sender-keys.ts'
import type { PreKeyBundle, SessionRecords } from './signal-identity.ts'
import type { Simulator } from './simulator.ts'

export interface Account {
  phoneNumber: string
  lid: string
  phone: Phone
  profile: Profile
  companions: Map<number, CompanionDevice>
}

export class Directory {
  readonly #simulator: Simulator
  readonly #accounts = new Map<string, Account>()
  readonly #byLid = new Map<string, Account>()

  constructor(simulator: Simulator) {
    this.#simulator = simulator
  }

  /** Reads all phones and devices from the store. */
  async restore(): Promise<void> {
    const { store } = this.#simulator
    const [phones, sessions, senderKeys, inboxes, profiles, devices, mailboxes] = await Promise.all([
      store.load('phones'),
      store.load('sessions'),
      store.load('sender-keys'),
      store.load('inboxes'),
      store.load('profiles'),
      store.load('devices'),
      store.load('mailboxes'),
    ])
    for (const [phoneNumber, record] of phones) {
      this.#add(phoneNumber, {
        phone: record as PhoneRecord,
        sessions: sessions.get(phoneNumber) as SessionRecords | undefined,
        senderKeys: senderKeys.get(phoneNumber) as SenderKeysRecord | undefined,
        inbox: inboxes.get(phoneNumber) as InboxRecord | undefined,
        profile: profiles.get(phoneNumber) as ProfileRecord | undefined,
      })
    }
    for (const [key, record] of devices) {
      const device = CompanionDevice.restore(
        store,
        record as CompanionDeviceRecord,
        mailboxes.get(key) as MailboxRecord | undefined,
      )
      this.#accounts.get(device.address.phoneNumber)?.companions.set(device.address.device, device)
    }
  }

  accounts(): Iterable<Account> {
    return this.#accounts.values()
  }

  account(phoneNumber: string): Account | undefined {
    return this.#accounts.get(phoneNumber)
  }

  /** The account that a JID of either kind names. */
  accountOf(jid: string | undefined): Account | undefined {
    const parsed = parseJid(jid)
    if (parsed?.server === 's.whatsapp.net' || parsed?.server === 'c.us') return this.#accounts.get(parsed.user)
    return parsed?.server === 'lid' ? this.#byLid.get(parsed.user) : undefined
  }

  addressOf(jid: string | undefined): DeviceAddress | undefined {
    const account = this.accountOf(jid)
    return account && { phoneNumber: account.phoneNumber, device: parseJid(jid)?.device ?? 0 }
  }

  companion(address: DeviceAddress): CompanionDevice | undefined {
    return this.#accounts.get(address.phoneNumber)?.companions.get(address.device)
  }

  /** A new phone, or the known one with these settings. */
  createPhone(phoneNumber: string, settings: Partial<PhoneSettings>): Account {
    const account = this.#accounts.get(phoneNumber) ?? this.#add(phoneNumber, {})
    account.phone.change(settings)
    return account
  }

  /** Makes a device of the account from what a client registered with. */
  link(account: Account, device: number, keys: DeviceKeys): CompanionDevice {
    const companion = new CompanionDevice(
      this.#simulator.store,
      { phoneNumber: account.phoneNumber, device },
      { keyIndex: device, linkedAt: new Date(this.#simulator.now()).toISOString(), keys },
    )
    account.companions.set(device, companion)
    companion.changed()
    return companion
  }

  /** Forgets the device; its socket is the caller's to end. */
  unlink(companion: CompanionDevice): void {
    const { phoneNumber, device } = companion.address
    this.#accounts.get(phoneNumber)?.companions.delete(device)
    companion.forget()
  }

  /** Every device of the account, the phone first. */
  devices(account: Account): DeviceAddress[] {
    const { phoneNumber } = account
    return [0, ...account.companions.keys()].map((device) => ({ phoneNumber, device }))
  }

  /** A bundle with a fresh one-time key, or undefined for a device that does not exist. */
  takeBundle(address: DeviceAddress): PreKeyBundle | undefined {
    if (address.device === 0) return this.#accounts.get(address.phoneNumber)?.phone.signal.takeBundle()
    return this.companion(address)?.takeBundle()
  }

  #add(phoneNumber: string, stored: StoredPhone & { profile?: ProfileRecord | undefined }): Account {
    const lid = lidOf(phoneNumber)
    const phone = new Phone(this.#simulator, phoneNumber, stored)
    const profile = new Profile(this.#simulator.store, phoneNumber, stored.profile)
    const account: Account = { phoneNumber, lid, phone, profile, companions: new Map() }
    this.#accounts.set(phoneNumber, account)
    this.#byLid.set(lid, account)
    return account
  }
}
