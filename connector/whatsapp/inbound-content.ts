import {
  areJidsSameUser,
  getContentType,
  isJidGroup,
  jidDecode,
  jidNormalizedUser,
  normalizeMessageContent,
  proto,
  unpadRandomMax16,
} from '@whiskeysockets/baileys'
import type { ConnectionAuthState, KeptInbound } from '../auth/auth-state.ts'
import type { InboundMessage } from '../ports.ts'

/**
 * What a person would see of a decrypted message. Undefined for what nobody sees (keys, protocol messages), for our own
 * messages from other devices, and for status updates. Chat and sender are as the stanza addresses them (LID or phone
 * number), so that a redelivery gives the same; the other id of the sender is added where it is known.
 */
export function readInbound(
  kept: KeptInbound,
  state: Pick<ConnectionAuthState, 'creds' | 'read'>,
): InboundMessage | undefined {
  const { envelope, whatsappId } = kept
  const { from, participant } = envelope
  if (from === undefined || envelope.category === 'peer') return undefined
  const group = isJidGroup(from)
  const author = group ? participant : from
  if (author === undefined || !isPerson(author)) return undefined
  const { me } = state.creds
  if (me !== undefined && (areJidsSameUser(author, me.id) || areJidsSameUser(author, me.lid))) return undefined
  const content = contentOf(kept.plaintext)
  if (content === undefined) return undefined
  const sender = jidNormalizedUser(author)
  const lid = lidOf(sender, envelope, state)
  const phone = phoneOf(sender, envelope, state)
  return {
    whatsappId,
    chat: group ? from : sender,
    sender,
    ...(phone !== undefined && { senderPhoneNumber: phone }),
    ...(lid !== undefined && { senderLid: lid }),
    ...(envelope.notify !== undefined && { name: envelope.notify }),
    content,
    sentAt: Number(envelope.t ?? 0) * 1000,
  }
}

function contentOf(plaintext: Uint8Array): InboundMessage['content'] | undefined {
  let decoded: proto.IMessage
  try {
    decoded = proto.Message.decode(unpadRandomMax16(plaintext))
  } catch {
    return { type: 'unsupported', kind: 'undecodable' }
  }
  const message = normalizeMessageContent(decoded)
  const body = message?.conversation || message?.extendedTextMessage?.text
  if (body) return { type: 'text', text: { body } }
  const kind = getContentType(message)
  if (kind === undefined || kind === 'protocolMessage' || kind === 'senderKeyDistributionMessage') return undefined
  return { type: 'unsupported', kind }
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
