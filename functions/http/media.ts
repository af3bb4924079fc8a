import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { given } from '../../shared/api/connections.ts'
import {
  downloadSeconds,
  isShownInline,
  type Media,
  toMedia,
  uploadSeconds,
  waitSecondsOf,
} from '../../shared/api/media.ts'
import { Problem } from '../../shared/api/problems.ts'
import { documentClient, objectClient, queueClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { doorbellRinger } from '../../shared/aws/doorbells.ts'
import { mediaIdOfMessage, newMediaId } from '../../shared/aws/ids.ts'
import { mediaStore } from '../../shared/aws/media.ts'
import { mediaObjects } from '../../shared/aws/media-objects.ts'
import { mediaUrls } from '../../shared/aws/media-urls.ts'
import { apiMessages } from '../../shared/aws/messages.ts'
import { receivedMedium, sentMedium } from '../../shared/domain/content.ts'
import { mediumExpiry } from '../../shared/domain/media.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { MediaErrorCode, MediaRow } from '../../shared/domain/stores/media.ts'
import type { MessageRow } from '../../shared/domain/stores/messages.ts'
import type { BusinessProfileId, ConnectionRef } from '../../shared/domain/words.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'
import { isoNow } from '../time.ts'
import { httpHandler } from './stack.ts'

const config = configure(
  'CONNECTIONS_TABLE',
  'MESSAGES_TABLE',
  'MEDIA_TABLE',
  'MEDIA_BUCKET',
  'MEDIA_RETENTION_DAYS',
  'PARTITION_QUEUE_PREFIX',
)
const documents = documentClient()
const connections = apiConnections({ documents, table: config.CONNECTIONS_TABLE })
const messages = apiMessages({ documents, table: config.MESSAGES_TABLE })
const doorbells = doorbellRinger({ queues: queueClient(), partitionQueuePrefix: config.PARTITION_QUEUE_PREFIX })
const bucket = { objects: objectClient(), bucket: config.MEDIA_BUCKET }
const media = mediaStore({ documents, table: config.MEDIA_TABLE })
const objects = mediaObjects(bucket)
const urls = mediaUrls(bucket)

const dayMs = 86_400_000
/** A worker that was asked has said something by then, or was not there to hear it. */
const askAgainMs = 60_000
/** What WhatsApp and the phone have deleted is not asked for at every call. */
const goneForMs = 600_000
const lookEveryMs = 250

export const handler = httpHandler({
  createMedia: async ({ principal, body }) => {
    const { businessProfileId } = principal
    const now = isoNow()
    const row: MediaRow = {
      businessProfileId,
      mediaId: newMediaId(),
      origin: 'upload',
      state: 'waiting',
      contentType: body.contentType,
      size: body.size,
      ...given('sha256', body.sha256),
      ...given('filename', body.filename),
      createdAt: now,
      updatedAt: now,
      expireAt: expiry(principal.mediaDays),
    }
    const created = await media.create(row)
    if (created.kind === 'exists') throw new Error('a fresh medium id is taken')
    const expiresAt = inSeconds(uploadSeconds)
    const address = await urls.upload(businessProfileId, row.mediaId, body, uploadSeconds)
    log.info('medium registered', { mediaId: row.mediaId })
    return {
      body: {
        ...toMedia(row),
        upload: { method: 'PUT', url: address.url, headers: { ...address.headers }, expiresAt },
      },
      headers: { location: `/media/${row.mediaId}` },
    }
  },

  getMedia: async ({ principal, params }) => {
    const row = await media.get(principal.businessProfileId, params.mediaId)
    if (row === undefined) throw new Problem('media_not_found')
    return { body: await shown(row) }
  },

  deleteMedia: async ({ principal, params }) => {
    const { businessProfileId } = principal
    // The row first: without it nobody is given the object's address any more.
    await media.remove(businessProfileId, params.mediaId)
    await objects.remove(businessProfileId, params.mediaId)
    return { body: undefined }
  },

  getMessageMedia: async ({ principal, params, headers }) => {
    const ref = { businessProfileId: principal.businessProfileId, connectionId: params.connectionId }
    const [connection, message] = await Promise.all([connections.get(ref), messages.get(ref, params.messageId)])
    if (connection === undefined) throw new Problem('connection_not_found')
    if (message === undefined) throw new Problem('message_not_found')
    const mediaId = mediumOf(ref, message)
    if (mediaId === undefined) throw new Problem('no_media')
    const row = await media.get(ref.businessProfileId, mediaId)
    if (message.direction === 'outbound') {
      if (row === undefined) throw new Problem('media_not_found')
      return { body: await shown(row) }
    }
    if (row?.state === 'ready') return { body: await shown(row) }
    if (!isUnderWay(row)) {
      refuseWhatFailed(row, goneForMs)
      if (connection.status !== 'connected') throw new Problem('not_connected', { detail: connection.message })
      await ask(connection, message, mediaId)
    }
    const until = Date.now() + waitSecondsOf(headers.prefer) * 1_000
    const now = await fetched(ref.businessProfileId, mediaId, until)
    refuseWhatFailed(now, Number.POSITIVE_INFINITY)
    if (now.state === 'ready') return { body: await shown(now) }
    return { body: toMedia(now), also: true, headers: { 'retry-after': '2' } }
  },
})

/** Undefined for messages without one, or of which WhatsApp gave no key. */
function mediumOf(ref: ConnectionRef, message: MessageRow): string | undefined {
  if (message.direction === 'outbound') {
    const sent = sentMedium(message.content)
    return sent && (sent.medium.id ?? mediaIdOfMessage(ref, message.key))
  }
  return receivedMedium(message.content)?.medium.source && mediaIdOfMessage(ref, message.key)
}

const isUnderWay = (row: MediaRow | undefined): row is MediaRow =>
  row?.state === 'fetching' && Date.now() - Date.parse(row.updatedAt) < askAgainMs

async function ask(connection: ConnectionRow, message: MessageRow, mediaId: string): Promise<void> {
  const { businessProfileId, connectionId, partition, retention } = connection
  const ref = { businessProfileId, connectionId }
  const received = message.direction === 'inbound' ? receivedMedium(message.content)?.medium : undefined
  const now = isoNow()
  await media.put({
    ...ref,
    mediaId,
    messageId: message.messageId,
    origin: 'message',
    state: 'fetching',
    contentType: received?.mimeType ?? 'application/octet-stream',
    ...given('size', received?.bytes),
    ...given('sha256', received?.sha256),
    ...given('filename', received?.filename),
    createdAt: now,
    updatedAt: now,
    expireAt: expiry(retention?.mediaDays),
  })
  await doorbells.ring(partition, { kind: 'media', ...ref, messageId: message.messageId, requestId: randomUUID() })
}

/** The row once it is no longer being fetched, or as it is at `untilMs`. */
async function fetched(businessProfileId: BusinessProfileId, mediaId: string, untilMs: number): Promise<MediaRow> {
  for (;;) {
    const row = await media.get(businessProfileId, mediaId)
    if (row === undefined) throw new Problem('media_not_found')
    const leftMs = untilMs - Date.now()
    if (row.state !== 'fetching' || leftMs <= 0) return row
    await delay(Math.min(lookEveryMs, leftMs))
  }
}

const problems = {
  gone: 'media_gone',
  damaged: 'media_gone',
  too_large: 'media_too_large',
  unreachable: 'media_unreachable',
} as const satisfies Record<MediaErrorCode, string>

/** @throws Problem where the medium could not be had, less than `forMs` ago */
function refuseWhatFailed(row: MediaRow | undefined, forMs: number): void {
  if (row?.state !== 'failed' || row.error === undefined) return
  const passing = row.error.code === 'unreachable' && forMs !== Number.POSITIVE_INFINITY
  if (passing || Date.now() - Date.parse(row.updatedAt) >= forMs) return
  throw new Problem(problems[row.error.code], { detail: row.error.message })
}

/** An upload says nothing when it comes: the object is looked for. */
async function shown(row: MediaRow): Promise<Media> {
  const { businessProfileId, mediaId } = row
  const object = await objects.head(businessProfileId, mediaId)
  if (object === undefined) {
    if (row.state !== 'waiting') throw new Problem('media_not_found')
    return toMedia(row)
  }
  const expiresAt = inSeconds(downloadSeconds)
  const as = { contentType: row.contentType, disposition: dispositionOf(row) }
  const url = await urls.download(businessProfileId, mediaId, as, downloadSeconds)
  return { ...toMedia({ ...row, state: 'ready', size: object.bytes }), download: { url, expiresAt } }
}

/** RFC 6266. What a stranger sent must not run in a browser that follows the address. */
function dispositionOf({ contentType, filename }: MediaRow): string {
  const kind = isShownInline(contentType) ? 'inline' : 'attachment'
  if (filename === undefined) return kind
  const encoded = encodeURIComponent(filename).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)
  return `${kind}; filename*=UTF-8''${encoded}`
}

const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString()
const expiry = (profileDays?: number): number =>
  mediumExpiry(Date.now(), config.MEDIA_RETENTION_DAYS * dayMs, profileDays)
