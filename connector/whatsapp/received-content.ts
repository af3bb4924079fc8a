import { getContentType, normalizeMessageContent, proto } from '@whiskeysockets/baileys'
import type { InboundAccompaniment, InboundContent, ReceivedMedium } from '../../shared/domain/content.ts'
import { readVcard } from './vcard.ts'

/** A message that another is about, as WhatsApp names it. */
export interface Target {
  readonly whatsappId: string
  /** JID of who wrote it; absent: the same person as wrote this one. */
  readonly author?: string
}

export interface ReceivedContent {
  /** `message_id` is WhatsApp's; a vote has no options yet. */
  readonly content: InboundContent
  /** What the message is about: quoted, reacted to, changed, voted on. */
  readonly target?: Target
  /** Encrypted with the secret of the poll. */
  readonly vote?: { readonly encPayload: Uint8Array; readonly encIv: Uint8Array }
}

export interface ReadingContext {
  /** JID that stands for the other side in a reference that names nobody: ours in a chat of two. */
  readonly other: string | undefined
}

const { REVOKE, MESSAGE_EDIT } = proto.Message.ProtocolMessage.Type

/** What a person would see of a message. Undefined for what nobody sees: keys, settings, sync. */
export function receivedContent(wrapped: proto.IMessage, { other }: ReadingContext): ReceivedContent | undefined {
  const message = normalizeMessageContent(wrapped)
  const kind = getContentType(message)
  if (!message || kind === undefined) return undefined
  const secret = wrapped.messageContextInfo?.messageSecret ?? message.messageContextInfo?.messageSecret
  const plain = readable(message, secret)
  if (plain !== undefined) return accompanied(plain, message[kind], isViewOnce(wrapped, message))
  const { reactionMessage, protocolMessage, pollUpdateMessage } = message
  if (reactionMessage?.key?.id) {
    const target = targetOf(reactionMessage.key, other)
    const emoji = reactionMessage.text ?? ''
    return { content: { type: 'reaction', reaction: { message_id: target.whatsappId, emoji } }, target }
  }
  if (pollUpdateMessage?.pollCreationMessageKey?.id) {
    const target = targetOf(pollUpdateMessage.pollCreationMessageKey, other)
    const { encPayload, encIv } = pollUpdateMessage.vote ?? {}
    return {
      content: { type: 'poll_vote', poll_vote: { message_id: target.whatsappId, options: [] } },
      target,
      ...(encPayload && encIv && { vote: { encPayload, encIv } }),
    }
  }
  if (protocolMessage) return changed(protocolMessage)
  if (kind === 'senderKeyDistributionMessage') return undefined
  return { content: { type: 'unsupported', kind } }
}

/** An edit or a deletion. WhatsApp lets nobody but its author change a message, or a group's admin delete it. */
function changed({ key, type, editedMessage }: proto.Message.IProtocolMessage): ReceivedContent | undefined {
  if (!key?.id) return undefined
  const target: Target = { whatsappId: key.id, ...(key.participant && { author: key.participant }) }
  if (type === REVOKE) return { content: { type: 'delete', delete: { message_id: key.id } }, target }
  if (type !== MESSAGE_EDIT) return undefined
  const edited = normalizeMessageContent(editedMessage)
  const text =
    edited?.conversation ||
    edited?.extendedTextMessage?.text ||
    edited?.imageMessage?.caption ||
    edited?.videoMessage?.caption ||
    edited?.documentMessage?.caption ||
    ''
  return { content: { type: 'edit', edit: { message_id: key.id, text } }, target: { whatsappId: key.id } }
}

