/**
 * What a phone sends: encrypted for each device of a number, or with its sender key for a group, and handed to the router
 * in the stanzas that clients write. It keeps what it sent, for retries and for receipts.
 */

import { randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { type Attributes, type BinaryNode, node } from './binary-node.ts'
import type { Account } from './directory.ts'
import type { Group } from './groups.ts'
import { type DeviceAddress, deviceKey, formatJid, lidOf } from './jids.ts'
import { isMediaKind } from './media-crypto.ts'
import { uploadMedium } from './media-upload.ts'
import { type BuiltMessage, buildMessage, type KnownMessage } from './message-builder.ts'
import { pad } from './message-padding.ts'
import { describeMessage } from './message-view.ts'
import type { OutgoingMedium, OutgoingMessage } from './outgoing-messages.ts'
import type { PhoneKeys } from './phone-keys.ts'
import { bundleFromRetry } from './prekey-nodes.ts'
import { type SentMessage, SentMessages } from './sent-messages.ts'
import type { Simulator } from './simulator.ts'

export type Destination = { kind: 'number'; account: Account } | { kind: 'group'; group: Group }

/** How a device that could not decrypt is answered: to it alone, with the count of its request. */
interface Resend {
  device: DeviceAddress
  count: number
}

const RETRIES_MAX = 5

export class Outbox {
  readonly sent = new SentMessages()
  readonly #simulator: Simulator
  readonly #own: DeviceAddress
  readonly #keys: PhoneKeys
  readonly #known: (id: string, group: Group | undefined) => KnownMessage | undefined

  constructor(
    simulator: Simulator,
    phoneNumber: string,
    keys: PhoneKeys,
    known: (id: string, group: Group | undefined) => KnownMessage | undefined,
  ) {
    this.#simulator = simulator
    this.#own = { phoneNumber, device: 0 }
    this.#keys = keys
    this.#known = known
  }

  /** Uploads the medium if there is one, and builds the protobuf; throws UnknownMessage for an id that the phone does not know. */
  async compose(request: OutgoingMessage, destination: Destination): Promise<BuiltMessage> {
    const group = destination.kind === 'group' ? destination.group : undefined
    const { phoneNumber } = this.#own
    return buildMessage(request, {
      ownJid: group ? group.jidOf(phoneNumber) : formatJid(lidOf(phoneNumber), 'lid'),
      chatJid: jidOf(destination),
      group: group !== undefined,
      nowMs: this.#simulator.now(),
      known: (id) => this.#known(id, group),
      jidOf: (who) => {
        if (who.includes('@')) return who
        const number = who.replaceAll(/\D/g, '')
        return group ? group.jidOf(number) : formatJid(lidOf(number), 'lid')
      },
      ...(isMediaKind(request.kind) ? { medium: await uploadMedium(this.#simulator, request as OutgoingMedium) } : {}),
    })
  }

  /** Resolves with the id once the message is on its way. */
  async send(built: BuiltMessage, destination: Destination, id = newMessageId()): Promise<string> {
    const { type, mediaType, edit } = built
    const message = Buffer.from(proto.Message.encode(built.message).finish())
    const sentMessage = {
      id,
      to: destination.kind === 'group' ? destination.group.id : destination.account.phoneNumber,
      sentAt: new Date(this.#simulator.now()).toISOString(),
      view: describeMessage(proto.Message.decode(message)) ?? { kind: 'other' as const },
      message,
      attrs: { type, ...(mediaType === undefined ? {} : { mediaType }), ...(edit === undefined ? {} : { edit }) },
    }
    this.sent.add(sentMessage)
    await this.#transmit(sentMessage, destination)
    return id
  }

  /** A retry receipt: the message again, in a session opened anew. */
  async sendAgain(device: DeviceAddress, id: string, receipt: BinaryNode): Promise<void> {
    const sent = this.sent.get(id)
    const destination = sent && this.#destination(sent.to)
    if (!sent || !destination) return
    const count = this.sent.noteRetry(device, id)
    if (count > RETRIES_MAX) return
    const bundle = bundleFromRetry(receipt) ?? this.#simulator.directory.takeBundle(device)
    if (!bundle) return
    await this.#keys.signal.startSession(device, bundle)
    await this.#transmit(sent, destination, { device, count })
  }

  #destination(to: string): Destination | undefined {
    const group = this.#simulator.groups.get(to)
    if (group) return { kind: 'group', group }
    const account = this.#simulator.directory.account(to)
    return account && { kind: 'number', account }
  }

  async #transmit(sent: Omit<SentMessage, 'receipts'>, destination: Destination, resend?: Resend): Promise<void> {
    const { type, edit } = sent.attrs
    const attrs: Attributes = { id: sent.id, to: jidOf(destination), type, ...(edit === undefined ? {} : { edit }) }
    const content =
      destination.kind === 'group'
        ? await this.#forGroup(sent, destination.group, attrs, resend)
        : await this.#forNumber(sent, destination.account, resend)
    this.#simulator.router.routeMessage(this.#own, node('message', attrs, content))
  }

  async #forNumber(
    { message, attrs }: Omit<SentMessage, 'receipts'>,
    to: Account,
    resend: Resend | undefined,
  ): Promise<BinaryNode[]> {
    const { directory } = this.#simulator
    const own = directory.account(this.#own.phoneNumber)
    const others = own && own !== to ? directory.devices(own) : []
    const targets = resend
      ? [resend.device]
      : [...directory.devices(to), ...others].filter((each) => deviceKey(each) !== deviceKey(this.#own))
    const copy = this.#ownCopy(message, formatJid(to.lid, 'lid'))
    const copies: BinaryNode[] = []
    for (const target of targets) {
      const plaintext = target.phoneNumber === this.#own.phoneNumber ? copy : message
      copies.push(...(await this.#copyFor(target, plaintext, encAttrs(attrs.mediaType, resend))))
    }
    return [node('participants', {}, copies)]
  }

  /** The sender key's ciphertext for all, and the key itself for the devices that do not have it. */
  async #forGroup(
    { message, attrs }: Omit<SentMessage, 'receipts'>,
    group: Group,
    stanza: Attributes,
    resend: Resend | undefined,
  ): Promise<BinaryNode[]> {
    stanza.addressing_mode = group.record.addressingMode
    if (resend) return this.#resendInGroup(message, group, stanza, encAttrs(attrs.mediaType, resend), resend.device)
    const members = this.#simulator.groups.devices(group).filter((each) => deviceKey(each) !== deviceKey(this.#own))
    const { body, distribution, newTo } = await this.#keys.senderKeys.encrypt(group.id, members, pad(message))
    const handedOut = distributionMessage(group, distribution)
    const key = Buffer.from(proto.Message.encode(handedOut).finish())
    const copies: BinaryNode[] = []
    for (const target of newTo) copies.push(...(await this.#copyFor(target, key, { v: '2' }, group)))
    const encrypted = node('enc', { ...encAttrs(attrs.mediaType, undefined), type: 'skmsg' }, body)
    return copies.length === 0 ? [encrypted] : [encrypted, node('participants', {}, copies)]
  }

  /** To one device, in its own session: the message, and the sender key for those that follow. */
  async #resendInGroup(
    message: Buffer,
    group: Group,
    stanza: Attributes,
    attrs: Attributes,
    device: DeviceAddress,
  ): Promise<BinaryNode[]> {
    stanza.participant = group.jidOf(device.phoneNumber, device.device)
    const handedOut = distributionMessage(group, await this.#keys.senderKeys.distribution(group.id))
    const whole = Buffer.from(proto.Message.encode({ ...proto.Message.decode(message), ...handedOut }).finish())
    const copy = device.phoneNumber === this.#own.phoneNumber ? this.#ownCopy(whole, group.id) : whole
    const encrypted = await this.#keys.encrypt(device, pad(copy))
    return encrypted ? [node('enc', { ...attrs, type: encrypted.type }, encrypted.body)] : []
  }

  /** None for a device that is unlinked. */
  async #copyFor(target: DeviceAddress, plaintext: Buffer, attrs: Attributes, group?: Group): Promise<BinaryNode[]> {
    const encrypted = await this.#keys.encrypt(target, pad(plaintext))
    if (!encrypted) return []
    const { phoneNumber, device } = target
    const jid = group ? group.jidOf(phoneNumber, device) : formatJid(lidOf(phoneNumber), 'lid', device)
    return [node('to', { jid }, [node('enc', { ...attrs, type: encrypted.type }, encrypted.body)])]
  }

  /** What own devices are sent: the message, and whom it went to. */
  #ownCopy(message: Buffer, destinationJid: string): Buffer {
    const deviceSentMessage = { destinationJid, message: proto.Message.decode(message) }
    return Buffer.from(proto.Message.encode({ deviceSentMessage }).finish())
  }
}

function distributionMessage(group: Group, distribution: Buffer): proto.IMessage {
  return { senderKeyDistributionMessage: { groupId: group.id, axolotlSenderKeyDistributionMessage: distribution } }
}

function encAttrs(mediaType: string | undefined, resend: Resend | undefined): Attributes {
  return {
    v: '2',
    ...(mediaType === undefined ? {} : { mediatype: mediaType }),
    ...(resend ? { count: resend.count.toString() } : {}),
  }
}

function jidOf(destination: Destination): string {
  return destination.kind === 'group' ? destination.group.id : formatJid(destination.account.lid, 'lid')
}

function newMessageId(): string {
  return `3A${randomBytes(9).toString('hex').toUpperCase()}`
}
