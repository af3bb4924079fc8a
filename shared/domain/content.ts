/**
 * What a message says, kind by kind, in the shape of the Cloud API: `type`, and beside it the field of that name. Stored as it
 * is; what must not be shown is taken out where it is shown.
 */

/** `message_id`: our message id (`msg_…`, `wam_…`) or WhatsApp's own. */
export interface MessageReference {
  readonly message_id: string
}

export interface TextBody {
  /** WhatsApp's own marks (`*bold*`, `_italic_`) are the caller's and stay untouched. */
  readonly body: string
  /** Show a card for the first link. */
  readonly preview_url?: boolean
}

export interface Place {
  /** Degrees. */
  readonly latitude: number
  readonly longitude: number
  readonly name?: string
  readonly address?: string
}

/** A contact card as the Cloud API writes it. */
export interface ContactCard {
  readonly name: {
    readonly formatted_name: string
    readonly first_name?: string
    readonly last_name?: string
    readonly middle_name?: string
    readonly prefix?: string
    readonly suffix?: string
  }
  readonly phones?: readonly { readonly phone: string; readonly type?: string; readonly wa_id?: string }[]
  readonly emails?: readonly { readonly email: string; readonly type?: string }[]
  readonly urls?: readonly { readonly url: string; readonly type?: string }[]
  readonly addresses?: readonly {
    readonly street?: string
    readonly city?: string
    readonly state?: string
    readonly zip?: string
    readonly country?: string
    readonly type?: string
  }[]
  readonly org?: { readonly company?: string; readonly department?: string; readonly title?: string }
  /** `YYYY-MM-DD` */
  readonly birthday?: string
}

export interface Poll {
  readonly name: string
  readonly options: readonly string[]
  /** How many options one person may choose; 0: any number. */
  readonly selectableCount: number
}

/** The message that this one answers, and what else accompanies a message that people read. */
export interface Accompaniment {
  readonly context?: MessageReference
  /** JIDs of people whom the text names as `@<digits>`. */
  readonly mentions?: readonly string[]
  readonly forwarded?: boolean
  /** Seconds after which it disappears. */
  readonly disappearAfterSeconds?: number
}

/** What a send says of its medium: one that was uploaded (`id`), or an address that it is fetched from (`link`); one of them. */
export interface SentMedium {
  readonly id?: string
  readonly link?: string
  readonly caption?: string
  readonly filename?: string
  readonly voice?: boolean
  readonly gif?: boolean
}

/** With a medium: shown once, then gone from the recipient's phone. */
export interface MediaAccompaniment extends Accompaniment {
  readonly viewOnce?: boolean
}

/** A validated send as it is stored and sent. */
export type SendContent =
  | MediaSend
  | ({ readonly type: 'text'; readonly text: TextBody } & Accompaniment)
  | ({ readonly type: 'location'; readonly location: Place } & Accompaniment)
  | ({ readonly type: 'contacts'; readonly contacts: readonly ContactCard[] } & Accompaniment)
  | ({ readonly type: 'poll'; readonly poll: Poll } & Accompaniment)
  /** An empty emoji takes the reaction back. */
  | { readonly type: 'reaction'; readonly reaction: MessageReference & { readonly emoji: string } }
  | { readonly type: 'edit'; readonly edit: MessageReference & { readonly text: string } }
  /** For everyone. */
  | { readonly type: 'delete'; readonly delete: MessageReference }

export type SendKind = SendContent['type']

export type MediaSend =
  | ({ readonly type: 'image'; readonly image: SentMedium } & MediaAccompaniment)
  | ({ readonly type: 'video'; readonly video: SentMedium } & MediaAccompaniment)
  | ({ readonly type: 'audio'; readonly audio: SentMedium } & MediaAccompaniment)
  | ({ readonly type: 'document'; readonly document: SentMedium } & Accompaniment)
  | ({ readonly type: 'sticker'; readonly sticker: SentMedium } & Accompaniment)

