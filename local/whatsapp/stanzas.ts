/** The table of stanzas that a logged-in device sends, apart from queries. What is not in the table needs no answer. */

import { type BinaryNode, child, children, node, unixSeconds } from './binary-node.ts'
import type { CompanionDevice } from './companion-device.ts'
import type { Connection } from './connection.ts'
import type { Fault } from './faults.ts'
import { deviceKey } from './jids.ts'
import { stanzaKey } from './mailbox.ts'
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
}

const DEFAULT_BATCH = 100

export function takeStanza(context: StanzaContext, stanza: BinaryNode): void {
  HANDLERS[stanza.tag]?.(context, stanza)
}

function takeMessage({ simulator, connection, device }: StanzaContext, stanza: BinaryNode): void {
  const { stats, faults, events, router, now } = simulator
  const { id = '', to = '' } = stanza.attrs
  const arrivals = stats.messageArrived(id)
  events.publish({ event: 'message', id, from: deviceKey(device.address), to, arrivals })
  const ack = (error?: number): void => {
    const attrs = { class: 'message', id, from: to, t: unixSeconds(now()) }
    connection.send(node('ack', error === undefined ? attrs : { ...attrs, error: error.toString() }))
  }
  const refusal = faults.find('error-acks', connection)
  if (refusal) {
    faults.apply(refusal)
    ack(refusal.request.errorCode)
    return
  }
  const routing = router.routeMessage(device.address, stanza)
  if (routing.kind === 'refused') ack(routing.error)
  else if (!withheldBy(simulator, connection)) ack()
}

/** A fault that swallows this ack, counted as applied. */
function withheldBy({ faults }: Simulator, connection: Connection): Fault | undefined {
  const dropped = faults.find('drop-acks', connection)
  const fault =
    faults.find('no-acks', connection) ?? (dropped && Math.random() < dropped.request.share ? dropped : undefined)
  if (fault) faults.apply(fault)
  return fault
}

function takeReceipt({ simulator, connection, device }: StanzaContext, receipt: BinaryNode): void {
  const { id = '', to = '', type, participant } = receipt.attrs
  const ids = [id, ...children(child(receipt, 'list'), 'item').map(({ attrs }) => attrs.id ?? '')]
  for (const each of ids) device.mailbox.acknowledge(stanzaKey('message', each, '', undefined))
  const attrs: BinaryNode['attrs'] = { class: 'receipt', id, from: to, t: unixSeconds(simulator.now()) }
  if (type !== undefined) attrs.type = type
  if (participant !== undefined) attrs.participant = participant
  connection.send(node('ack', attrs))
  simulator.router.routeReceipt(device.address, receipt)
}

/** With or without an error: what the client acknowledged is not sent again. */
function takeAck({ device }: StanzaContext, ack: BinaryNode): void {
  const { class: kind = '', id = '', to = '', type } = ack.attrs
  device.mailbox.acknowledge(stanzaKey(kind, id, to, type))
}

function takeInfo({ device }: StanzaContext, info: BinaryNode): void {
  const batch = child(info, 'offline_batch')
  if (batch) device.mailbox.pull(Number(batch.attrs.count ?? DEFAULT_BATCH))
}
