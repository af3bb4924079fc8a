/**
 * From device to device: a message goes to every device that it was encrypted for, never back to the one that sent it; a
 * receipt goes to all devices of the account it is for, a request for a retry only to the device that can answer it.
 */

import { type Attributes, type BinaryNode, child, children, node, unixSeconds } from './binary-node.ts'
import { commonAttributes, deliver, messageContent, type Routing } from './delivery.ts'
import type { Account } from './directory.ts'
import { receiptInGroup, routeToGroup } from './group-routing.ts'
import { type DeviceAddress, deviceKey, formatJid, parseJid } from './jids.ts'
import type { Simulator } from './simulator.ts'

/** What a message may be addressed to, by the server part of its JID. */
type Route = (simulator: Simulator, sender: DeviceAddress, stanza: BinaryNode) => Routing

const NOT_FOUND = 404
const BAD_REQUEST = 400
const NOT_IMPLEMENTED = 501

const ROUTES: Record<string, Route> = {
  's.whatsapp.net': routeToNumber,
  lid: routeToNumber,
  'g.us': routeToGroup,
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
    return route ? route(this.#simulator, sender, stanza) : { kind: 'refused', error: NOT_IMPLEMENTED }
  }

  /** A `<receipt>` as the device that received the message wrote it. */
  routeReceipt(sender: DeviceAddress, receipt: BinaryNode): void {
    const { directory, groups, events, stats, now } = this.#simulator
    const { type, id = '', to = '', participant, recipient } = receipt.attrs
    const group = groups.get(to)
    const target = directory.addressOf(group ? participant : to)
    const account = target && directory.account(target.phoneNumber)
    const own = directory.account(sender.phoneNumber)
    if (!target || !account || !own || (type !== undefined && OWN_RECEIPTS.has(type))) return
    // `inactive` says that the receiving client has no window in front; for the sender it is delivered like any other.
    const shownType = type === 'inactive' ? undefined : type
    const attrs: Attributes = {
      id,
      t: unixSeconds(now()),
      ...(group ? receiptInGroup(group, sender) : senderOf(own, sender)),
    }
    if (shownType !== undefined) attrs.type = shownType
    if (recipient !== undefined) attrs.recipient = recipient
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
}

function routeToNumber(simulator: Simulator, sender: DeviceAddress, stanza: BinaryNode): Routing {
  const { directory } = simulator
  const recipient = directory.accountOf(stanza.attrs.to)
  const author = directory.account(sender.phoneNumber)
  if (!recipient || !author) return { kind: 'refused', error: NOT_FOUND }
  const direct = child(stanza, 'enc')
  const copies = children(child(stanza, 'participants'), 'to').map(
    (to) => [directory.addressOf(to.attrs.jid), child(to, 'enc')] as const,
  )
  if (direct) copies.push([directory.addressOf(stanza.attrs.to), direct])
  const about = directory.accountOf(stanza.attrs.recipient) ?? recipient
  // Who is blocked is not told: its messages are acknowledged and end here.
  const blocked = recipient !== author && recipient.profile.blocked.has(author.phoneNumber)
  for (const [target, encrypted] of copies) {
    if (!target || !encrypted || deviceKey(target) === deviceKey(sender)) continue
    const toOwn = target.phoneNumber === author.phoneNumber
    if (!toOwn && (target.phoneNumber !== recipient.phoneNumber || blocked)) continue
    const attrs = {
      ...commonAttributes(simulator, author, stanza),
      ...chatAttributes(author, sender, about, toOwn, stanza),
    }
    deliver(simulator, sender, target, node('message', attrs, messageContent(stanza, [encrypted])))
  }
  if (recipient !== author && !blocked) {
    author.profile.noteChatWith(recipient.phoneNumber)
    recipient.profile.noteChatWith(author.phoneNumber)
  }
  return { kind: 'routed' }
}

function chatAttributes(
  author: Account,
  sender: DeviceAddress,
  about: Account,
  toOwn: boolean,
  stanza: BinaryNode,
): Attributes {
  const attrs: Attributes = { from: formatJid(author.lid, 'lid', sender.device), addressing_mode: 'lid' }
  const { category } = stanza.attrs
  if (!toOwn) attrs.sender_pn = formatJid(author.phoneNumber, 's.whatsapp.net')
  else if (category !== undefined) attrs.category = category
  else {
    attrs.recipient = formatJid(about.lid, 'lid')
    attrs.peer_recipient_pn = formatJid(about.phoneNumber, 's.whatsapp.net')
  }
  return attrs
}

function senderOf(own: Account, { device }: DeviceAddress): Attributes {
  const { lid, phoneNumber, phone } = own
  return {
    from:
      phone.settings.receiptsFrom === 'lid'
        ? formatJid(lid, 'lid', device)
        : formatJid(phoneNumber, 's.whatsapp.net', device),
  }
}
