import { mediaIdOfMessage } from '../../shared/aws/ids.ts'
import { type MediaKind, type MediaSource, type ReceivedMedium, receivedMedium } from '../../shared/domain/content.ts'
import { mediaBytesMax, mediumExpiry } from '../../shared/domain/media.ts'
import type { MediaError, MediaObjects, MediaRow, MediaStore } from '../../shared/domain/stores/media.ts'
import type { Clock, InboundRow, Log } from '../ports.ts'
import { DamagedMedium, decrypted } from './ciphers.ts'
import { downloadFromWhatsApp, MediaHostFailure, type MediaHosts } from './hosts.ts'
import type { Transfers } from './transfers.ts'

export interface InboundMediaDependencies {
  readonly clock: Clock
  readonly log: Log
  readonly store: MediaStore
  readonly objects: MediaObjects
  readonly transfers: Transfers
  /** At most. */
  readonly keptMs: number
}

/** How a socket reaches the medium. */
export interface MediumAccess {
  readonly hosts: MediaHosts
  readonly signal: AbortSignal
  /** Of its business profile; never longer than the deployment's own. */
  readonly keptDays?: number | undefined
  /** The phone is asked to upload it again: its new path; undefined where the phone has it no more. */
  renew(): Promise<string | undefined>
}

/** WhatsApp has it no more: forbidden (its path has ended), not found, gone. */
const endedStatuses: ReadonlySet<number | undefined> = new Set([403, 404, 410])

class TooLarge extends Error {}

/**
 * Brings media of received messages to our bucket: from WhatsApp, or where that has deleted them from the phone; decrypted and
 * checked on the way, never held. An object appears only once all of it is good.
 */
export class InboundMedia {
  readonly #deps: InboundMediaDependencies
  /** By medium: who asks again meanwhile waits for the same. */
  readonly #running = new Map<string, Promise<MediaRow | undefined>>()

  constructor(deps: InboundMediaDependencies) {
    this.#deps = deps
  }

  /**
   * Resolves with the medium's row, which says what became of it; undefined where the message has none. Rejects with the signal's
   * reason, or where that can't be stored.
   */
  fetch(message: InboundRow, access: MediumAccess): Promise<MediaRow | undefined> {
    const mediaId = mediaIdOfMessage(message, message.key)
    const key = `${message.businessProfileId} ${mediaId}`
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const work = this.#fetch(message, mediaId, access).finally(() => this.#running.delete(key))
    this.#running.set(key, work)
    return work
  }

  async #fetch(message: InboundRow, mediaId: string, access: MediumAccess): Promise<MediaRow | undefined> {
    const { store, transfers, log } = this.#deps
    const received = receivedMedium(message.content)
    const source = received?.medium.source
    if (received === undefined || source === undefined) return undefined
    const before = await store.get(message.businessProfileId, mediaId)
    if (before?.state === 'ready') return before
    const { kind, medium } = received
    const told = (now: Pick<MediaRow, 'state' | 'size' | 'error'>): Promise<MediaRow> =>
      this.#put(this.#row(message, mediaId, medium, access, now))
    try {
      const size = await transfers.run(access.signal, () =>
        this.#download(message, mediaId, kind, medium, source, access),
      )
      return await told({ state: 'ready', size })
    } catch (error) {
      access.signal.throwIfAborted()
      const failure = failureOf(error)
      log.warn({ messageId: message.messageId, mediaId, code: failure.code }, 'A medium could not be downloaded')
      return told({ state: 'failed', error: failure })
    }
  }

  async #put(row: MediaRow): Promise<MediaRow> {
    await this.#deps.store.put(row)
    return row
  }

  /** Bytes. */
  async #download(
    message: InboundRow,
    mediaId: string,
    kind: MediaKind,
    medium: ReceivedMedium,
    source: MediaSource,
    { hosts, signal, renew }: MediumAccess,
  ): Promise<number> {
    const first = pathOf(source)
    try {
      if (first === undefined) throw new MediaHostFailure('the message names no path', 404)
      return await this.#store(message, mediaId, kind, medium, source, first, hosts, signal)
    } catch (error) {
      if (!(error instanceof MediaHostFailure) || !endedStatuses.has(error.status)) throw error
      const renewed = await renew()
      if (renewed === undefined) throw error
      return this.#store(message, mediaId, kind, medium, source, renewed, hosts, signal)
    }
  }

  async #store(
    message: InboundRow,
    mediaId: string,
    kind: MediaKind,
    medium: ReceivedMedium,
    source: MediaSource,
    path: string,
    hosts: MediaHosts,
    signal: AbortSignal,
  ): Promise<number> {
    const { body } = await downloadFromWhatsApp(hosts, path, signal)
    const expected = {
      ...(medium.sha256 !== undefined && { sha256: medium.sha256 }),
      ...(source.fileEncSha256 !== undefined && { fileEncSha256: source.fileEncSha256 }),
    }
    let bytes = 0
    const plain = decrypted(body, Buffer.from(source.mediaKey, 'base64'), kind, expected)
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of plain) {
        bytes += chunk.length
        if (bytes > mediaBytesMax) throw new TooLarge()
        yield chunk
      }
    }
    await this.#deps.objects.write(message.businessProfileId, mediaId, counted(), { contentType: typeOf(medium) })
    return bytes
  }

  #row(
    message: InboundRow,
    mediaId: string,
    medium: ReceivedMedium,
    { keptDays }: Pick<MediumAccess, 'keptDays'>,
    now: Pick<MediaRow, 'state' | 'size' | 'error'>,
  ): MediaRow {
    const { clock, keptMs } = this.#deps
    const at = new Date(clock.now()).toISOString()
    return {
      businessProfileId: message.businessProfileId,
      mediaId,
      connectionId: message.connectionId,
      messageId: message.messageId,
      origin: 'message',
      contentType: typeOf(medium),
      ...(medium.bytes !== undefined && { size: medium.bytes }),
      ...(medium.sha256 !== undefined && { sha256: medium.sha256 }),
      ...(medium.filename !== undefined && { filename: medium.filename }),
      createdAt: at,
      updatedAt: at,
      expireAt: mediumExpiry(clock.now(), keptMs, keptDays),
      ...now,
    }
  }
}

/** What a stranger declares is only ever given as a type, so one that is none becomes bytes. */
function typeOf({ mimeType }: ReceivedMedium): string {
  return mimeType !== undefined && /^[\w.+-]+\/[\w.+-]+(?:\s*;[\x20-\x7e]*)?$/.test(mimeType)
    ? mimeType
    : 'application/octet-stream'
}

/** Of an address only the path counts: the host is always WhatsApp's. */
function pathOf({ directPath, url }: MediaSource): string | undefined {
  if (directPath !== undefined) return directPath
  if (url === undefined || !URL.canParse(url)) return undefined
  const { pathname, search } = new URL(url)
  return pathname + search
}

function failureOf(error: unknown): MediaError {
  if (error instanceof DamagedMedium)
    return { code: 'damaged', message: `What WhatsApp gave is damaged: ${error.message}.` }
  if (error instanceof TooLarge) return { code: 'too_large', message: `It has more than ${mediaBytesMax} bytes.` }
  if (error instanceof MediaHostFailure && endedStatuses.has(error.status)) {
    return { code: 'gone', message: 'WhatsApp has deleted it, and the phone does not have it any more.' }
  }
  return { code: 'unreachable', message: 'It could not be fetched from WhatsApp.' }
}
