import { createHmac } from 'node:crypto'
import type { AnyMessageContent, proto, WAMessage, WAMessageKey, WAUrlInfo } from '@whiskeysockets/baileys'
import {
  type Accompaniment,
  type MediaAccompaniment,
  type MediaKind,
  type SentMedium,
  sentMedium,
} from '../../shared/domain/content.ts'
import type { WhatsAppUpload } from '../../shared/domain/stores/media.ts'
import type { MessageRow } from '../../shared/domain/stores/messages.ts'
import { assertNever, type SendContent } from '../../shared/domain/words.ts'
import { quotedContent } from './quoted-content.ts'
import { writeVcard } from './vcard.ts'

/** What a send becomes for Baileys. */
export interface OutboundMessage {
  readonly content: AnyMessageContent
  readonly options: {
    /** The message that it answers. */
    readonly quoted?: WAMessage
    /** Seconds after which it disappears. */
    readonly ephemeralExpiration?: number
  }
}

export type OutboundContent =
  | { readonly kind: 'message'; readonly message: OutboundMessage }
  /** It can't be sent as it is: final. */
  | { readonly kind: 'refused'; readonly why: string }
  /** Its medium is not at WhatsApp (any more). */
  | { readonly kind: 'unprepared' }

/** The message id that a send refers to, and the field that names it. */
export function referenceOf(content: SendContent): { readonly id: string; readonly field: string } | undefined {
  switch (content.type) {
    case 'text':
    case 'location':
    case 'contacts':
    case 'poll':
    case 'image':
    case 'video':
    case 'audio':
    case 'document':
    case 'sticker':
      return content.context && { id: content.context.message_id, field: 'context.message_id' }
    case 'reaction':
      return { id: content.reaction.message_id, field: 'reaction.message_id' }
    case 'edit':
      return { id: content.edit.message_id, field: 'edit.message_id' }
    case 'delete':
      return { id: content.delete.message_id, field: 'delete.message_id' }
    default:
      return assertNever(content)
  }
}

export interface OutboundContext {
  /** JID that the send goes to. */
  readonly chat: string
  /** The row that `referenceOf` names; absent where there is none. */
  readonly referred?: MessageRow
  /** 32 bytes that open a poll's votes. */
  readonly pollSecret: Uint8Array
  /** Where the medium of the send is, once it is at WhatsApp. */
  readonly upload?: WhatsAppUpload
}

/** Pure: the same send gives the same message, so that a retry by any worker says the same. */
export function outboundContent(content: SendContent, context: OutboundContext): OutboundContent {
  const reference = referenceOf(content)
  const { referred, chat } = context
  if (reference !== undefined && referred === undefined) {
    return refused(`${reference.field}: expected the id of a message of this connection`)
  }
  if (reference !== undefined && referred !== undefined && !sameKindOfChat(referred, chat)) {
    return refused(`${reference.field}: expected a message of the chat that this one goes to`)
  }
  switch (content.type) {
    case 'text': {
      const { body, preview_url } = content.text
      if (body === '') return refused('text.body: expected at least one character')
      const linkPreview = preview_url ? linkCard(body) : null
      return message({ text: body, linkPreview, ...accompanied(content) }, optionsOf(content, context))
    }
    case 'location': {
      const { latitude, longitude, name, address } = content.location
      const location = { degreesLatitude: latitude, degreesLongitude: longitude, name, address }
      return message({ location: { ...location, ...contextIn(content) } }, optionsOf(content, context))
    }
    case 'contacts': {
      const contacts = content.contacts.map((card) => ({
        displayName: card.name.formatted_name,
        vcard: writeVcard(card),
      }))
      const [first] = contacts
      if (first === undefined) return refused('contacts: expected at least one')
      const info = contextIn(content)
      const array = { displayName: first.displayName, contacts, ...info }
      const single = { contacts: [{ ...first, ...info }] }
      return message({ contacts: contacts.length === 1 ? single : array }, optionsOf(content, context))
    }
    case 'poll': {
      const { name, options, selectableCount } = content.poll
      const messageSecret = context.pollSecret
      return message(
        { poll: { name, values: [...options], selectableCount, messageSecret } },
        optionsOf(content, context),
      )
    }
    case 'image':
    case 'video':
    case 'audio':
    case 'document':
    case 'sticker': {
      const { upload } = context
      const sent = sentMedium(content)
      if (upload === undefined || sent === undefined) return { kind: 'unprepared' }
      return message(mediaContent(sent.kind, sent.medium, content, upload), optionsOf(content, context))
    }
    case 'reaction':
      return message({ react: { text: content.reaction.emoji, key: keyIn(referred, chat) } })
    case 'edit':
      if (referred?.direction !== 'outbound' || referred.content.type !== 'text') {
        return refused('edit.message_id: expected a text that this connection sent')
      }
      return message({ text: content.edit.text, linkPreview: null, edit: keyIn(referred, chat) })
    case 'delete':
      if (referred?.direction !== 'outbound' && !isGroup(chat)) {
        return refused('delete.message_id: expected a message that this connection sent')
      }
      return message({ delete: keyIn(referred, chat) })
    default:
      return assertNever(content)
  }
}