/** The kinds that stand for themselves. */
function readable(message: proto.IMessage, secret: Uint8Array | null | undefined): InboundContent | undefined {
  const body = message.conversation || message.extendedTextMessage?.text
  if (body) return { type: 'text', text: { body } }
  const place = message.locationMessage ?? message.liveLocationMessage
  if (place) {
    const { degreesLatitude, degreesLongitude } = place
    const { name, address } = message.locationMessage ?? {}
    const coordinates = { latitude: degreesLatitude ?? 0, longitude: degreesLongitude ?? 0 }
    const live = message.locationMessage ? {} : { live: true }
    return { type: 'location', location: { ...coordinates, ...given({ name, address }), ...live } }
  }
  const cards = message.contactMessage ? [message.contactMessage] : message.contactsArrayMessage?.contacts
  if (cards) {
    const contacts = cards.map(({ vcard, displayName }) => readVcard(vcard ?? '', displayName ?? undefined))
    return { type: 'contacts', contacts }
  }
  const poll =
    message.pollCreationMessage ?? message.pollCreationMessageV2 ?? message.pollCreationMessageV3 ?? undefined
  if (poll) {
    return {
      type: 'poll',
      poll: {
        name: poll.name ?? '',
        options: (poll.options ?? []).map(({ optionName }) => optionName ?? ''),
        selectableCount: poll.selectableOptionsCount ?? 0,
        ...(secret && { secret: base64(secret) }),
      },
    }
  }
  const { imageMessage, audioMessage, documentMessage, stickerMessage } = message
  const videoMessage = message.videoMessage ?? message.ptvMessage
  if (imageMessage) return { type: 'image', image: medium(imageMessage) }
  if (videoMessage) {
    return { type: 'video', video: { ...medium(videoMessage), ...(videoMessage.gifPlayback && { gif: true }) } }
  }
  if (audioMessage) {
    return { type: 'audio', audio: { ...medium(audioMessage), ...(audioMessage.ptt && { voice: true }) } }
  }
  if (documentMessage) {
    const filename = documentMessage.fileName
    return { type: 'document', document: { ...medium(documentMessage), ...given({ filename }) } }
  }
  if (stickerMessage) {
    const animated = stickerMessage.isAnimated ? { animated: true } : {}
    return { type: 'sticker', sticker: { ...medium(stickerMessage), ...animated } }
  }
  return undefined
}

type AnyMedium = Partial<proto.Message.IVideoMessage & proto.Message.IDocumentMessage>

function medium(message: AnyMedium): ReceivedMedium {
  const { mimetype, fileLength, fileSha256, fileEncSha256, caption, width, height, seconds } = message
  const { mediaKey, directPath, url } = message
  const bytes = fileLength === null || fileLength === undefined ? undefined : Number(fileLength)
  return {
    ...given({ mimeType: mimetype, bytes, caption, width, height, seconds }),
    ...(fileSha256?.length && { sha256: base64(fileSha256) }),
    ...(mediaKey?.length && {
      source: {
        mediaKey: base64(mediaKey),
        ...given({ directPath, url }),
        ...(fileEncSha256?.length && { fileEncSha256: base64(fileEncSha256) }),
      },
    }),
  }
}

function accompanied(content: InboundContent, field: unknown, viewOnce: boolean): ReceivedContent {
  const info = (field as { contextInfo?: proto.IContextInfo | null } | null | undefined)?.contextInfo
  const { stanzaId, participant, mentionedJid, isForwarded, expiration } = info ?? {}
  const target = stanzaId ? { whatsappId: stanzaId, ...(participant && { author: participant }) } : undefined
  const along: InboundAccompaniment = {
    ...(stanzaId && { context: { message_id: stanzaId } }),
    ...(mentionedJid?.length && { mentions: mentionedJid }),
    ...(isForwarded && { forwarded: true }),
    ...(expiration && { disappearAfterSeconds: expiration }),
    ...(viewOnce && { viewOnce }),
  }
  return { content: { ...content, ...along }, ...(target && { target }) }
}

function isViewOnce(wrapped: proto.IMessage, inner: proto.IMessage): boolean {
  const opened = wrapped.ephemeralMessage?.message ?? wrapped
  const { viewOnceMessage, viewOnceMessageV2, viewOnceMessageV2Extension } = opened
  const { imageMessage, videoMessage, audioMessage } = inner
  const marked = imageMessage?.viewOnce ?? videoMessage?.viewOnce ?? audioMessage?.viewOnce
  return Boolean(viewOnceMessage ?? viewOnceMessageV2 ?? viewOnceMessageV2Extension ?? marked)
}

/** A key is from its sender's side: what is not theirs is, where it names nobody, the other's. */
function targetOf(key: proto.IMessageKey, other: string | undefined): Target {
  const author = key.fromMe ? undefined : (key.participant ?? other)
  return { whatsappId: key.id ?? '', ...(author && { author }) }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

type Given<T> = { [K in keyof T]?: NonNullable<T[K]> }

/** Without fields that are absent; protobuf's empty text is absent. */
function given<T extends object>(fields: T): Given<T> {
  const present = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined && value !== '')
  return Object.fromEntries(present) as Given<T>
}
