import {
  areJidsSameUser,
  type BinaryNode,
  isJidGroup,
  jidDecode,
  jidNormalizedUser,
  proto,
  unpadRandomMax16,
} from '@whiskeysockets/baileys'
import { isChannel, statusChat } from '../../shared/domain/ignoring.ts'
import type { ConnectionAuthState, KeptInbound } from '../auth/auth-state.ts'
import type { InboundMessage } from '../ports.ts'
import { type ReceivedContent, receivedContent } from './received-content.ts'

/** With what it is about as WhatsApp names it: `References` finds it. */
export type ReadMessage = InboundMessage & Pick<ReceivedContent, 'target' | 'vote'>

/**
 * What a person would see of a decrypted message. Undefined for what nobody sees (keys, protocol messages), for our own
 * messages from other devices. Chat and sender are as the stanza addresses them (LID or phone
 * number), so that a redelivery gives the same; the other id of the sender is added where it is known.
 */
export function readInbound(
  kept: KeptInbound,
  state: Pick<ConnectionAuthState, 'creds' | 'read'>,
): ReadMessage | undefined {
  const { envelope, whatsappId } = kept
  const { from, participant } = envelope
  if (from === undefined || envelope.category === 'peer') return undefined
  const group = isJidGroup(from)
  const shared = group || from === statusChat
  const author = shared ? participant : from
  if (author === undefined || !isPerson(author)) return undefined
  const { me } = state.creds
  if (me !== undefined && (areJidsSameUser(author, me.id) || areJidsSameUser(author, me.lid))) return undefined
  const received = contentOf(() => unpadRandomMax16(kept.plaintext), shared ? undefined : me?.id)
  if (received === undefined) return undefined
  const sender = jidNormalizedUser(author)
  const lid = lidOf(sender, envelope, state)
  const phone = phoneOf(sender, envelope, state)
  return {
    whatsappId,
    chat: shared ? from : sender,
    sender,
    ...(phone !== undefined && { senderPhoneNumber: phone }),
    ...(lid !== undefined && { senderLid: lid }),
    ...(envelope.notify !== undefined && { name: envelope.notify }),
    ...received,
    sentAt: Number(envelope.t ?? 0) * 1000,
  }
}

/**
 * What a channel published: in the clear, by the channel. Undefined for what is no such message, what nobody sees, and for what
 * this account published itself.
 */
export function readPublished(stanza: BinaryNode): ReadMessage | undefined {
  const { id, from, t, is_sender: own } = stanza.attrs
  if (id === undefined || from === undefined || !isChannel(from) || own === 'true') return undefined
  if (!Array.isArray(stanza.content)) return undefined
  const published = stanza.content.find(({ tag }) => tag === 'plaintext')?.content
  if (!(published instanceof Uint8Array)) return undefined
  const received = contentOf(() => published)
  if (received === undefined) return undefined
  return { whatsappId: id, chat: from, sender: from, ...received, sentAt: Number(t ?? 0) * 1000 }
}

function contentOf(message: () => Uint8Array, other?: string): ReceivedContent | undefined {
  let decoded: proto.IMessage
  try {
    decoded = proto.Message.decode(message())
  } catch {
    return { content: { type: 'unsupported', kind: 'undecodable' } }
  }
  return receivedContent(decoded, { other })
}

function isPerson(jid: string): boolean {
  return /@(s\.whatsapp\.net|lid|hosted|hosted\.lid)$/.test(jid)
}

function lidOf(
  sender: string,
  envelope: KeptInbound['envelope'],
  state: Pick<ConnectionAuthState, 'read'>,
): string | undefined {
  if (sender.endsWith('@lid')) return sender
  const told = envelope.participant_lid ?? envelope.sender_lid
  if (told !== undefined) return jidNormalizedUser(told)
  const mapped = state.read('lid-mapping', jidDecode(sender)?.user ?? '')
  return typeof mapped === 'string' ? `${mapped}@lid` : undefined
}

/** E.164. */
function phoneOf(
  sender: string,
  envelope: KeptInbound['envelope'],
  state: Pick<ConnectionAuthState, 'read'>,
): string | undefined {
  const user = jidDecode(sender)?.user ?? ''
  if (!sender.endsWith('@lid')) return `+${user}`
  const told = envelope.participant_pn ?? envelope.sender_pn
  if (told !== undefined) return `+${jidDecode(told)?.user ?? told}`
  const mapped = state.read('lid-mapping', `${user}_reverse`)
  return typeof mapped === 'string' ? `+${mapped}` : undefined
}
