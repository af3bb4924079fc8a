/**
 * What a decrypted message says, in a plain shape: wrappers opened, byte fields in base64, 64-bit numbers as numbers.
 * One row of the table for each field of the Message protobuf that WhatsApp's clients send.
 */

import { normalizeMessageContent, proto } from '@whiskeysockets/baileys'

export type MessageKind =
  | 'text'
  | 'image'
  | 'video'
  | 'audio'
  | 'document'
  | 'sticker'
  | 'location'
  | 'contacts'
  | 'reaction'
  | 'poll'
  | 'pollVote'
  | 'edit'
  | 'revoke'
  | 'ephemeralSetting'
  | 'pin'
  | 'event'
  | 'groupInvite'
  | 'other'

/** Which message is meant, from the sender's point of view. */
export interface KeyView {
  id: string
  chat?: string
  fromMe?: boolean
  participant?: string
}

/** A medium: where its ciphertext lies, the key to it, and what is said of its plaintext. Bytes are in base64. */
export interface MediaView {
  mimetype?: string
  url?: string
  directPath?: string
  mediaKey?: string
  /** Bytes of the plaintext. */
  fileLength?: number
  fileSha256?: string
  fileEncSha256?: string
  fileName?: string
  seconds?: number
  width?: number
  height?: number
  /** A voice note. */
  ptt?: boolean
  gifPlayback?: boolean
  /** What shows until the medium is there; of a voice note, one byte a bar. Base64. */
  jpegThumbnail?: string
  waveform?: string
}

export interface MessageView extends MediaView {
  kind: MessageKind
  /** The text, or the caption of a medium. */
  text?: string
  caption?: string
  linkPreview?: { url: string; title?: string; description?: string }
  location?: { latitude: number; longitude: number; name?: string; address?: string }
  contacts?: { displayName?: string; vcard?: string }[]
  /** An empty text takes a reaction away. */
  reaction?: { key: KeyView; text: string }
  poll?: { name: string; options: string[]; selectableCount: number; secret?: string }
  /** `options` is there once the vote was decrypted. */
  pollVote?: { of: KeyView; options?: string[] }
  edit?: { of: string; text?: string }
  revoke?: { of: string; participant?: string }
  ephemeralSetting?: { seconds: number }
  contextInfo?: ContextView
  viewOnce?: true
  /** Seconds after which the message disappears. */
  ephemeral?: number
}

export interface ContextView {
  quotedId?: string
  quotedParticipant?: string
  quotedText?: string
  mentions?: string[]
  forwarded?: true
}

type Content = Omit<MessageView, 'kind'> & { kind: MessageKind }

const { REVOKE, MESSAGE_EDIT, EPHEMERAL_SETTING } = proto.Message.ProtocolMessage.Type

/** Rows are tried in order: the first field that is set says what the message is. */
const ROWS: { [F in keyof proto.IMessage]?: (field: NonNullable<proto.IMessage[F]>) => Content } = {
  conversation: (text) => ({ kind: 'text', text }),
  extendedTextMessage: ({ text, matchedText, title, description }) => ({
    kind: 'text',
    text: text ?? '',
    ...(matchedText ? { linkPreview: plain({ url: matchedText, title, description }) } : {}),
  }),
  imageMessage: (medium) => ({ kind: 'image', ...media(medium), ...captioned(medium.caption) }),
  videoMessage: (medium) => ({ kind: 'video', ...media(medium), ...captioned(medium.caption) }),
  ptvMessage: (medium) => ({ kind: 'video', ...media(medium) }),
  audioMessage: (medium) => ({ kind: 'audio', ...media(medium) }),
  documentMessage: (medium) => ({ kind: 'document', ...media(medium), ...captioned(medium.caption) }),
  stickerMessage: (medium) => ({ kind: 'sticker', ...media(medium) }),
  locationMessage: ({ degreesLatitude, degreesLongitude, name, address }) => ({
    kind: 'location',
    location: plain({ latitude: degreesLatitude ?? 0, longitude: degreesLongitude ?? 0, name, address }),
  }),
  liveLocationMessage: ({ degreesLatitude, degreesLongitude, caption }) => ({
    kind: 'location',
    location: { latitude: degreesLatitude ?? 0, longitude: degreesLongitude ?? 0 },
    ...captioned(caption),
  }),
  contactMessage: (contact) => ({ kind: 'contacts', contacts: [card(contact)] }),
  contactsArrayMessage: ({ contacts }) => ({ kind: 'contacts', contacts: (contacts ?? []).map(card) }),
  reactionMessage: ({ key, text }) => ({ kind: 'reaction', reaction: { key: keyView(key), text: text ?? '' } }),
  pollCreationMessage: (poll) => pollContent(poll),
  pollCreationMessageV2: (poll) => pollContent(poll),
  pollCreationMessageV3: (poll) => pollContent(poll),
  pollUpdateMessage: ({ pollCreationMessageKey }) => ({
    kind: 'pollVote',
    pollVote: { of: keyView(pollCreationMessageKey) },
  }),
  pinInChatMessage: () => ({ kind: 'pin' }),
  eventMessage: ({ name }) => ({ kind: 'event', ...plain({ text: name }) }),
  groupInviteMessage: ({ caption }) => ({ kind: 'groupInvite', ...plain({ text: caption }) }),
  protocolMessage: protocolContent,
}

const ENTRIES = Object.entries(ROWS)