/** A message over an upload that exists goes by way of forwarding: as our own, of which nobody is told that it was forwarded. */
function mediaContent(
  kind: MediaKind,
  medium: SentMedium,
  along: MediaAccompaniment,
  upload: WhatsAppUpload,
): AnyMessageContent {
  const ours: WAMessageKey = { fromMe: true }
  const message = mediaMessage(kind, medium, upload, along.viewOnce === true)
  return {
    forward: { key: ours, message } as WAMessage,
    ...(along.viewOnce === true && { viewOnce: true }),
    ...accompanied(along),
  }
}

function mediaMessage(kind: MediaKind, medium: SentMedium, upload: WhatsAppUpload, viewOnce: boolean): proto.IMessage {
  const { caption, filename, voice, gif } = medium
  const { width, height, seconds, animated, thumbnail, waveform } = upload
  const base64 = (text: string): Buffer => Buffer.from(text, 'base64')
  const file = {
    url: upload.url,
    directPath: upload.directPath,
    mediaKey: base64(upload.mediaKey),
    fileSha256: base64(upload.fileSha256),
    fileEncSha256: base64(upload.fileEncSha256),
    fileLength: upload.bytes,
    mediaKeyTimestamp: Math.floor(Date.parse(upload.uploadedAt) / 1_000),
    mimetype: upload.mimeType,
  }
  const shown = { ...(caption !== undefined && { caption }), ...(viewOnce && { viewOnce }) }
  const sized = { ...(width !== undefined && { width }), ...(height !== undefined && { height }) }
  // What is shown once is not shown before that.
  const previewed = thumbnail !== undefined && !viewOnce && { jpegThumbnail: base64(thumbnail) }
  const timed = seconds !== undefined && { seconds }
  switch (kind) {
    case 'image':
      return { imageMessage: { ...file, ...shown, ...sized, ...previewed } }
    case 'video':
      return { videoMessage: { ...file, ...shown, ...sized, ...timed, ...(gif && { gifPlayback: true }) } }
    case 'audio':
      return {
        audioMessage: {
          ...file,
          ...timed,
          ptt: voice === true,
          ...(voice && waveform !== undefined && { waveform: base64(waveform) }),
          ...(viewOnce && { viewOnce }),
        },
      }
    case 'document': {
      const fileName = filename ?? 'file'
      return { documentMessage: { ...file, ...shown, fileName, title: fileName } }
    }
    case 'sticker':
      return { stickerMessage: { ...file, ...sized, ...(animated && { isAnimated: true }) } }
    default:
      return assertNever(kind)
  }
}

/** The same for every worker, and for as long as the device is linked, without being stored beside the send. */
export function pollSecret(deviceSecret: string, whatsappId: string): Buffer {
  return createHmac('sha256', Buffer.from(deviceSecret, 'base64')).update(`poll ${whatsappId}`).digest()
}

const isGroup = (jid: string): boolean => jid.endsWith('@g.us')

/** A person has two JIDs, which need not be known; a group has one. */
const sameKindOfChat = ({ chat }: MessageRow, to: string): boolean =>
  isGroup(chat) || isGroup(to) ? chat === to : true

function keyIn(row: MessageRow | undefined, chat: string): WAMessageKey {
  const fromMe = row?.direction === 'outbound'
  const participant = row?.direction === 'inbound' && isGroup(chat) ? authorOf(row) : undefined
  return { remoteJid: chat, id: row?.whatsappId, fromMe, ...(participant !== undefined && { participant }) }
}

function authorOf(row: MessageRow & { readonly direction: 'inbound' }): string | undefined {
  const { lid, phoneNumber } = row.from
  return row.sender ?? lid ?? (phoneNumber && `${phoneNumber.slice(1)}@s.whatsapp.net`)
}

function optionsOf(content: Accompaniment, context: OutboundContext): OutboundMessage['options'] {
  const quoted = content.context && quotedIn(context)
  const ephemeralExpiration = content.disappearAfterSeconds
  return { ...(quoted && { quoted }), ...(ephemeralExpiration !== undefined && { ephemeralExpiration }) }
}

function quotedIn({ chat, referred }: OutboundContext): WAMessage | undefined {
  if (referred === undefined) return undefined
  const participant = referred.direction === 'inbound' ? authorOf(referred) : undefined
  return {
    key: keyIn(referred, chat),
    message: quotedContent(referred.content),
    ...(participant !== undefined && { participant }),
  } as WAMessage
}

function accompanied({ mentions, forwarded }: Accompaniment) {
  return { ...(mentions && mentions.length > 0 && { mentions: [...mentions] }), ...contextIn({ forwarded }) }
}

function contextIn({ forwarded }: Accompaniment): { contextInfo?: proto.IContextInfo } {
  return forwarded ? { contextInfo: { isForwarded: true, forwardingScore: 1 } } : {}
}

/**
 * WhatsApp shows what the sender says of a link, and fetches nothing. Neither do we: a server that opens whatever address it is
 * given is open to abuse. The card names the site.
 */
function linkCard(body: string): WAUrlInfo | null {
  const matched = /https?:\/\/[^\s<>"]+/i.exec(body)?.[0].replace(/[).,;:!?'\]]+$/, '')
  if (matched === undefined || !URL.canParse(matched)) return null
  const { href, host } = new URL(matched)
  return { 'canonical-url': href, 'matched-text': matched, title: host, description: matched }
}

function message(content: AnyMessageContent, options: OutboundMessage['options'] = {}): OutboundContent {
  return { kind: 'message', message: { content, options } }
}

function refused(why: string): OutboundContent {
  return { kind: 'refused', why }
}
