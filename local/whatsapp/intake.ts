/**
 * What a phone receives: decrypted with the session of the sender's device or with its sender key for the group. What does
 * not decrypt is asked for again, from the second time on with keys.
 */

import { proto } from '@whiskeysockets/baileys'
import {
  type Attributes,
  type BinaryNode,
  bigEndian,
  child,
  children,
  contentBytes,
  node,
  unixSeconds,
} from './binary-node.ts'
import { KEY_TYPE } from './curve.ts'
import { identityHolds } from './device-identity.ts'
import type { Group } from './groups.ts'
import type { Inbox, InboxMessage } from './inbox.ts'
import { type DeviceAddress, deviceKey, formatJid, lidOf } from './jids.ts'
import type { KnownMessage } from './message-builder.ts'
import { unpad } from './message-padding.ts'
import { describeMessage, type MessageView, protobufField } from './message-view.ts'
import type { PhoneKeys } from './phone-keys.ts'
import { decryptVote } from './poll-votes.ts'
import { retryKeys } from './prekey-nodes.ts'
import type { Simulator } from './simulator.ts'

/** What became of a `<message>` for the phone. */
export type Taken =
  | { kind: 'shown'; entry: InboxMessage }
  /** A copy of what an own companion sent. */
  | { kind: 'own'; id: string; view: MessageView; group: Group | undefined }
  /** Only keys, or a copy of a message that is shown already and did not decrypt again. */
  | { kind: 'nothing' }
  | { kind: 'again'; entry: InboxMessage }

const RETRIES_MAX = 5
/** From the second retry on a retry receipt carries a bundle, since the sender's session may be the cause. */
const RETRY_WITH_KEYS = 2

export class Intake {
  readonly #simulator: Simulator
  readonly #own: DeviceAddress
  readonly #keys: PhoneKeys
  readonly #inbox: Inbox
  readonly #known: (id: string, group: Group | undefined) => KnownMessage | undefined
  /** The device identity that was verified last, by companion. */
  readonly #checkedIdentities = new Map<string, Buffer>()

  constructor(
    simulator: Simulator,
    phoneNumber: string,
    keys: PhoneKeys,
    inbox: Inbox,
    known: (id: string, group: Group | undefined) => KnownMessage | undefined,
  ) {
    this.#simulator = simulator
    this.#own = { phoneNumber, device: 0 }
    this.#keys = keys
    this.#inbox = inbox
    this.#known = known
  }

  async take(sender: DeviceAddress, stanza: BinaryNode): Promise<Taken> {
    const { id = '', from } = stanza.attrs
    const group = this.#simulator.groups.get(from)
    let message: proto.IMessage | undefined
    try {
      message = await this.#open(sender, group, stanza)
    } catch (error) {
      return this.#failed(sender, group, stanza, error instanceof Error ? error.message : String(error))
    }
    this.#inbox.resolve(sender.phoneNumber, id)
    this.#simulator.stats.decrypted(this.#own.phoneNumber, id)
    const view = describeMessage(message)
    if (!view) return { kind: 'nothing' }
    if (view.pollVote) this.#readVote(message, view.pollVote, sender, group)
    if (sender.phoneNumber === this.#own.phoneNumber) return { kind: 'own', id, view, group }
    const entry = this.#inbox.add({
      id,
      from: sender.phoneNumber,
      device: sender.device,
      ...(group ? { group: group.id } : {}),
      type: protobufField(message),
      ...view,
      text: view.text,
      receivedAt: new Date(this.#simulator.now()).toISOString(),
    })
    return { kind: 'shown', entry }
  }

