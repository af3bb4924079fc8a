import { areJidsSameUser, type BinaryNode } from '@whiskeysockets/baileys'
import type { Creds } from '../auth/auth-state.ts'
import type { SendReceipt, ServerAck } from '../ports.ts'

/** `<ack class="message">`: WhatsApp took a send, or refused it with an error code. */
export function readAck(node: BinaryNode): ServerAck | undefined {
  const { id, error } = node.attrs
  if (id === undefined) return undefined
  return { whatsappId: id, ...(error !== undefined && { error }) }
}

/**
 * What a receipt says about our sends; none for a request to send again, and none from our own other devices. It may come
 * from the recipient's LID for a message that went to the phone number: only the ids count.
 */
export function readReceipt(node: BinaryNode, me: Creds['me']): readonly SendReceipt[] {
  const { id, from, participant, recipient, type, t } = node.attrs
  const step = stepOf(type)
  if (id === undefined || from === undefined || step === undefined || recipient !== undefined) return []
  const author = participant ?? from
  if (me !== undefined && (areJidsSameUser(author, me.id) || areJidsSameUser(author, me.lid))) return []
  const at = Number(t ?? 0) * 1000
  return [id, ...listedIds(node)].map((whatsappId) => ({ whatsappId, step, at }))
}

function stepOf(type: string | undefined): SendReceipt['step'] | undefined {
  switch (type) {
    case undefined:
    case 'delivery':
    case 'inactive':
      return 'delivered'
    case 'read':
      return 'read'
    case 'played':
      return 'played'
    default:
      return undefined
  }
}

function listedIds(node: BinaryNode): string[] {
  if (!Array.isArray(node.content)) return []
  const list = node.content.find(({ tag }) => tag === 'list')
  if (!Array.isArray(list?.content)) return []
  return list.content.flatMap(({ tag, attrs }) => (tag === 'item' && attrs.id !== undefined ? [attrs.id] : []))
}
