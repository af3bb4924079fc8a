/** From what a phone is asked to send to the Message protobuf and to what its stanza says of it. */

import { randomBytes } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import type { UploadedMedium } from './media-upload.ts'
import type { MessageView } from './message-view.ts'
import type { OutgoingMedium, OutgoingMessage } from './outgoing-messages.ts'
import { encryptVote } from './poll-votes.ts'

/** A message that the phone has received or sent. */
export interface KnownMessage {
  id: string
  fromMe: boolean
  /** Without a device. */
  authorJid: string
  view: MessageView
}

export interface ChatContext {
  ownJid: string
  chatJid: string
  /** Whether keys name the author of a message beside the chat. */
  group: boolean
  nowMs: number
  known: (id: string) => KnownMessage | undefined
  jidOf: (numberOrJid: string) => string
  /** For media: where it was uploaded to. */
  medium?: UploadedMedium
}

export interface BuiltMessage {
  message: proto.IMessage
  type: 'text' | 'media' | 'reaction' | 'poll'
  /** The `mediatype` of the ciphertext. */
  mediaType?: string
  /** The `edit` attribute of the stanza. */
  edit?: '1' | '7' | '8'
}

export class UnknownMessage extends Error {
  override name = 'UnknownMessage'
}

const SECRET_BYTES = 32
const { REVOKE, MESSAGE_EDIT, EPHEMERAL_SETTING } = proto.Message.ProtocolMessage.Type

/** Throws UnknownMessage for an id that the phone has neither received nor sent. */
export function buildMessage(request: OutgoingMessage, chat: ChatContext): BuiltMessage {
  const context = contextInfo(request, chat)
  switch (request.kind) {
    case 'text': {
      const { text, linkPreview } = request
      if (!context && !linkPreview) return { type: 'text', message: { conversation: text } }
      const { url, ...preview } = linkPreview ?? {}
      const extended = { text, contextInfo: context, ...preview, ...(url === undefined ? {} : { matchedText: url }) }
      return { type: 'text', message: { extendedTextMessage: extended } }
    }
    case 'image':
    case 'video':
    case 'audio':
    case 'document':
    case 'sticker':
      return mediaMessage(request, chat, context)
    case 'location': {
      const { latitude, longitude, name, address } = request
      const location = { degreesLatitude: latitude, degreesLongitude: longitude, name, address, contextInfo: context }
      return { type: 'media', mediaType: 'location', message: { locationMessage: location } }
    }
    case 'contacts': {
      const [only, ...more] = request.contacts
      const message =
        more.length === 0
          ? { contactMessage: { ...only, contextInfo: context } }
          : {
              contactsArrayMessage: {
                displayName: `${request.contacts.length} contacts`,
                contacts: request.contacts,
                contextInfo: context,
              },
            }
      return { type: 'media', mediaType: more.length === 0 ? 'vcard' : 'contact_array', message }
    }
    case 'reaction': {
      const key = keyOf(request.of, chat)
      return {
        type: 'reaction',
        message: { reactionMessage: { key, text: request.text, senderTimestampMs: chat.nowMs } },
      }
    }
    case 'poll': {
      const { name, options, selectableCount } = request
      const poll = {
        name,
        selectableOptionsCount: selectableCount,
        options: options.map((optionName) => ({ optionName })),
        contextInfo: context,
      }
      const messageContextInfo = { messageSecret: randomBytes(SECRET_BYTES) }
      const message =
        selectableCount === 1
          ? { messageContextInfo, pollCreationMessageV3: poll }
          : { messageContextInfo, pollCreationMessage: poll }
      return { type: 'poll', message }
    }
    case 'pollVote':
      return { type: 'poll', message: { pollUpdateMessage: vote(request, chat) } }
    case 'edit': {
      const protocolMessage = {
        key: keyOf(request.of, chat),
        type: MESSAGE_EDIT,
        editedMessage: { conversation: request.text },
        timestampMs: chat.nowMs,
      }
      return { type: 'text', edit: '1', message: { protocolMessage } }
    }
    case 'revoke': {
      const key = keyOf(request.of, chat)
      return { type: 'text', edit: key.fromMe ? '7' : '8', message: { protocolMessage: { key, type: REVOKE } } }
    }
    case 'ephemeralSetting': {
      const protocolMessage = { type: EPHEMERAL_SETTING, ephemeralExpiration: request.seconds }
      return { type: 'text', message: { protocolMessage } }
    }
  }
}