/** What the message says; undefined for one that only hands out keys. */
export function describeMessage(message: proto.IMessage): MessageView | undefined {
  const inner = normalizeMessageContent(message) ?? {}
  for (const [field, describe] of ENTRIES) {
    const value = inner[field as keyof proto.IMessage]
    if (value === null || value === undefined) continue
    const content = (describe as (value: unknown) => Content)(value)
    const secret = message.messageContextInfo?.messageSecret ?? inner.messageContextInfo?.messageSecret
    if (content.poll && secret) content.poll.secret = base64(secret)
    return { ...content, ...wrapping(message, inner), ...contextOf(value) }
  }
  const others = Object.keys(inner).filter((field) => !COMPANY.has(field))
  return others.length === 0 ? undefined : { kind: 'other' }
}

/** The field that says what kind of message it is, as the protobuf names it; `empty` if it has none. */
export function protobufField(message: proto.IMessage): string {
  const set = Object.keys(message).filter((field) => message[field as keyof proto.IMessage] != null)
  return set.find((field) => !COMPANY.has(field)) ?? 'empty'
}

/** Fields that only accompany others. */
const COMPANY: ReadonlySet<string> = new Set(['messageContextInfo', 'senderKeyDistributionMessage'])

function protocolContent({ type, key, editedMessage, ephemeralExpiration }: proto.Message.IProtocolMessage): Content {
  switch (type) {
    case REVOKE:
      return { kind: 'revoke', revoke: plain({ of: key?.id ?? '', participant: key?.participant }) }
    case MESSAGE_EDIT: {
      const text = editedMessage ? describeMessage(editedMessage)?.text : undefined
      return { kind: 'edit', text, edit: { of: key?.id ?? '', text } }
    }
    case EPHEMERAL_SETTING:
      return { kind: 'ephemeralSetting', ephemeralSetting: { seconds: ephemeralExpiration ?? 0 } }
    default:
      return { kind: 'other' }
  }
}

function pollContent({ name, options, selectableOptionsCount }: proto.Message.IPollCreationMessage): Content {
  return {
    kind: 'poll',
    poll: {
      name: name ?? '',
      options: (options ?? []).map(({ optionName }) => optionName ?? ''),
      selectableCount: selectableOptionsCount ?? 0,
    },
  }
}

type AnyMedium = proto.Message.IImageMessage &
  proto.Message.IVideoMessage &
  proto.Message.IAudioMessage &
  proto.Message.IDocumentMessage

function media(medium: Partial<AnyMedium>): MediaView {
  return plain({
    mimetype: medium.mimetype,
    url: medium.url,
    directPath: medium.directPath,
    mediaKey: medium.mediaKey && base64(medium.mediaKey),
    fileLength: medium.fileLength === null || medium.fileLength === undefined ? undefined : Number(medium.fileLength),
    fileSha256: medium.fileSha256 && base64(medium.fileSha256),
    fileEncSha256: medium.fileEncSha256 && base64(medium.fileEncSha256),
    fileName: medium.fileName,
    seconds: medium.seconds,
    width: medium.width,
    height: medium.height,
    ptt: medium.ptt,
    gifPlayback: medium.gifPlayback,
    jpegThumbnail: medium.jpegThumbnail?.length ? base64(medium.jpegThumbnail) : undefined,
    waveform: medium.waveform?.length ? base64(medium.waveform) : undefined,
  })
}

function captioned(caption: string | null | undefined): { caption?: string; text?: string } {
  return caption ? { caption, text: caption } : {}
}

function card({ displayName, vcard }: proto.Message.IContactMessage): { displayName?: string; vcard?: string } {
  return plain({ displayName, vcard })
}

function keyView(key: proto.IMessageKey | null | undefined): KeyView {
  const { id, remoteJid, fromMe, participant } = key ?? {}
  return plain({ id: id ?? '', chat: remoteJid, fromMe, participant })
}

function wrapping(message: proto.IMessage, inner: proto.IMessage): { viewOnce?: true } {
  const opened = message.ephemeralMessage?.message ?? message
  const wrapped = opened.viewOnceMessage ?? opened.viewOnceMessageV2 ?? opened.viewOnceMessageV2Extension
  const marked = inner.imageMessage?.viewOnce ?? inner.videoMessage?.viewOnce ?? inner.audioMessage?.viewOnce
  return wrapped || marked ? { viewOnce: true } : {}
}

function contextOf(value: unknown): { contextInfo?: ContextView; ephemeral?: number } {
  const context = (value as { contextInfo?: proto.IContextInfo | null }).contextInfo
  if (!context) return {}
  const { stanzaId, participant, quotedMessage, mentionedJid, isForwarded, expiration } = context
  const view: ContextView = plain({
    quotedId: stanzaId,
    quotedParticipant: participant,
    quotedText: quotedMessage ? describeMessage(quotedMessage)?.text : undefined,
    mentions: mentionedJid?.length ? mentionedJid : undefined,
    forwarded: isForwarded ? (true as const) : undefined,
  })
  return {
    ...(Object.keys(view).length === 0 ? {} : { contextInfo: view }),
    ...(expiration ? { ephemeral: expiration } : {}),
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

type Plain<T> = { [K in keyof T]: Exclude<T[K], null> }

/** Without the fields that are not set. */
function plain<T extends object>(value: T): Plain<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, field]) => field !== null && field !== undefined),
  ) as Plain<T>
}
