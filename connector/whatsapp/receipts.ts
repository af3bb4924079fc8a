import { areJidsSameUser, type BinaryNode, isJidGroup, jidDecode } from '@whiskeysockets/baileys'
import type { Participant } from '../../shared/domain/receipts.ts'
import type { ConnectionAuthState } from '../auth/auth-state.ts'
import type { SendReceipt, ServerAck } from '../ports.ts'
import type { GroupCache } from './groups.ts'
import { idsOfPerson } from './person-ids.ts'

/** `<ack class="message">`: WhatsApp took a send, or refused it with an error code. */
export function readAck(node: BinaryNode): ServerAck | undefined {
  const { id, error } = node.attrs
  if (id === undefined) return undefined
  return { whatsappId: id, ...(error !== undefined && { error }) }
}

/**
 * What a receipt says about our sends; none for a request to send again, and none from our own other devices. It may come
 * from the recipient's LID for a message that went to the phone number: only the ids count. In a group it says which member it is of.
 */
export function readReceipt(
  node: BinaryNode,
  state: Pick<ConnectionAuthState, 'creds' | 'read'>,
  groups?: Pick<GroupCache, 'idsOfMember'>,
): readonly SendReceipt[] {
  const { me } = state.creds
  const { id, from, participant, recipient, type, t } = node.attrs
  const step = stepOf(type)
  if (id === undefined || from === undefined || step === undefined || recipient !== undefined) return []
  const author = participant ?? from
  if (me !== undefined && (areJidsSameUser(author, me.id) || areJidsSameUser(author, me.lid))) return []
  const at = Number(t ?? 0) * 1000
  const member =
    isJidGroup(from) && participant !== undefined
      ? memberOf(node, participant, [
          ...idsOfPerson(participant, state),
          ...(groups?.idsOfMember(from, participant) ?? []),
        ])
      : undefined
  const by = member === undefined ? {} : { participant: member }
  return [id, ...listedIds(node)].map((whatsappId) => ({ whatsappId, step, at, ...by }))
}

/** By what the stanza says, or else by what is `known` of who has which LID. */
function memberOf({ attrs }: BinaryNode, participant: string, known: readonly string[]): Participant | undefined {
  const told = [participant, attrs.participant_lid, attrs.participant_pn].filter((jid) => jid !== undefined)
  const ids = [...told, ...known].map((jid) => jidDecode(jid))
  const lid = ids.find((each) => each?.server === 'lid')?.user
  const phone = ids.find((each) => each?.server === 's.whatsapp.net')?.user
  if (lid === undefined && phone === undefined) return undefined
  return { ...(phone !== undefined && { phoneNumber: `+${phone}` }), ...(lid !== undefined && { lid: `${lid}@lid` }) }
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
