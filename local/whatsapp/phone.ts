/**
 * A simulated phone: device 0 of its number. It shows what it is sent, answers with receipts, uploads media again when a
 * companion asks, and sends all kinds of messages the way a client does, through the server's router.
 */

import { randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { type BinaryNode, child, children, node } from './binary-node.ts'
import type { Account } from './directory.ts'
import { firstMessages } from './first-messages.ts'
import type { Group } from './groups.ts'
import { Inbox, type InboxMessage, type InboxRecord } from './inbox.ts'
import { Intake, receiptAttrs } from './intake.ts'
import { type DeviceAddress, deviceKey, formatJid, lidOf } from './jids.ts'
import { mediaRetryAnswer } from './media-retry.ts'
import type { KnownMessage } from './message-builder.ts'
import { pad } from './message-padding.ts'
import type { MessageView } from './message-view.ts'
import { type Destination, Outbox } from './outbox.ts'
import type { OutgoingMessage } from './outgoing-messages.ts'
import { PhoneKeys } from './phone-keys.ts'
import type { SenderKeysRecord } from './sender-keys.ts'
import type { ShownSentMessage } from './sent-messages.ts'
import type { SessionRecords, SignalIdentity, SignalIdentityRecord } from './signal-identity.ts'
import type { Simulator } from './simulator.ts'

export interface PhoneSettings {
  /** Shown to others as the push name. */
  name: string
  business: boolean
  /** Whether a decrypted message is answered with a delivered receipt, and after that with a read receipt. */
  autoDeliver: boolean
  autoRead: boolean
  /** Whether a voice note that was read is played, too. */
  autoPlay: boolean
  /** Whether its receipts come from its LID or from its number; WhatsApp does both. In groups the group decides. */
  receiptsFrom: 'lid' | 'pn'
  /** Whether linking a device asks for a passkey, which only WhatsApp's own clients can use: it comes to nothing. */
  passkey: boolean
  /** Whether a newly linked device is sent app-state keys and history, as WhatsApp's phones do. */
  history: boolean
}

export interface PhoneRecord extends PhoneSettings {
  nextDevice: number
  signal: SignalIdentityRecord
}

export interface StoredPhone {
  phone?: PhoneRecord | undefined
  sessions?: SessionRecords | undefined
  senderKeys?: SenderKeysRecord | undefined
  inbox?: InboxRecord | undefined
}

const DEFAULTS: PhoneSettings = {
  name: '',
  business: false,
  autoDeliver: true,
  autoRead: true,
  autoPlay: false,
  passkey: false,
  receiptsFrom: 'lid',
  history: true,
}

/** What own companions sent lately: enough for a reaction to it, and to upload its media again. */
const COPIES_MAX = 1000

export class Phone {
  readonly phoneNumber: string
  readonly inbox: Inbox
  readonly keys: PhoneKeys
  readonly #simulator: Simulator
  readonly #outbox: Outbox
  readonly #intake: Intake
  readonly #copies = new Map<string, MessageView>()
  #settings: PhoneSettings
  #nextDevice: number
  /** One thing after the other: messages are shown, and receipts leave, in the order of arrival. */
  #work: Promise<unknown> = Promise.resolve()

  constructor(simulator: Simulator, phoneNumber: string, stored: StoredPhone) {
    const { store } = simulator
    this.#simulator = simulator
    this.phoneNumber = phoneNumber
    const { nextDevice, signal, ...settings } = stored.phone ?? { nextDevice: 1, signal: undefined }
    this.#settings = { ...DEFAULTS, ...settings }
    this.#nextDevice = nextDevice
    this.keys = new PhoneKeys(simulator, phoneNumber, { ...stored, signal }, () => this.#changed())
    this.inbox = new Inbox(() => store.changed('inboxes', phoneNumber, () => this.inbox.record()), stored.inbox)
    const known = (id: string, group: Group | undefined) => this.#known(id, group)
    this.#outbox = new Outbox(simulator, phoneNumber, this.keys, known)
    this.#intake = new Intake(simulator, phoneNumber, this.keys, this.inbox, known)
  }

  get signal(): SignalIdentity {
    return this.keys.signal
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
    return this.keys.replace()
  }

  takeDeviceNumber(): number {
    const device = this.#nextDevice++
    this.#changed()
    return device
  }

  /** A `<message>` for this phone. */
  receive(sender: DeviceAddress, stanza: BinaryNode): void {
    this.#inBackground(async () => {
      const taken = await this.#intake.take(sender, stanza)
      if (taken.kind === 'own') this.#keepCopy(taken.id, taken.view)
      if (taken.kind === 'again' && this.#settings.autoDeliver) this.#sendReceipt(taken.entry, undefined)
      if (taken.kind === 'shown') this.#answer(taken.entry)
    })
  }

  /** A `<receipt>` about something that this phone sent. */
  receiveReceipt(sender: DeviceAddress, receipt: BinaryNode): void {
    const { id = '', type } = receipt.attrs
    const ids = [id, ...children(child(receipt, 'list'), 'item').map(({ attrs }) => attrs.id ?? '')]
    if (type === 'retry') this.#inBackground(() => this.#outbox.sendAgain(sender, id, receipt))
    else for (const each of ids) this.#outbox.sent.noteReceipt(sender, each, type, this.#timestamp())
  }

  /** An own companion could not download a medium: it is uploaded again, and the companion told where. */
  answerMediaRetry(companion: DeviceAddress, receipt: BinaryNode): void {
    this.#inBackground(async () => {
      const view = this.#find(receipt.attrs.id ?? '')
      const answer = await mediaRetryAnswer(this.#simulator, this.phoneNumber, receipt, view)
      this.#simulator.directory.companion(companion)?.mailbox.deliver(answer)
    })
  }

  /** Resolves with the message's id when it is on its way; throws UnknownMessage for what it refers to and does not know. */
  send(request: OutgoingMessage, destination: Destination): Promise<string> {
    return this.#enqueue(async () => {
      const built = await this.#outbox.compose(request, destination)
      return this.#outbox.send(built, destination, request.id)
    })
  }

  /** Sends a newly linked device what a phone sends it first: app-state keys, and history with its LID mappings. */
  greet(device: DeviceAddress): void {
    this.#inBackground(async () => {
      const own = this.#simulator.directory.account(this.phoneNumber)
      if (!own || !this.#settings.history) return
      const known = [...this.signal.peers()].map((peer) => this.#simulator.directory.account(peer))
      const contacts = [own, ...known.filter((each) => each !== undefined && each !== own)] as Account[]
      for (const message of firstMessages(contacts, this.#simulator.now())) {
        const id = randomBytes(10).toString('hex').toUpperCase()
        const encrypted = await this.keys.encrypt(device, pad(proto.Message.encode(message).finish()))
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

  /** Sends a receipt by hand, for phones that do not by themselves. False if the inbox has no such message. */
  giveReceipt(id: string, type: 'delivered' | 'read' | 'played'): boolean {
    const message = this.inbox.findById(id)
    if (message && type !== 'delivered') this.#markAndTell(message, type)
    else if (message) this.#sendReceipt(message, undefined)
    return message !== undefined
  }

  sentMessages(): ShownSentMessage[] {
    return this.#outbox.sent.shown()
  }

  #answer(entry: InboxMessage): void {
    const { id, from, device, arrivals, kind } = entry
    const { events } = this.#simulator
    const sender = deviceKey({ phoneNumber: from, device })
    events.publish({ event: 'received', id, phone: this.phoneNumber, from: sender, kind, arrivals })
    if (!this.#settings.autoDeliver) return
    this.#sendReceipt(entry, undefined)
    if (!this.#settings.autoRead) return
    this.#markAndTell(entry, 'read')
    if (this.#settings.autoPlay && entry.ptt) this.#markAndTell(entry, 'played')
  }

  #markAndTell(entry: InboxMessage, as: 'read' | 'played'): void {
    this.inbox.mark(entry, as)
    this.#sendReceipt(entry, as)
  }

  #sendReceipt({ id, from, device, group }: InboxMessage, type: 'read' | 'played' | undefined): void {
    const attrs = receiptAttrs({ phoneNumber: from, device }, this.#simulator.groups.get(group), id, type)
    this.#simulator.router.routeReceipt({ phoneNumber: this.phoneNumber, device: 0 }, node('receipt', attrs))
  }

  #keepCopy(id: string, view: MessageView): void {
    this.#copies.set(id, view)
    const oldest = this.#copies.keys().next().value
    if (this.#copies.size > COPIES_MAX && oldest !== undefined) this.#copies.delete(oldest)
  }

  #find(id: string): MessageView | undefined {
    return this.inbox.findById(id) ?? this.#outbox.sent.get(id)?.view ?? this.#copies.get(id)
  }

  #known(id: string, group: Group | undefined): KnownMessage | undefined {
    const view = this.#find(id)
    if (!view) return undefined
    const received = this.inbox.findById(id)
    const author = received?.from ?? this.phoneNumber
    const authorJid = group ? group.jidOf(author) : formatJid(lidOf(author), 'lid')
    return { id, fromMe: received === undefined, authorJid, view }
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
}
