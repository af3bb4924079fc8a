/** What a medium's own bytes say of it, seen in passing: type, size in pixels, duration, and what a preview shows. */
import { fileTypeFromBuffer } from 'file-type'
import { imageSize } from 'image-size'
import type { Preview } from './previews/messages.ts'
import { Mp4Reader } from './previews/mp4.ts'
import type { PreviewFeed, Previews } from './previews/previews.ts'

/** The types that are told apart lie within; most images name their size there. */
const headBytes = 64 * 1024
/** The last page of an Ogg file begins within. */
const tailBytes = 64 * 1024

export interface Appearance extends Preview {
  readonly sniffed?: string
  readonly animated?: boolean
}

export class Inspection {
  readonly #bytes: number
  readonly #previews: Previews | undefined
  readonly #movie = new Mp4Reader()
  #head: Buffer = Buffer.alloc(0)
  #tail: Buffer = Buffer.alloc(0)
  #feed: PreviewFeed | undefined
  #preview: Promise<Preview> | undefined

  /** @param bytes of the whole medium. @param previews absent: none is made */
  constructor(bytes: number, previews?: Previews) {
    this.#bytes = bytes
    this.#previews = previews
  }

  /** The same stream. `headSeen` is asked once the first bytes are known, or the end came: what it throws ends the stream. */
  async *watch(
    source: AsyncIterable<Uint8Array>,
    headSeen: (appearance: Appearance) => void = () => undefined,
  ): AsyncGenerator<Uint8Array> {
    /** Until it is known what the medium is. */
    let early: Uint8Array[] | undefined = []
    const tell = async (): Promise<void> => {
      const appearance = await this.appearance()
      headSeen(appearance)
      const { sniffed } = appearance
      this.#feed = sniffed === undefined ? undefined : this.#previews?.begin(sniffed, this.#bytes)
      for (const chunk of early ?? []) await this.#feed?.feed(chunk)
      early = undefined
    }
    try {
      for await (const chunk of source) {
        if (this.#head.length < headBytes) {
          this.#head = Buffer.concat([this.#head, chunk.subarray(0, headBytes - this.#head.length)])
        }
        if (this.#head.toString('latin1', 0, 4) === 'OggS') this.#keepTail(chunk)
        if (this.#head.toString('latin1', 4, 8) === 'ftyp') this.#movie.feed(chunk)
        if (early === undefined) await this.#feed?.feed(chunk)
        else early.push(chunk)
        if (early !== undefined && this.#head.length === headBytes) await tell()
        yield chunk
      }
      if (early !== undefined) await tell()
      this.#preview = this.#feed?.end()
    } finally {
      if (this.#preview === undefined) this.#feed?.cancel()
    }
  }

  #keepTail(chunk: Uint8Array): void {
    const bytes = chunk.length >= tailBytes ? chunk : Buffer.concat([this.#tail, chunk])
    this.#tail = Buffer.from(bytes.subarray(-tailBytes))
  }

  /** What is known so far. */
  async appearance(): Promise<Appearance> {
    const type = await fileTypeFromBuffer(this.#head)
    return {
      ...(type !== undefined && { sniffed: type.mime }),
      ...(type?.mime.startsWith('image/') && pixels(this.#head)),
      ...(isAnimatedWebp(this.#head) && { animated: true }),
      ...(/opus/.test(type?.mime ?? '') && opusSeconds(this.#head, this.#tail)),
      ...this.#movie.facts,
    }
  }

  /** After the stream's end. Takes as long as decoding takes, and is bounded. */
  preview(): Promise<Preview> {
    return this.#preview ?? Promise.resolve({})
  }
}
function pixels(head: Buffer): { readonly width: number; readonly height: number } | undefined {
  try {
    const { width, height, orientation = 1 } = imageSize(head)
    // From 5 on a photograph lies on its side.
    return orientation >= 5 ? { width: height, height: width } : { width, height }
  } catch {
    return undefined
  }
}

/** WebP container specification: the extended header's flags, of which the second bit says that frames follow each other. */
function isAnimatedWebp(head: Buffer): boolean {
  return head.toString('latin1', 8, 16) === 'WEBPVP8X' && ((head[20] ?? 0) & 0b10) !== 0
}

const opusRate = 48_000

/** RFC 7845: samples up to the end of the last page, at 48 kHz, without those that the header says to skip. */
function opusSeconds(head: Buffer, tail: Buffer): { readonly seconds: number } | undefined {
  const header = head.indexOf('OpusHead')
  const lastPage = tail.lastIndexOf('OggS')
  if (header < 0 || header + 12 > head.length || lastPage < 0 || lastPage + 14 > tail.length) return undefined
  const samples = Number(tail.readBigInt64LE(lastPage + 6)) - head.readUInt16LE(header + 10)
  return samples > 0 ? { seconds: Math.max(1, Math.round(samples / opusRate)) } : undefined
}
