/**
 * WhatsApp's side: which devices are linked, who is logged in, what waits until it is acknowledged, and what goes wrong there.
 */
import type { ConnectionRef } from '../../../shared/domain/words.ts'
import type { Audit } from '../audit.ts'
import { keyOf } from '../models/network.ts'
import type { Thread } from '../process.ts'
import type { Chance, World } from '../world.ts'
import { Link } from './link.ts'
import { Phone } from './phone.ts'
import type { Ciphertext, ReceiptStep, ToClient, ToServer } from './protocol.ts'

type Undelivered =
  | { readonly kind: 'message'; readonly whatsappId: string; readonly chat: string; readonly ciphertext: Uint8Array }
  | { readonly kind: 'receipt'; readonly whatsappId: string; readonly step: ReceiptStep }

/** What becomes of new connections, and of what comes over old ones. */
export type Service =
  | 'up'
  /** The upgrade is refused with HTTP 503. */
  | 'refusing'
  /** Logins end with this code. */
  | { readonly failure: number }
  /** Nothing is ever answered. */
  | 'silent'

export class Device {
  readonly ref: ConnectionRef
  readonly phones: ReadonlyMap<string, Phone>
  /** The linked identity. */
  identity: string | undefined
  /** Identities that were unlinked. */
  readonly unlinked = new Set<string>()
  session: { readonly link: Link; readonly identity: string } | undefined
  /** Connections that show a code and wait for the scan. */
  linking: Link | undefined
  undelivered: Undelivered[] = []
  /** Of this device alone. */
  service: Service = 'up'
  /** Refuses messages with this code. */
  refusesWith: string | undefined

  constructor(ref: ConnectionRef, phones: readonly Phone[]) {
    this.ref = ref
    this.phones = new Map(phones.map((phone) => [phone.chat, phone]))
  }

  get key(): string {
    return keyOf(this.ref)
  }
}

export class WhatsApp {
  readonly devices = new Map<string, Device>()
  service: Service = 'up'
  /** Probability that an ack of the server gets lost. */
  acksLost = 0
  readonly #world: World
  readonly #chance: Chance
  readonly #audit: Audit
  #accounts = 0

  constructor(world: World, chance: Chance, audit: Audit) {
    this.#world = world
    this.#chance = chance
    this.#audit = audit
  }