  /** All ciphertexts of the stanza in order: one may bring the key that the next one needs. */
  async #open(sender: DeviceAddress, group: Group | undefined, stanza: BinaryNode): Promise<proto.IMessage> {
    let message: proto.IMessage | undefined
    let problem: unknown
    for (const encrypted of children(stanza, 'enc')) {
      try {
        if (encrypted.attrs.type === 'pkmsg') this.#checkIdentity(sender, stanza)
        const decoded = proto.Message.decode(unpad(await this.#plaintext(sender, group, encrypted)))
        const opened = decoded.deviceSentMessage?.message ?? decoded
        const distribution = opened.senderKeyDistributionMessage
        if (distribution?.axolotlSenderKeyDistributionMessage && distribution.groupId) {
          await this.#keys.senderKeys.learn(
            distribution.groupId,
            sender,
            distribution.axolotlSenderKeyDistributionMessage,
          )
        }
        if (!message || describeMessage(opened)) message = opened
      } catch (error) {
        problem = error
      }
    }
    // A key that could not be read does not matter if the message could; the message itself always does.
    if (message && (problem === undefined || describeMessage(message))) return message
    throw problem ?? new Error('no ciphertext')
  }

  async #plaintext(sender: DeviceAddress, group: Group | undefined, encrypted: BinaryNode): Promise<Uint8Array> {
    const body = contentBytes(encrypted)
    const { type } = encrypted.attrs
    if (body && (type === 'pkmsg' || type === 'msg')) return this.#keys.signal.decrypt(sender, type, body)
    if (body && type === 'skmsg' && group) return this.#keys.senderKeys.decrypt(group.id, sender, body)
    throw new Error(`no ciphertext of a known type (${type})`)
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

  /** Clients differ in which of their two addresses they vote under. */
  #readVote(
    message: proto.IMessage,
    shown: NonNullable<MessageView['pollVote']>,
    voter: DeviceAddress,
    group: Group | undefined,
  ): void {
    const known = this.#known(shown.of.id, group)
    const poll = known?.view.poll
    const creator = known && this.#simulator.directory.accountOf(known.authorJid)?.phoneNumber
    if (!poll?.secret || creator === undefined) return
    for (const creatorJid of addresses(creator)) {
      for (const voterJid of addresses(voter.phoneNumber)) {
        const context = { pollId: shown.of.id, secret: Buffer.from(poll.secret, 'base64'), creatorJid, voterJid }
        shown.options ??= decryptVote(message.pollUpdateMessage?.vote, context, poll.options)
      }
    }
  }

  #failed(sender: DeviceAddress, group: Group | undefined, stanza: BinaryNode, reason: string): Taken {
    const { stats, events, router, now } = this.#simulator
    const { id = '', recipient } = stanza.attrs
    // A copy of a message that is shown already: the sender needs its receipt, not a request for one more copy.
    const shown = this.#inbox.get(sender.phoneNumber, id)
    if (shown) {
      stats.decryptFailures++
      shown.arrivals++
      return { kind: 'again', entry: shown }
    }
    const failed = this.#inbox.failed(sender.phoneNumber, sender.device, id, reason)
    stats.decryptFailed(this.#own.phoneNumber, id)
    events.publish({ event: 'undecryptable', id, phone: this.#own.phoneNumber, from: deviceKey(sender), reason })
    if (failed.failures > RETRIES_MAX) return { kind: 'nothing' }
    const count = failed.failures.toString()
    const { signal } = this.#keys
    const content = [
      node('retry', { count, id, t: stanza.attrs.t ?? unixSeconds(now()), v: '1', error: '0' }),
      node('registration', {}, bigEndian(signal.registrationId, 4)),
    ]
    if (failed.failures >= RETRY_WITH_KEYS) content.push(retryKeys(signal.takeBundle(), KEY_TYPE))
    const attrs = receiptAttrs(sender, group, id, 'retry')
    if (recipient !== undefined) attrs.recipient = recipient
    router.routeReceipt(this.#own, node('receipt', attrs, content))
    return { kind: 'nothing' }
  }
}

/** Whom a receipt about a message of `author` goes to, in a group by way of the group. */
export function receiptAttrs(
  author: DeviceAddress,
  group: Group | undefined,
  id: string,
  type: string | undefined,
): Attributes {
  const { phoneNumber, device } = author
  const to: Attributes = group
    ? { to: group.id, participant: group.jidOf(phoneNumber, device) }
    : { to: formatJid(lidOf(phoneNumber), 'lid', device) }
  return { ...to, id, ...(type === undefined ? {} : { type }) }
}

function addresses(phoneNumber: string): string[] {
  return [formatJid(lidOf(phoneNumber), 'lid'), formatJid(phoneNumber, 's.whatsapp.net')]
}
