/** The table of stanzas that a logged-in device sends, apart from queries. What is not in the table needs no answer. */

import { type BinaryNode, child, children, node, unixSeconds } from './binary-node.ts'
import type { CompanionDevice } from './companion-device.ts'
import type { Connection } from './connection.ts'
import type { Fault } from './faults.ts'
import { deviceKey } from './jids.ts'
import { stanzaKey } from './mailbox.ts'
import { concerns, type MessageFilter } from './message-faults.ts'
import type { Simulator } from './simulator.ts'

export interface StanzaContext {
  simulator: Simulator
  connection: Connection
  device: CompanionDevice
}

type Handler = (context: StanzaContext, stanza: BinaryNode) => void

const HANDLERS: Record<string, Handler> = {
  message: takeMessage,
  receipt: takeReceipt,
  ack: takeAck,
  ib: takeInfo,
  presence: takePresence,
  chatstate: takeChatState,
}

const DEFAULT_BATCH = 100
/** The type of the receipt by which a client asks its phone to upload a medium again. */
const MEDIA_LOST = 'server-error'

export function takeStanza(context: StanzaContext, stanza: BinaryNode): void {
  HANDLERS[stanza.tag]?.(context, stanza)
}

function takeMessage({ simulator, connection, device }: StanzaContext, stanza: BinaryNode): void {
  const { stats, faults, events, router, now } = simulator
  const { id = '', to = '' } = stanza.attrs
  const arrivals = stats.messageArrived(id)
  events.publish({ event: 'message', id, from: deviceKey(device.address), to, arrivals })
  const ack = (more: BinaryNode['attrs']): void =>
    connection.send(node('ack', { class: 'message', id, from: to, t: unixSeconds(now()), ...more }))
  const concerned = ({ messages }: { messages?: MessageFilter | undefined }) =>
    concerns(simulator, device.address, stanza, messages)
  const refusal = faults.find('error-acks', connection, concerned)
  if (refusal) {
    faults.apply(refusal)
    ack({ error: refusal.request.errorCode.toString() })
    return
  }
  const routing = router.routeMessage(device.address, stanza)
  if (routing.kind === 'refused') ack({ error: routing.error.toString() })
  else if (!withheldBy(simulator, connection, concerned))
    ack(routing.phash === undefined ? {} : { phash: routing.phash })
}

type Concerned = (request: { messages?: MessageFilter | undefined }) => boolean

/** A fault that swallows this ack, counted as applied. */
function withheldBy({ faults }: Simulator, connection: Connection, concerned: Concerned): Fault | undefined {
  const dropped = faults.find('drop-acks', connection, concerned)
  const fault =
    faults.find('no-acks', connection, concerned) ??
    (dropped && Math.random() < dropped.request.share ? dropped : undefined)
  if (fault) faults.apply(fault)
  return fault
}

function takeReceipt({ simulator, connection, device }: StanzaContext, receipt: BinaryNode): void {
  const { id = '', to = '', type, participant } = receipt.attrs
  const ids = [id, ...children(child(receipt, 'list'), 'item').map(({ attrs }) => attrs.id ?? '')]
  for (const each of ids) device.mailbox.acknowledge(stanzaKey('message', { id: each }))
  const attrs: BinaryNode['attrs'] = { class: 'receipt', id, from: to, t: unixSeconds(simulator.now()) }
  if (type !== undefined) attrs.type = type
  if (participant !== undefined) attrs.participant = participant
  connection.send(node('ack', attrs))
  if (type === MEDIA_LOST)
    simulator.directory.account(device.address.phoneNumber)?.phone.answerMediaRetry(device.address, receipt)
  else simulator.router.routeReceipt(device.address, receipt)
}

/** With or without an error: what the client acknowledged is not sent again. */
function takeAck({ device }: StanzaContext, ack: BinaryNode): void {
  const { class: kind = '', id = '', to, type, participant } = ack.attrs
  device.mailbox.acknowledge(stanzaKey(kind, { id, peer: to, type, participant }))
}

function takeInfo({ device }: StanzaContext, info: BinaryNode): void {
  const batch = child(info, 'offline_batch')
  if (batch) device.mailbox.pull(Number(batch.attrs.count ?? DEFAULT_BATCH))
}

function takePresence({ simulator, device }: StanzaContext, presence: BinaryNode): void {
  const { type, to } = presence.attrs
  if (type === 'available' || type === 'unavailable') simulator.presence.setAvailability(device.address, type)
  const account = type === 'subscribe' ? simulator.directory.accountOf(to) : undefined
  if (account) simulator.presence.subscribe(device, account.phoneNumber)
}

function takeChatState({ simulator, device }: StanzaContext, chatState: BinaryNode): void {
  const { to } = chatState.attrs
  const [state] = children(chatState)
  const chat = simulator.groups.get(to) ?? simulator.directory.accountOf(to)
  if (!chat || (state?.tag !== 'composing' && state?.tag !== 'paused')) return
  simulator.presence.type(device.address, chat, state.attrs.media === 'audio' ? 'recording' : state.tag)
}