  add(ref: ConnectionRef, chats: readonly string[]): Device {
    const device = new Device(
      ref,
      chats.map((chat) => new Phone(this.#audit, keyOf(ref), chat)),
    )
    this.devices.set(device.key, device)
    return device
  }

  device(ref: ConnectionRef): Device {
    const device = this.devices.get(keyOf(ref))
    if (device === undefined) throw new Error(`no device: ${ref.connectionId}`)
    return device
  }

  get takesConnections(): boolean {
    return this.service !== 'refusing' && this.service !== 'silent'
  }

  /** A worker dials. */
  dial(ref: ConnectionRef, thread: Thread): Link {
    const device = this.device(ref)
    const link = new Link(this.#world, this.#chance, thread)
    link.served(
      (frame) => this.#hear(device, link, frame),
      () => this.#broken(device, link),
    )
    const service = this.#serviceFor(device)
    if (service === 'refusing') link.down({ kind: 'refused', upgradeStatus: 503 })
    else if (service !== 'silent') link.down({ kind: 'connected' })
    return link
  }

  /** The person scans the code that is shown. */
  scan(device: Device): boolean {
    const { linking } = device
    if (linking === undefined || this.#serviceFor(device) !== 'up') return false
    linking.down({ kind: 'linked', account: `account-${++this.#accounts}`, jid: '94714515253:7@s.whatsapp.net' })
    return true
  }

  /** The person removes the device on the phone. */
  unlink(device: Device): void {
    if (device.identity === undefined) return
    this.#world.log('whatsapp', `unlinks ${device.ref.connectionId}`)
    device.unlinked.add(device.identity)
    device.identity = undefined
    device.undelivered = []
    this.#audit.unlinked(device.key)
    this.#end(device, { kind: 'end', statusCode: 401, conflict: 'device_removed' })
  }

  /** Ends the device's session as the server does. */
  drop(device: Device, end: Extract<ToClient, { kind: 'end' }>): void {
    this.#end(device, end)
  }

  cut(device: Device, noticed: boolean): void {
    device.session?.link.cut(noticed)
  }

  /** A person writes to the device. */
  write(device: Device, chat: string, whatsappId: string): void {
    const phone = device.phones.get(chat)
    if (phone === undefined || device.identity === undefined) return
    const ciphertext = phone.write(device.identity, whatsappId, `hello from ${whatsappId}`)
    this.#audit.written(device.key, whatsappId)
    this.#queue(device, { kind: 'message', whatsappId, chat, ciphertext })
  }

  /** A person reads what came. */
  read(device: Device, chat: string): void {
    const whatsappId = device.phones.get(chat)?.shown.at(-1)
    if (whatsappId !== undefined) this.#receipt(device, whatsappId, 'read')
  }

  // ── What devices say ──────────────────────────────────────────────────────────────────────────────────────────────────

  #hear(device: Device, link: Link, frame: ToServer): void {
    const service = this.#serviceFor(device)
    if (service === 'silent') {
      // What a stream swallowed does not come later, nor does anything behind it.
      link.cut(false)
      return
    }
    switch (frame.kind) {
      case 'login':
        this.#login(device, link, frame.identity)
        return
      case 'link':
        device.linking = link
        link.down({ kind: 'qr', text: `qr-${this.#chance.id().slice(0, 8)}` })
        return
      case 'link_reply':
        device.linking = undefined
        device.identity = frame.identity
        this.#world.log('whatsapp', `links ${device.ref.connectionId}`)
        this.#audit.linked(device.key, frame.identity)
        link.down({ kind: 'end', statusCode: 515 })
        return
      case 'ping':
      case 'prekeys':
        link.down({ kind: 'answer', query: frame.query })
        return
      default:
        // What a replaced or unlinked session still had on its way is dropped.
        if (device.session?.link !== link) return
        this.#hearSession(device, link, frame)
    }
  }

  #hearSession(
    device: Device,
    link: Link,
    frame: Extract<ToServer, { kind: 'message' | 'receipt' | 'receipt_ack' | 'remove_device' }>,
  ): void {
    switch (frame.kind) {
      case 'message':
        this.#message(device, link, frame)
        return
      case 'receipt':
        this.#audit.inboundAcknowledged(device.key, frame.whatsappId)
        device.undelivered = device.undelivered.filter(
          (item) => item.kind !== 'message' || item.whatsappId !== frame.whatsappId,
        )
        link.down({ kind: 'receipt_ack', whatsappId: frame.whatsappId })
        return
      case 'receipt_ack':
        this.#audit.receiptAcknowledged(device.key, frame.whatsappId, frame.step)
        device.undelivered = device.undelivered.filter(
          (item) => item.kind !== 'receipt' || item.whatsappId !== frame.whatsappId || item.step !== frame.step,
        )
        return
      case 'remove_device':
        link.down({ kind: 'answer', query: frame.query })
        this.unlink(device)
    }
  }

  #login(device: Device, link: Link, identity: string): void {
    const service = this.#serviceFor(device)
    if (typeof service === 'object') {
      link.down({ kind: 'end', statusCode: service.failure })
      return
    }
    if (device.identity !== identity) {
      link.down({ kind: 'end', statusCode: 401 })
      return
    }
    const replaced = device.session
    if (replaced !== undefined && replaced.link !== link) {
      replaced.link.down({ kind: 'end', statusCode: 440, conflict: 'replaced' })
    }
    device.session = { link, identity }
    this.#world.log('whatsapp', `logs ${device.ref.connectionId} in for ${link.thread.process.name}`)
    link.down({ kind: 'success' })
    for (const item of device.undelivered) link.down(item)
  }

  #message(device: Device, link: Link, message: Ciphertext): void {
    const { whatsappId, chat } = message
    const error = device.refusesWith
    this.#audit.arrived(whatsappId, error === undefined)
    this.#world.log('whatsapp', `has ${whatsappId} of ${device.ref.connectionId} by ${link.thread.process.name}`)
    // A refusal is not lost: sent once more and taken then, it would stand behind what was sent meanwhile.
    if (error !== undefined || !this.#chance.happens(this.acksLost)) {
      link.down({ kind: 'ack', whatsappId, ...(error === undefined ? {} : { error }) })
    }
    if (error !== undefined) return
    const phone = device.phones.get(chat)
    if (phone === undefined) return
    // A phone gets what is sent to it in order.
    phone.reachedAt = Math.max(phone.reachedAt, this.#world.now + this.#chance.between(20, 400))
    this.#world.after(phone.reachedAt - this.#world.now, () => {
      if (phone.receive(message)) this.#receipt(device, whatsappId, 'delivered')
    })
  }

  #receipt(device: Device, whatsappId: string, step: ReceiptStep): void {
    if (device.identity === undefined) return
    const same = (item: Undelivered) => item.kind === 'receipt' && item.whatsappId === whatsappId && item.step === step
    if (!device.undelivered.some(same)) this.#queue(device, { kind: 'receipt', whatsappId, step })
  }

  #queue(device: Device, item: Undelivered): void {
    device.undelivered.push(item)
    device.session?.link.down(item)
  }

  #end(device: Device, end: Extract<ToClient, { kind: 'end' }>): void {
    const { session } = device
    device.session = undefined
    session?.link.down(end)
  }

  #broken(device: Device, link: Link): void {
    if (device.session?.link === link) device.session = undefined
    if (device.linking === link) device.linking = undefined
  }

  #serviceFor(device: Device): Service {
    return this.service === 'up' ? device.service : this.service
  }
}
