import { randomBytes } from 'node:crypto'
import { mediaIdOfMessage, outboundKey } from '../../shared/aws/ids.ts'
import { type MediaKind, type SentMedium, sentMedium } from '../../shared/domain/content.ts'
import { judgeMedium, mediaRules, mediumExpiry } from '../../shared/domain/media.ts'
import type { MediaObjects, MediaRow, MediaStore, WhatsAppUpload } from '../../shared/domain/stores/media.ts'
import type { ConnectionRef, SendContent } from '../../shared/domain/words.ts'
import { fetchLink, LinkFailure, linkLimits } from '../../shared/net/fetch-link.ts'
import type { TargetScope } from '../../shared/net/targets.ts'
import type { Clock, Log, Prepared, RefusedCode } from '../ports.ts'
import { type Digests, encrypted, encryptedBytes } from './ciphers.ts'
import { collecting } from './collecting.ts'
import { type MediaHosts, uploadToWhatsApp } from './hosts.ts'
import { type Appearance, Inspection } from './inspection.ts'
import type { Previews } from './previews/previews.ts'
import type { Transfers } from './transfers.ts'

export interface OutboundMediaDependencies {
  readonly clock: Clock
  readonly log: Log
  readonly store: MediaStore
  readonly objects: MediaObjects
  readonly transfers: Transfers
  /** Absent: media are sent without previews. */
  readonly previews?: Previews
  /** Where links may lead to. */
  readonly linkTargets: TargetScope
  /** How long fetched links are kept at most. */
  readonly keptMs: number
}

/** WhatsApp keeps uploads for about a month; one that is much younger is referred to again. */
const uploadFreshMs = 7 * 24 * 60 * 60_000
const keyBytes = 32
const linkTries = 3
const linkPauseMs = 1_000

/** Final: the send fails with it. */
class Refused extends Error {
  readonly code: RefusedCode

  constructor(code: RefusedCode, why: string) {
    super(why)
    this.code = code
  }
}

/**
 * Brings the media of sends to WhatsApp. The path of an upload names the hash of its ciphertext, so a medium is read twice from
 * its object, once to hash it and once to send it, and never held. What is uploaded is noted on the medium's row: tries of the
 * same send, by any worker, and other sends of the same medium refer to it.
 */
export class OutboundMedia {
  readonly #deps: OutboundMediaDependencies
  /** By medium and kind: sends of the same medium at once upload it once. */
  readonly #running = new Map<string, Promise<Prepared>>()

  constructor(deps: OutboundMediaDependencies) {
    this.#deps = deps
  }

