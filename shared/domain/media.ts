import type { MediaKind } from './content.ts'
import type { EpochMs } from './words.ts'

/**
 * What WhatsApp's apps show of each kind. Checked where a medium is registered (as declared) and where it is sent (as its
 * bytes say).
 */
interface KindRules {
  /** As the bytes say; absent: anything. */
  readonly types?: readonly string[]
  readonly bytesMax: number
}

/** When media of received messages are downloaded: as they come, or when they are asked for. */
export const mediaDownloads = ['on_demand', 'eager'] as const
export type MediaDownload = (typeof mediaDownloads)[number]

const MiB = 1024 * 1024

export const mediaRules: Readonly<Record<MediaKind, KindRules>> = {
  image: { types: ['image/jpeg', 'image/png'], bytesMax: 16 * MiB },
  video: { types: ['video/mp4', 'video/3gpp'], bytesMax: 100 * MiB },
  audio: { types: ['audio/ogg', 'audio/mpeg', 'audio/mp4', 'audio/aac', 'audio/amr'], bytesMax: 100 * MiB },
  document: { bytesMax: 2_000 * MiB },
  sticker: { types: ['image/webp'], bytesMax: 1 * MiB },
}

/** Of the largest kind. */
export const mediaBytesMax = Math.max(...Object.values(mediaRules).map(({ bytesMax }) => bytesMax))

/** `audio/OGG; codecs=opus` is `audio/ogg`; other names of a type are the one that the rules use. */
export function essenceOf(contentType: string): string {
  const essence = (contentType.split(';')[0] ?? '').trim().toLowerCase()
  return sameTypes[essence] ?? essence
}

const sameTypes: Readonly<Record<string, string>> = {
  'image/jpg': 'image/jpeg',
  'image/apng': 'image/png',
  'audio/x-m4a': 'audio/mp4',
  'audio/m4a': 'audio/mp4',
  'audio/mp3': 'audio/mpeg',
  'audio/opus': 'audio/ogg',
  'video/x-m4v': 'video/mp4',
  'video/3gpp2': 'video/3gpp',
}

/** Whose bytes begin in a way that tells the type: a declaration of one of these has to be true. */
const recognizable = /^(?:image\/(?:jpeg|png|gif|webp)|video\/|audio\/|application\/(?:pdf|zip|gzip)$)/

export interface SeenMedium {
  /** As whoever gave it says. */
  readonly declared: string
  /** As its first bytes say; absent: they say nothing. */
  readonly sniffed?: string
  readonly bytes: number
}

export type MediumVerdict =
  | { readonly kind: 'good'; readonly mimeType: string }
  /** `why` continues the name of the field: "expected …". */
  | { readonly kind: 'refused'; readonly why: string }

/** Whether a medium may go as this kind, and the type that WhatsApp is told. */
export function judgeMedium(kind: MediaKind, seen: SeenMedium, voice = false): MediumVerdict {
  const { types, bytesMax } = mediaRules[kind]
  if (seen.bytes === 0) return refused('expected at least one byte')
  if (seen.bytes > bytesMax) return refused(`expected at most ${bytesMax} bytes for ${kind}, got ${seen.bytes}`)
  const declared = essenceOf(seen.declared)
  const sniffed = seen.sniffed === undefined ? undefined : essenceOf(seen.sniffed)
  if (types === undefined) {
    if (recognizable.test(declared) && sniffed !== undefined && !fits(declared, sniffed)) {
      return refused(`expected ${declared}, as was declared; its bytes are ${sniffed}`)
    }
    if (recognizable.test(declared) && sniffed === undefined) {
      return refused(`expected ${declared}, as was declared; its bytes are of no known type`)
    }
    return { kind: 'good', mimeType: declared }
  }
  // An MP4 file with sound only begins like one with pictures.
  const type = kind === 'audio' && sniffed === 'video/mp4' && declared === 'audio/mp4' ? 'audio/mp4' : sniffed
  if (type === undefined || !types.includes(type)) {
    const hint = kind === 'image' && type === 'image/gif' ? ' (a GIF goes as a video in MP4 with "gif": true)' : ''
    return refused(`expected ${types.join(' or ')}; its bytes are ${type ?? 'of no known type'}${hint}`)
  }
  const opus = /opus/i.test(seen.sniffed ?? '')
  if (voice && !opus) return refused('expected Opus in Ogg for a voice note')
  return { kind: 'good', mimeType: opus ? 'audio/ogg; codecs=opus' : type }
}

/** A container's first bytes don't tell sound from pictures. */
function fits(declared: string, sniffed: string): boolean {
  if (declared === sniffed) return true
  const container = (type: string): string => type.replace(/^(?:audio|video)\//, '')
  return /^(?:audio|video)\//.test(declared) && container(declared) === container(sniffed)
}

function refused(why: string): MediumVerdict {
  return { kind: 'refused', why }
}

const dayMs = 86_400_000

/**
 * When a medium's time is over, in seconds since 1970.
 *
 * @param keptMs the deployment's own: its bucket keeps nothing longer
 * @param profileDays of its business profile
 */
export const mediumExpiry = (nowMs: EpochMs, keptMs: number, profileDays?: number): number =>
  Math.floor((nowMs + Math.min(keptMs, (profileDays ?? Number.POSITIVE_INFINITY) * dayMs)) / 1_000)