type MediaField = 'imageMessage' | 'videoMessage' | 'audioMessage' | 'documentMessage' | 'stickerMessage'

const MEDIA: Record<OutgoingMedium['kind'], { field: MediaField; mimetype: string }> = {
  image: { field: 'imageMessage', mimetype: 'image/jpeg' },
  video: { field: 'videoMessage', mimetype: 'video/mp4' },
  audio: { field: 'audioMessage', mimetype: 'audio/ogg; codecs=opus' },
  document: { field: 'documentMessage', mimetype: 'application/octet-stream' },
  sticker: { field: 'stickerMessage', mimetype: 'image/webp' },
}

function mediaMessage(
  request: OutgoingMedium,
  { medium }: ChatContext,
  context: proto.IContextInfo | undefined,
): BuiltMessage {
  if (!medium) throw new Error('a medium is uploaded before its message is built')
  const { kind, mimetype = MEDIA[kind].mimetype, viewOnce } = request
  const rest: Partial<Record<'caption' | 'fileName' | 'seconds' | 'ptt' | 'gifPlayback', unknown>> = {}
  for (const field of ['caption', 'fileName', 'seconds', 'ptt', 'gifPlayback'] as const) {
    if (field in request) rest[field] = (request as typeof rest)[field]
  }
  const content = { ...rest, ...medium, mimetype, viewOnce, contextInfo: context }
  const inner = proto.Message.fromObject({ [MEDIA[kind].field]: content })
  const mediaType = rest.ptt ? 'ptt' : rest.gifPlayback ? 'gif' : kind
  return { type: 'media', mediaType, message: viewOnce ? { viewOnceMessage: { message: inner } } : inner }
}

function vote(
  { of, options }: Extract<OutgoingMessage, { kind: 'pollVote' }>,
  chat: ChatContext,
): proto.Message.IPollUpdateMessage {
  const poll = required(of, chat)
  const secret = poll.view.poll?.secret
  if (!secret) throw new UnknownMessage(`${of} is no poll whose secret the phone knows`)
  const unknown = options.find((option) => !poll.view.poll?.options.includes(option))
  if (unknown !== undefined) throw new UnknownMessage(`the poll ${of} has no option "${unknown}"`)
  const context = {
    pollId: of,
    secret: Buffer.from(secret, 'base64'),
    creatorJid: poll.authorJid,
    voterJid: chat.ownJid,
  }
  return {
    pollCreationMessageKey: keyOf(of, chat),
    vote: encryptVote(options, context),
    senderTimestampMs: chat.nowMs,
  }
}

function contextInfo(request: OutgoingMessage, chat: ChatContext): proto.IContextInfo | undefined {
  if (!('quote' in request || 'mentions' in request || 'ephemeral' in request || 'forwarded' in request))
    return undefined
  const { quote, mentions, ephemeral, forwarded } = request
  const context: proto.IContextInfo = {}
  if (quote !== undefined) {
    const quoted = required(quote, chat)
    context.stanzaId = quote
    context.participant = quoted.authorJid
    context.quotedMessage = { conversation: quoted.view.text ?? '' }
  }
  if (mentions) context.mentionedJid = mentions.map(chat.jidOf)
  if (ephemeral !== undefined) context.expiration = ephemeral
  if (forwarded) {
    context.isForwarded = true
    context.forwardingScore = 1
  }
  return Object.keys(context).length === 0 ? undefined : context
}

function keyOf(id: string, chat: ChatContext): proto.IMessageKey {
  const { fromMe, authorJid } = required(id, chat)
  return { remoteJid: chat.chatJid, fromMe, id, ...(chat.group ? { participant: authorJid } : {}) }
}

function required(id: string, { known }: ChatContext): KnownMessage {
  const message = known(id)
  if (!message) throw new UnknownMessage(`the phone has neither received nor sent ${id}`)
  return message
}
