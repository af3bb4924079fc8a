/**
 * A simulated phone: device 0 of its number. It decrypts what it is sent, answers with receipts, asks again for what it
 * could not decrypt, and sends messages to all devices of a number the way a client does, through the server's router.
 */

import { randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { type BinaryNode, bigEndian, child, children, contentBytes, node, unixSeconds } from './binary-node.ts'
import { KEY_TYPE } from './curve.ts'
import { identityHolds } from './device-identity.ts'
import type { Account } from './directory.ts'
import { firstMessages } from './first-messages.ts'
import { Inbox, type InboxMessage, type InboxRecord } from './inbox.ts'
import { type DeviceAddress, deviceKey, formatJid, lidOf } from './jids.ts'
import { pad, textOf, typeOf, unpad } from './message-content.ts'
import { bundleFromRetry, retryKeys } from './prekey-nodes.ts'
import { type SentMessage, SentMessages } from './sent-messages.ts'
import {
  type Ciphertext,
  type CiphertextType,
  type SessionRecords,
  SignalIdentity,
  type SignalIdentityRecord,
} from './signal-identity.ts'
import type { Simulator } from './simulator.ts'

export interface PhoneSettings {
  /** Shown to others as the push name. */
  name: string
  business: boolean
  /** Whether a decrypted message is answered with a delivered receipt, and after that with a read receipt. */
  autoDeliver: boolean
  autoRead: boolean
  /** Whether its receipts come from its LID or from its number; WhatsApp does both. */
  receiptsFrom: 'lid' | 'pn'
  /** Whether a newly linked device is sent app-state keys and history, as WhatsApp's phones do. */
  history: boolean
}

export interface PhoneRecord extends PhoneSettings {
  nextDevice: number
  signal: SignalIdentityRecord
}

const DEFAULTS: PhoneSettings = {
  name: '',
  business: false,
  autoDeliver: true,
  autoRead: true,
  receiptsFrom: 'lid',
  history: true,
}

const RETRIES_MAX = 5
/** From the second retry on a retry receipt carries a bundle, since the sender's session may be the cause. */
const RETRY_WITH_KEYS = 2

export class Phone {
  readonly phoneNumber: string
  readonly inbox: Inbox
  readonly #simulator: Simulator
  readonly #sent = new SentMessages()
  /** The device identity that was verified last, by companion. */
  readonly #checkedIdentities = new Map<string, Buffer>()
  #signal: SignalIdentity
  #settings: PhoneSettings
  #nextDevice: number
  /** One thing after the other: messages are shown, and receipts leave, in the order of arrival. */
  #work: Promise<unknown> = Promise.resolve()

  constructor(
    simulator: Simulator,
    phoneNumber: string,
    stored: { phone?: PhoneRecord; sessions?: SessionRecords | undefined; inbox?: InboxRecord | undefined },
  ) {
    const { store } = simulator
    this.#simulator = simulator
    this.phoneNumber = phoneNumber
    const { nextDevice, signal, ...settings } = stored.phone ?? { nextDevice: 1, signal: undefined }
    this.#settings = { ...DEFAULTS, ...settings }
    this.#nextDevice = nextDevice
    this.#signal = this.#identity(signal, stored.sessions)
    this.inbox = new Inbox(() => store.changed('inboxes', phoneNumber, () => this.inbox.record()), stored.inbox)
  }

  get signal(): SignalIdentity {
    return this.#signal
  }

  get settings(): PhoneSettings {
    return this.#settings
  }

  change(settings: Partial<PhoneSettings>): void {
    this.#settings = { ...this.#settings, ...settings }
    this.#changed()
  }

  /** Sets the phone up anew, with a new identity and without any session. Returns the numbers that it had sessions with. */
  reinstall(): Set<string> {
    const peers = this.#signal.peers()
    this.#signal = this.#identity()
    this.#changed()
    this.#sessionsChanged()
    return peers
  }

  takeDeviceNumber(): number {
    const device = this.#nextDevice++
    this.#changed()
    return device
  }

  /** A `<message>` for this phone, with one ciphertext. */
  receive(sender: DeviceAddress, stanza: BinaryNode): void {
    this.#inBackground(() => this.#decrypt(sender, stanza))
  }

  /** A `<receipt>` about something that this phone sent. */
  receiveReceipt(sender: DeviceAddress, receipt: BinaryNode): void {
    const ids = [receipt.attrs.id ?? '', ...children(child(receipt, 'list'), 'item').map(({ attrs }) => attrs.id ?? '')]
    if (receipt.attrs.type === 'retry') this.#inBackground(() => this.#sendAgain(sender, ids[0] ?? '', receipt))
    else for (const id of ids) this.#sent.noteReceipt(sender, id, receipt.attrs.type, this.#timestamp())
  }

  /** Sends a text to all devices of a number and to this number's own companions; resolves when it is on its way. */
  send(to: Account, text: string, id = `3A${randomBytes(9).toString('hex').toUpperCase()}`): Promise<string> {
    return this.#enqueue(async () => {
      const message = Buffer.from(proto.Message.encode({ conversation: text }).finish())
      const sentAt = this.#timestamp()
      this.#sent.add({ id, to: to.phoneNumber, text, sentAt, message })
      const { directory } = this.#simulator
      const own = directory.account(this.phoneNumber)
      const others = own && own !== to ? directory.devices(own) : []
      const targets = [...directory.devices(to), ...others].filter((each) => deviceKey(each) !== this.#key)
      await this.#transmit(id, to, message, targets)
      return id
    })
  }

  /** Sends a newly linked device what a phone sends it first: app-state keys, and history with its LID mappings. */
  greet(device: DeviceAddress): void {
    this.#inBackground(async () => {
      const own = this.#simulator.directory.account(this.phoneNumber)
      if (!own || !this.#settings.history) return
      const known = [...this.#signal.peers()].map((peer) => this.#simulator.directory.account(peer))
      const contacts = [own, ...known.filter((each) => each !== undefined && each !== own)] as Account[]
      for (const message of firstMessages(contacts, this.#simulator.now())) {
        const id = randomBytes(10).toString('hex').toUpperCase()
        const encrypted = await this.#encrypt(device, pad(proto.Message.encode(message).finish()))
        if (!encrypted) return
        const { type, body } = encrypted
        const to = formatJid(own.lid, 'lid', device.device)
        const stanza = node('message', { id, to, type: 'text', category: 'peer' }, [
          node('enc', { v: '2', type }, body),
        ])
        this.#simulator.router.routeMessage({ phoneNumber: this.phoneNumber, device: 0 }, stanza)
      }
    })
  }

  /** Shows the sender that the message was read. False if there is no such message. */
  read(id: string): boolean {
    const message = this.inbox.findById(id)
    if (!message) return false
    this.inbox.markRead(message)
    this.#sendReceipt(message, 'read')
    return true
  }

  /** Sends the delivered receipt that `autoDeliver: false` held back. False if there is no such message. */
  confirmDelivery(id: string): boolean {
    const message = this.inbox.findById(id)
    if (message) this.#sendReceipt(message, undefined)
    return message !== undefined
  }

  sentMessages(): Omit<SentMessage, 'message'>[] {
    return this.#sent.shown()
  }

  get #key(): string {
    return deviceKey({ phoneNumber: this.phoneNumber, device: 0 })
  }

  #timestamp(): string {
    return new Date(this.#simulator.now()).toISOString()
  }

  #changed(): void {
    this.#simulator.store.changed('phones', this.phoneNumber, () => ({
      ...this.#settings,
      nextDevice: this.#nextDevice,
      signal: this.signal.record(),
    }))
  }

  #sessionsChanged(): void {
    this.#simulator.store.changed('sessions', this.phoneNumber, () => this.signal.sessionRecords())
  }

  #identity(record?: SignalIdentityRecord, sessions?: SessionRecords): SignalIdentity {
    const options = {
      owner: this.phoneNumber,
      onKeysChanged: () => this.#changed(),
      onSessionsChanged: () => this.#sessionsChanged(),
    }
    return new SignalIdentity(options, record, sessions)
  }

  #enqueue<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#work.then(job)
    this.#work = result.catch(() => undefined)
    return result
  }

  /** Work that no one awaits: what goes wrong in it is told as an event. */
  #inBackground(job: () => Promise<void>): void {
    this.#enqueue(job).catch((error: unknown) => {
      const detail = error instanceof Error ? error.message : String(error)
      this.#simulator.events.publish({ event: 'phone-error', phone: this.phoneNumber, detail })
    })
  }

  async #decrypt(sender: DeviceAddress, stanza: BinaryNode): Promise<void> {
    const id = stanza.attrs.id ?? ''
    const encrypted = child(stanza, 'enc')
    let message: proto.Message
    try {
      const body = contentBytes(encrypted)
      const type = encrypted?.attrs.type
      if (type === 'pkmsg') this.#checkIdentity(sender, stanza)
      if (!body || (type !== 'pkmsg' && type !== 'msg')) throw new Error(`no ciphertext of a known type (${type})`)
      message = proto.Message.decode(unpad(await this.signal.decrypt(sender, type satisfies CiphertextType, body)))
    } catch (error) {
      this.#decryptFailed(sender, stanza, error instanceof Error ? error.message : String(error))
      return
    }
    this.inbox.resolve(sender.phoneNumber, id)
    this.#simulator.stats.decrypted(this.phoneNumber, id)
    // A copy of what an own companion sent or asked: read by the phone, not shown as received.
    if (sender.phoneNumber === this.phoneNumber) return
    const entry = this.inbox.add({
      id,
      from: sender.phoneNumber,
      device: sender.device,
      type: typeOf(message),
      text: textOf(message),
      receivedAt: this.#timestamp(),
    })
    const { arrivals } = entry
    this.#simulator.events.publish({
      event: 'received',
      id,
      phone: this.phoneNumber,
      from: deviceKey(sender),
      arrivals,
    })
    if (this.#settings.autoDeliver) this.#sendReceipt(entry, undefined)
    if (this.#settings.autoDeliver && this.#settings.autoRead) {
      this.inbox.markRead(entry)
      this.#sendReceipt(entry, 'read')
    }
  }

  /** Throws for a companion's first message without its account's and its own signature. */
  #checkIdentity(sender: DeviceAddress, stanza: BinaryNode): void {
    const { directory } = this.#simulator
    const account = directory.account(sender.phoneNumber)?.phone.signal.identity.publicKey
    const companion = directory.companion(sender)?.keys.identityKey
    if (sender.device === 0 || !account || !companion) return
    const encoded = contentBytes(child(stanza, 'device-identity'))
    // A client repeats the same one until it is answered; verifying costs as much as decrypting.
    if (encoded && this.#checkedIdentities.get(deviceKey(sender))?.equals(encoded)) return
    if (!encoded || !identityHolds(encoded, { account, companion })) throw new Error('no valid device identity')
    this.#checkedIdentities.set(deviceKey(sender), encoded)
  }

  #decryptFailed(sender: DeviceAddress, stanza: BinaryNode, reason: string): void {
    const { stats, events } = this.#simulator
    const id = stanza.attrs.id ?? ''
    // A copy of a message that is shown already: the sender needs its receipt, not a request for one more copy.
    const shown = this.inbox.get(sender.phoneNumber, id)
    if (shown) {
      stats.decryptFailures++
      shown.arrivals++
      if (this.#settings.autoDeliver) this.#sendReceipt(shown, undefined)
      return
    }
    const failed = this.inbox.failed(sender.phoneNumber, sender.device, id, reason)
    stats.decryptFailed(this.phoneNumber, id)
    events.publish({ event: 'undecryptable', id, phone: this.phoneNumber, from: deviceKey(sender), reason })
    if (failed.failures > RETRIES_MAX) return
    const count = failed.failures.toString()
    const content = [
      node('retry', { count, id, t: stanza.attrs.t ?? unixSeconds(this.#simulator.now()), v: '1', error: '0' }),
      node('registration', {}, bigEndian(this.signal.registrationId, 4)),
    ]
    if (failed.failures >= RETRY_WITH_KEYS) content.push(retryKeys(this.signal.takeBundle(), KEY_TYPE))
    const { recipient } = stanza.attrs
    this.#routeReceipt(sender, { id, type: 'retry', ...(recipient === undefined ? {} : { recipient }) }, content)
  }

  #sendReceipt(message: InboxMessage, type: 'read' | undefined): void {
    const attrs = { id: message.id, ...(type === undefined ? {} : { type }) }
    this.#routeReceipt({ phoneNumber: message.from, device: message.device }, attrs)
  }

  #routeReceipt(to: DeviceAddress, attrs: BinaryNode['attrs'], content?: BinaryNode[]): void {
    const jid = formatJid(lidOf(to.phoneNumber), 'lid', to.device)
    const sender = { phoneNumber: this.phoneNumber, device: 0 }
    this.#simulator.router.routeReceipt(sender, node('receipt', { to: jid, ...attrs }, content))
  }

  async #sendAgain(sender: DeviceAddress, id: string, receipt: BinaryNode): Promise<void> {
    const sent = this.#sent.get(id)
    const to = sent && this.#simulator.directory.account(sent.to)
    if (!sent || !to) return
    const retries = this.#sent.noteRetry(sender, id)
    if (retries > RETRIES_MAX) return
    const bundle = bundleFromRetry(receipt) ?? this.#simulator.directory.takeBundle(sender)
    if (!bundle) return
    await this.signal.startSession(sender, bundle)
    await this.#transmit(id, to, sent.message, [sender], retries)
  }

  async #transmit(
    id: string,
    to: Account,
    message: Buffer,
    targets: DeviceAddress[],
    retryCount?: number,
  ): Promise<void> {
    const toJid = formatJid(to.lid, 'lid')
    const own = pad(
      proto.Message.encode({
        deviceSentMessage: { destinationJid: toJid, message: proto.Message.decode(message) },
      }).finish(),
    )
    const participants: BinaryNode[] = []
    for (const target of targets) {
      const copy = target.phoneNumber === this.phoneNumber ? own : pad(message)
      const encrypted = await this.#encrypt(target, copy)
      if (!encrypted) continue
      const { type, body } = encrypted
      const attrs = { v: '2', type, ...(retryCount === undefined ? {} : { count: retryCount.toString() }) }
      const jid = formatJid(lidOf(target.phoneNumber), 'lid', target.device)
      participants.push(node('to', { jid }, [node('enc', attrs, body)]))
    }
    const stanza = node('message', { id, to: toJid, type: 'text' }, [node('participants', {}, participants)])
    this.#simulator.router.routeMessage({ phoneNumber: this.phoneNumber, device: 0 }, stanza)
  }

  /** In the session with that device, opened with one of its prekeys where there is none; undefined if it is unlinked. */
  async #encrypt(target: DeviceAddress, plaintext: Buffer): Promise<Ciphertext | undefined> {
    if (!this.#signal.hasSession(target)) {
      const bundle = this.#simulator.directory.takeBundle(target)
      if (!bundle) return undefined
      await this.#signal.startSession(target, bundle)
    }
    return this.#signal.encrypt(target, plaintext)
  }
}
