import { given } from '../../shared/api/connections.ts'
import { downloadSeconds, isShownInline, type Media, toMedia, uploadSeconds } from '../../shared/api/media.ts'
import { Problem, type ProblemCode } from '../../shared/api/problems.ts'
import { documentClient, objectClient, queueClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { doorbellRinger } from '../../shared/aws/doorbells.ts'
import { mediaIdOfMessage, newMediaId, newOperationId } from '../../shared/aws/ids.ts'
import { mediaStore } from '../../shared/aws/media.ts'
import { mediaObjects } from '../../shared/aws/media-objects.ts'
import { mediaUrls } from '../../shared/aws/media-urls.ts'
import { apiMessages } from '../../shared/aws/messages.ts'
import { apiOperations } from '../../shared/aws/operations.ts'
import { receivedMedium, sentMedium } from '../../shared/domain/content.ts'
import { mediumExpiry } from '../../shared/domain/media.ts'
import type { OperationErrorCode } from '../../shared/domain/operations.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { MediaErrorCode, MediaRow } from '../../shared/domain/stores/media.ts'
import type { MessageRow } from '../../shared/domain/stores/messages.ts'
import type { OperationRow } from '../../shared/domain/stores/operations.ts'
import { type Origin, originOf } from '../../shared/domain/trace.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import { configure, currentTrace } from '../config.ts'
import { log } from '../log.ts'
import { acceptOperation } from '../operations/accept-operation.ts'
import { waitPreference } from '../operations/preference.ts'
import { untilEnded } from '../operations/until-ended.ts'
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
const operations = apiOperations({ documents, table: config.MESSAGES_TABLE })
const doorbells = doorbellRinger({ queues: queueClient(), partitionQueuePrefix: config.PARTITION_QUEUE_PREFIX })
const bucket = { objects: objectClient(), bucket: config.MEDIA_BUCKET }
const media = mediaStore({ documents, table: config.MEDIA_TABLE })
const objects = mediaObjects(bucket)
const urls = mediaUrls(bucket)

const dayMs = 86_400_000
/** What WhatsApp and the phone have deleted is not asked for at every call. */
const goneForMs = 600_000

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

  getMessageMedia: async ({ principal, params, headers, requestId }) => {
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
    refuseWhatIsGone(row)
    const asked =
      (await underWay(ref, row)) ?? (await ask(connection, message, mediaId, originOf(requestId, currentTrace())))
    const { waitMs, applied } = waitPreference(headers.prefer)
    const ended = await untilEnded(operations, asked, waitMs)
    const preferred: Record<string, string> = applied === undefined ? {} : { 'preference-applied': applied }
    const now = await media.get(ref.businessProfileId, mediaId)
    if (now === undefined) throw new Problem('media_not_found')
    if (ended.status === 'pending') {
      const location = `/connections/${ref.connectionId}/operations/${ended.operationId}`
      return { body: toMedia(now), also: true, headers: { ...preferred, location, 'retry-after': '1' } }
    }
    if (ended.error !== undefined) {
      throw new Problem(problems[ended.error.code] ?? 'media_unreachable', { detail: ended.error.message })
    }
    return { body: await shown(now), headers: preferred }
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

/** The download that was asked for before, while it has not ended. */
async function underWay(ref: ConnectionRef, row: MediaRow | undefined): Promise<OperationRow | undefined> {
  if (row?.state !== 'fetching' || row.operationId === undefined) return undefined
  const operation = await operations.get(ref, row.operationId)
  return operation?.status === 'pending' ? operation : undefined
}

/** The row first: it then belongs to the worker, which writes what became of the download. */
async function ask(
  connection: ConnectionRow,
  message: MessageRow,
  mediaId: string,
  origin: Origin | undefined,
): Promise<OperationRow> {
  const { businessProfileId, connectionId, retention } = connection
  const ref = { businessProfileId, connectionId }
  const received = message.direction === 'inbound' ? receivedMedium(message.content)?.medium : undefined
  const { messageId } = message
  const operationId = newOperationId()
  const now = isoNow()
  await media.put({
    ...ref,
    mediaId,
    messageId,
    operationId,
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
  const request = { kind: 'download_media', messageId } as const
  const stores = { connections, operations, doorbells }
  const accepted = await acceptOperation(stores, ref, request, undefined, Date.now(), origin, operationId)
  if (accepted.kind !== 'accepted') throw new Problem(accepted.kind)
  return accepted.row
}

/** Others say that it could not be had this time. */
const problems: { readonly [Code in OperationErrorCode | MediaErrorCode]?: ProblemCode } = {
  gone: 'media_gone',
  damaged: 'media_gone',
  too_large: 'media_too_large',
  media_gone: 'media_gone',
  media_too_large: 'media_too_large',
  no_active_connection: 'not_connected',
  connection_deleted: 'connection_not_found',
}

/** @throws Problem where the medium is known to be gone */
function refuseWhatIsGone(row: MediaRow | undefined): void {
  if (row?.state !== 'failed' || row.error === undefined || row.error.code === 'unreachable') return
  if (Date.now() - Date.parse(row.updatedAt) >= goneForMs) return
  throw new Problem(problems[row.error.code] ?? 'media_unreachable', { detail: row.error.message })
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
