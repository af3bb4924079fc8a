/**
 * From device to device: a message goes to every device that it was encrypted for, never back to the one that sent it; a
 * receipt goes to all devices of the account it is for, a request for a retry only to the device that can answer it.
 */

import { type BinaryNode, child, children, contentBytes, node, unixSeconds } from './binary-node.ts'
import type { Account } from './directory.ts'
import { type DeviceAddress, deviceKey, formatJid, parseJid } from './jids.ts'
import type { Simulator } from './simulator.ts'

export type Routing = { kind: 'routed' } | { kind: 'refused'; error: number }

/** What a message may be addressed to, by the server part of its JID. */
type Route = (router: Router, sender: DeviceAddress, stanza: BinaryNode) => Routing

const NOT_FOUND = 404
const BAD_REQUEST = 400
const NOT_IMPLEMENTED = 501

const ROUTES: Record<string, Route> = {
  's.whatsapp.net': (router, sender, stanza) => router.routeToNumber(sender, stanza),
  lid: (router, sender, stanza) => router.routeToNumber(sender, stanza),
}

/** Receipts that concern only the own account: acknowledged, and not passed on. */
const OWN_RECEIPTS: ReadonlySet<string> = new Set(['sender', 'read-self', 'played-self', 'peer_msg', 'hist_sync'])

export class Router {
  readonly #simulator: Simulator

  constructor(simulator: Simulator) {
    this.#simulator = simulator
  }

  /** A `<message>` as the sending device wrote it. */
  routeMessage(sender: DeviceAddress, stanza: BinaryNode): Routing {
    const server = parseJid(stanza.attrs.to)?.server
    if (!stanza.attrs.id || server === undefined) return { kind: 'refused', error: BAD_REQUEST }
    const route = ROUTES[server]
    return route ? route(this, sender, stanza) : { kind: 'refused', error: NOT_IMPLEMENTED }
  }

  routeToNumber(sender: DeviceAddress, stanza: BinaryNode): Routing {
    const { directory } = this.#simulator
    const recipient = directory.accountOf(stanza.attrs.to)
    if (!recipient) return { kind: 'refused', error: NOT_FOUND }
    const identity = child(stanza, 'device-identity')
    const direct = child(stanza, 'enc')
    const copies = children(child(stanza, 'participants'), 'to').map(
      (to) => [directory.addressOf(to.attrs.jid), child(to, 'enc')] as const,
    )
    if (direct) copies.push([directory.addressOf(stanza.attrs.to), direct])
    const about = directory.accountOf(stanza.attrs.recipient) ?? recipient
    for (const [target, encrypted] of copies) {
      if (!target || !encrypted) continue
      const ours = target.phoneNumber === sender.phoneNumber || target.phoneNumber === recipient.phoneNumber
      if (ours && deviceKey(target) !== deviceKey(sender))
        this.#deliver(sender, target, about, stanza, encrypted, identity)
    }
    return { kind: 'routed' }
  }

  /** A `<receipt>` as the device that received the message wrote it. */
  routeReceipt(sender: DeviceAddress, receipt: BinaryNode): void {
    const { directory, events, stats, now } = this.#simulator
    const { type, id = '', to = '' } = receipt.attrs
    const target = directory.addressOf(to)
    const account = target && directory.account(target.phoneNumber)
    const own = directory.account(sender.phoneNumber)
    if (!target || !account || !own || (type !== undefined && OWN_RECEIPTS.has(type))) return
    const { receiptsFrom } = own.phone.settings
    const from =
      receiptsFrom === 'lid'
        ? formatJid(own.lid, 'lid', sender.device)
        : formatJid(own.phoneNumber, 's.whatsapp.net', sender.device)
    // `inactive` says that the receiving client has no window in front; for the sender it is delivered like any other.
    const shownType = type === 'inactive' ? undefined : type
    const attrs: BinaryNode['attrs'] = { id, from, t: unixSeconds(now()) }
    if (shownType !== undefined) attrs.type = shownType
    if (receipt.attrs.recipient !== undefined) attrs.recipient = receipt.attrs.recipient
    const passedOn = node('receipt', attrs, receipt.content)
    if (type === 'retry') stats.resendAsked(id)
    events.publish({
      event: 'receipt',
      id,
      from: deviceKey(sender),
      to: deviceKey(target),
      type: shownType ?? 'delivered',
    })
    for (const device of type === 'retry' ? [target] : directory.devices(account)) {
      if (device.device === 0) account.phone.receiveReceipt(sender, passedOn)
      else directory.companion(device)?.mailbox.deliver(passedOn)
    }
  }

  #deliver(
    sender: DeviceAddress,
    target: DeviceAddress,
    about: Account,
    stanza: BinaryNode,
    encrypted: BinaryNode,
    identity: BinaryNode | undefined,
  ): void {
    const { directory, now } = this.#simulator
    const author = directory.account(sender.phoneNumber)
    const body = contentBytes(encrypted)
    if (!author || !body) return
    const { id = '', type = 'text', category } = stanza.attrs
    const attrs: BinaryNode['attrs'] = {
      id,
      type,
      from: formatJid(author.lid, 'lid', sender.device),
      t: unixSeconds(now()),
      addressing_mode: 'lid',
      notify: author.phone.settings.name || author.phoneNumber,
    }
    if (target.phoneNumber !== sender.phoneNumber) attrs.sender_pn = formatJid(author.phoneNumber, 's.whatsapp.net')
    else if (category === undefined) {
      attrs.recipient = formatJid(about.lid, 'lid')
      attrs.peer_recipient_pn = formatJid(about.phoneNumber, 's.whatsapp.net')
    } else attrs.category = category
    const content = [node('enc', encrypted.attrs, body)]
    if (identity && encrypted.attrs.type === 'pkmsg') content.push(node('device-identity', {}, contentBytes(identity)))
    const delivered = node('message', attrs, content)
    if (target.device === 0) directory.account(target.phoneNumber)?.phone.receive(sender, delivered)
    else directory.companion(target)?.mailbox.deliver(delivered)
  }
}