  /**
   * Rejects with the signal's reason; all else is an answer.
   *
   * @param keptDays of its business profile, for what is fetched from a link
   */
  async prepare(
    ref: ConnectionRef,
    whatsappId: string,
    content: SendContent,
    hosts: MediaHosts,
    signal: AbortSignal,
    keptDays?: number,
  ): Promise<Prepared> {
    const sent = sentMedium(content)
    if (sent === undefined) return { kind: 'ready' }
    const mediaId = idOf(ref, whatsappId, sent.medium)
    const key = `${ref.businessProfileId} ${mediaId} ${sent.kind} ${sent.medium.voice === true}`
    // Another socket's work may end with that socket: whoever waits for it then looks again by itself.
    const running = this.#running.get(key)
    if (running !== undefined) await running.catch(() => undefined)
    const work = this.#prepare(ref, mediaId, sent.kind, sent.medium, hosts, signal, keptDays)
    this.#running.set(key, work)
    try {
      return await work
    } finally {
      if (this.#running.get(key) === work) this.#running.delete(key)
    }
  }

  /** What a message refers to. Undefined where it was not prepared, or was too long ago. */
  async uploaded(ref: ConnectionRef, whatsappId: string, content: SendContent): Promise<WhatsAppUpload | undefined> {
    const sent = sentMedium(content)
    if (sent === undefined) return undefined
    const row = await this.#deps.store.get(ref.businessProfileId, idOf(ref, whatsappId, sent.medium))
    return row?.uploads?.[sent.kind]
  }

  async #prepare(
    ref: ConnectionRef,
    mediaId: string,
    kind: MediaKind,
    medium: SentMedium,
    hosts: MediaHosts,
    signal: AbortSignal,
    keptDays: number | undefined,
  ): Promise<Prepared> {
    const { store, transfers, clock, log } = this.#deps
    try {
      const row = await store.get(ref.businessProfileId, mediaId)
      const before = row?.uploads?.[kind]
      if (before !== undefined && clock.now() - Date.parse(before.uploadedAt) < uploadFreshMs) {
        judged(kind, medium, { ...before, sniffed: before.mimeType }, before.mimeType)
        return readyWith(before)
      }
      return await transfers.run(signal, async () => {
        const ready =
          medium.link === undefined ? row : await this.#fetched(ref, mediaId, kind, medium.link, row, signal, keptDays)
        if (ready === undefined) {
          throw new Refused('media_not_found', `${kind}.id: expected the id of a medium of this business profile`)
        }
        const upload = await this.#upload(ready, kind, medium, hosts, signal)
        await store.noteUpload(ref.businessProfileId, mediaId, kind, upload)
        return readyWith(upload)
      })
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Refused) return { kind: 'refused', code: error.code, why: error.message }
      const why = error instanceof Error ? error.message : String(error)
      log.warn({ ...ref, mediaId, why }, 'A medium could not be brought to WhatsApp yet')
      return { kind: 'not_ready', why }
    }
  }

  /** The medium that a link leads to, as our object. Fetched once for a send. */
  async #fetched(
    ref: ConnectionRef,
    mediaId: string,
    kind: MediaKind,
    link: string,
    row: MediaRow | undefined,
    signal: AbortSignal,
    keptDays: number | undefined,
  ): Promise<MediaRow> {
    if (row?.state === 'ready') return row
    const { store, objects, clock, linkTargets, keptMs } = this.#deps
    const limits = { ...linkLimits, bytesMax: mediaRules[kind].bytesMax }
    for (let tries = 1; ; tries += 1) {
      try {
        const { contentType, filename, body } = await fetchLink(link, linkTargets, limits, signal)
        await objects.write(ref.businessProfileId, mediaId, collecting(body), { contentType })
        const at = new Date(clock.now()).toISOString()
        const fetched: MediaRow = {
          businessProfileId: ref.businessProfileId,
          mediaId,
          connectionId: ref.connectionId,
          origin: 'link',
          state: 'ready',
          contentType,
          ...(filename === undefined ? {} : { filename }),
          createdAt: at,
          updatedAt: at,
          expireAt: mediumExpiry(clock.now(), keptMs, keptDays),
        }
        await store.put(fetched)
        return fetched
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof LinkFailure)) throw error
        if (!error.retryable || tries === linkTries) throw new Refused('link_failed', `${kind}.link: ${error.message}`)
        await new Promise<void>((resolve) => clock.after(linkPauseMs * tries, resolve))
      }
    }
  }

  async #upload(
    row: MediaRow,
    kind: MediaKind,
    medium: SentMedium,
    hosts: MediaHosts,
    signal: AbortSignal,
  ): Promise<WhatsAppUpload> {
    const { objects, clock, previews } = this.#deps
    const { businessProfileId, mediaId } = row
    const first = await objects.read(businessProfileId, mediaId)
    if (first === undefined) throw new Refused('media_not_found', `${kind}.id: nothing was uploaded for ${mediaId} yet`)
    const { bytes, etag } = first
    const mediaKey = randomBytes(keyBytes)
    // A document shows its name.
    const inspection = new Inspection(bytes, kind === 'document' ? undefined : previews)
    let digests: Digests | undefined
    // Wrong types and sizes are refused from the head, before all of it was read.
    const watched = inspection.watch(first.body, ({ sniffed }) =>
      judged(kind, medium, { bytes, ...(sniffed !== undefined && { sniffed }) }, row.contentType),
    )
    const hashing = encrypted(watched, mediaKey, kind, (told) => {
      digests = told
    })
    for await (const _ of hashing) signal.throwIfAborted()
    const seen = await inspection.appearance()
    const mimeType = judged(kind, medium, { bytes, ...seen }, row.contentType)
    if (digests === undefined || digests.bytes !== bytes) throw new Error('the medium was not read to its end')
    const place = await uploadToWhatsApp(
      hosts,
      kind,
      digests.encSha256,
      encryptedBytes(bytes),
      () => this.#again(row, etag, mediaKey, kind),
      signal,
    )
    return {
      ...place,
      mediaKey: mediaKey.toString('base64'),
      fileSha256: digests.sha256.toString('base64'),
      fileEncSha256: digests.encSha256.toString('base64'),
      bytes,
      mimeType,
      uploadedAt: new Date(clock.now()).toISOString(),
      // Made while the medium went.
      ...shape({ ...(await inspection.preview()), ...seen }),
    }
  }

  /** The second reading, of the very object that was hashed. */
  async *#again(row: MediaRow, etag: string, mediaKey: Uint8Array, kind: MediaKind): AsyncGenerator<Uint8Array> {
    const second = await this.#deps.objects.read(row.businessProfileId, row.mediaId, etag)
    if (second === undefined) throw new Error('the medium was changed while it was sent')
    yield* encrypted(second.body, mediaKey, kind)
  }
}

function idOf(ref: ConnectionRef, whatsappId: string, { id }: SentMedium): string {
  return id ?? mediaIdOfMessage(ref, outboundKey(whatsappId))
}

/** The type that WhatsApp is told. @throws Refused */
function judged(
  kind: MediaKind,
  medium: SentMedium,
  seen: { readonly bytes: number; readonly sniffed?: string },
  declared: string,
): string {
  const verdict = judgeMedium(kind, { ...seen, declared }, medium.voice)
  if (verdict.kind === 'good') return verdict.mimeType
  throw new Refused('media_refused', `${kind}.${medium.link === undefined ? 'id' : 'link'}: ${verdict.why}`)
}

function readyWith({ seconds }: WhatsAppUpload): Prepared {
  return { kind: 'ready', ...(seconds !== undefined && { seconds }) }
}

function shape({ sniffed: _, ...shown }: Appearance) {
  return Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined)) as typeof shown
}