/** What is known of a medium without its bytes. */
export interface MediaInfo {
  readonly mimeType?: string
  readonly bytes?: number
  /** Of the medium itself, base64. */
  readonly sha256?: string
  readonly caption?: string
  readonly filename?: string
  /** Pixels. */
  readonly width?: number
  readonly height?: number
  readonly seconds?: number
  readonly voice?: boolean
  readonly gif?: boolean
  readonly animated?: boolean
}

/** Where WhatsApp keeps a medium, and the key that opens it. Stored, never shown. Bytes as base64. */
export interface MediaSource {
  readonly directPath?: string
  readonly url?: string
  readonly mediaKey: string
  readonly fileEncSha256?: string
}

export const mediaKinds = ['image', 'video', 'audio', 'document', 'sticker'] as const
export type MediaKind = (typeof mediaKinds)[number]

export type ReceivedMedium = MediaInfo & { readonly source?: MediaSource }

/** The medium that a send carries; undefined for kinds without one. */
export function sentMedium(
  content: SendContent,
): { readonly kind: MediaKind; readonly medium: SentMedium } | undefined {
  switch (content.type) {
    case 'image':
      return { kind: content.type, medium: content.image }
    case 'video':
      return { kind: content.type, medium: content.video }
    case 'audio':
      return { kind: content.type, medium: content.audio }
    case 'document':
      return { kind: content.type, medium: content.document }
    case 'sticker':
      return { kind: content.type, medium: content.sticker }
    default:
      return undefined
  }
}

export function receivedMedium(
  content: InboundContent,
): { readonly kind: MediaKind; readonly medium: ReceivedMedium } | undefined {
  switch (content.type) {
    case 'image':
      return { kind: content.type, medium: content.image }
    case 'video':
      return { kind: content.type, medium: content.video }
    case 'audio':
      return { kind: content.type, medium: content.audio }
    case 'document':
      return { kind: content.type, medium: content.document }
    case 'sticker':
      return { kind: content.type, medium: content.sticker }
    default:
      return undefined
  }
}

export interface InboundAccompaniment extends Accompaniment {
  /** Who wrote the message that this one answers: E.164 where known, else a JID. */
  readonly quotedFrom?: string
  readonly viewOnce?: boolean
}

/** What people read, and what they do to messages; the latter refers to the message that it is about. */
export type InboundContent =
  | ({ readonly type: 'text'; readonly text: TextBody } & InboundAccompaniment)
  | ({ readonly type: 'location'; readonly location: Place & { readonly live?: boolean } } & InboundAccompaniment)
  | ({
      readonly type: 'contacts'
      readonly contacts: readonly (ContactCard & { readonly vcard?: string })[]
    } & InboundAccompaniment)
  /** `secret` (base64) opens its votes; stored, never shown. */
  | ({ readonly type: 'poll'; readonly poll: Poll & { readonly secret?: string } } & InboundAccompaniment)
  | ({ readonly type: 'image'; readonly image: ReceivedMedium } & InboundAccompaniment)
  | ({ readonly type: 'video'; readonly video: ReceivedMedium } & InboundAccompaniment)
  | ({ readonly type: 'audio'; readonly audio: ReceivedMedium } & InboundAccompaniment)
  | ({ readonly type: 'document'; readonly document: ReceivedMedium } & InboundAccompaniment)
  | ({ readonly type: 'sticker'; readonly sticker: ReceivedMedium } & InboundAccompaniment)
  | { readonly type: 'reaction'; readonly reaction: MessageReference & { readonly emoji: string } }
  | { readonly type: 'edit'; readonly edit: MessageReference & { readonly text: string } }
  | { readonly type: 'delete'; readonly delete: MessageReference }
  /** All options that the voter has chosen now; none: the vote was taken back. */
  | {
      readonly type: 'poll_vote'
      readonly poll_vote: MessageReference & { readonly options: readonly string[] }
    }
  /** Kinds that Holdfast does not know are kept with the protobuf field's name. */
  | { readonly type: 'unsupported'; readonly kind: string }

export const contentTypes = [
  'text',
  'location',
  'contacts',
  'poll',
  ...mediaKinds,
  'reaction',
  'edit',
  'delete',
  'poll_vote',
  'unsupported',
] as const satisfies readonly (SendKind | InboundContent['type'])[]
