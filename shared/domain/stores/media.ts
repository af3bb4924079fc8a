import type { MediaKind } from '../content.ts'
import type { BusinessProfileId, ConnectionId, IsoTime, MessageId } from '../words.ts'

/**
 * One medium of a business profile. Table `media`: partition key `businessProfileId`, sort key `mediaId`; its bytes are the
 * object `media/<businessProfileId>/<mediaId>`. Both end by themselves.
 */
export interface MediaRow {
  readonly businessProfileId: BusinessProfileId
  readonly mediaId: string
  /** Uploaded by the caller, fetched from a send's link, or downloaded from WhatsApp for a received message. */
  readonly origin: 'upload' | 'link' | 'message'
  /**
   * `waiting`: for the caller's upload, and it stays so: whether that came, the object says. `fetching`: `operationId` brings
   * it, or did not. `ready`: all bytes are there and were checked. `failed`: `error` says why; it may be asked for again.
   */
  readonly state: 'waiting' | 'fetching' | 'ready' | 'failed'
  /** As declared. */
  readonly contentType: string
  /** Bytes as announced for an upload; once `ready`, as they are. */
  readonly size?: number
  /** Base64. */
  readonly sha256?: string
  readonly filename?: string
  /** Of the message that it is for or from. */
  readonly connectionId?: ConnectionId
  readonly messageId?: MessageId
  /** Of the download that was asked for last, until it ended. */
  readonly operationId?: string
  readonly error?: MediaError
  /** What WhatsApp has of it, encrypted, by the kind that it went as: further sends refer to the same. Never shown. */
  readonly uploads?: { readonly [K in MediaKind]?: WhatsAppUpload }
  readonly createdAt: IsoTime
  readonly updatedAt: IsoTime
  /** Seconds since 1970; DynamoDB's TTL. */
  readonly expireAt: number
}

export interface MediaError {
  readonly code: MediaErrorCode
  /** One sentence for a person. */
  readonly message: string
}

/**
 * `gone`: neither WhatsApp nor the phone has it any more. `damaged`: what came is not what the message says.
 * `too_large`: above what is kept. `unreachable`: it could not be fetched now.
 */
export const mediaErrorCodes = ['gone', 'damaged', 'too_large', 'unreachable'] as const
export type MediaErrorCode = (typeof mediaErrorCodes)[number]

/** A medium on WhatsApp's media servers. Bytes as base64. */
export interface WhatsAppUpload {
  readonly directPath: string
  readonly url: string
  /** Opens it. */
  readonly mediaKey: string
  readonly fileSha256: string
  readonly fileEncSha256: string
  readonly bytes: number
  readonly mimeType: string
  readonly uploadedAt: IsoTime
  readonly width?: number
  readonly height?: number
  readonly seconds?: number
  readonly animated?: boolean
  /** A small JPEG. */
  readonly thumbnail?: string
  /** Of a voice note: one byte a bar, each from 0 to 100. */
  readonly waveform?: string
}

export interface MediaStore {
  create(row: MediaRow): Promise<{ readonly kind: 'created' } | { readonly kind: 'exists' }>
  /** Takes the place of what is there. */
  put(row: MediaRow): Promise<void>
  /** Consistent. A row whose time is over is not there, whether or not it was deleted yet. */
  get(businessProfileId: BusinessProfileId, mediaId: string): Promise<MediaRow | undefined>
  remove(businessProfileId: BusinessProfileId, mediaId: string): Promise<void>
  /** Where the row is still there. */
  noteUpload(
    businessProfileId: BusinessProfileId,
    mediaId: string,
    kind: MediaKind,
    upload: WhatsAppUpload,
  ): Promise<void>
}

export interface MediaObject {
  readonly bytes: number
  readonly etag: string
  readonly contentType?: string
}

/** A medium's bytes, never whole in memory. Rows and objects are named alike. */
export interface MediaObjects {
  head(businessProfileId: BusinessProfileId, mediaId: string): Promise<MediaObject | undefined>
  /** @param etag only if the object still is that one */
  read(
    businessProfileId: BusinessProfileId,
    mediaId: string,
    etag?: string,
  ): Promise<(MediaObject & { readonly body: AsyncIterable<Uint8Array> }) | undefined>
  /** All or nothing: where `source` throws, no object appears, and that error is thrown. */
  write(
    businessProfileId: BusinessProfileId,
    mediaId: string,
    source: AsyncIterable<Uint8Array>,
    about: { readonly contentType: string },
  ): Promise<void>
  remove(businessProfileId: BusinessProfileId, mediaId: string): Promise<void>
}
