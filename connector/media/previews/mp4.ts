/**
 * Duration and size in pixels of an MP4 or 3GP file, read in passing: of its boxes (ISO/IEC 14496-12) only the headers of the
 * movie and its tracks are looked at, wherever they lie; nothing else is kept.
 */

export interface MovieFacts {
  readonly seconds?: number
  readonly width?: number
  readonly height?: number
}

/** Their contents are boxes. */
const containers: ReadonlySet<string> = new Set(['moov', 'trak'])
/** The longest of both, version 1: 108 and 92 bytes, and their field of version and flags. */
const headerBytesMax = 128
const headBytes = 8
const largeHeadBytes = 16
/** In a box of its own length only the first one with a size of 0 may go on to the end of the file. */
const toTheEnd = Number.POSITIVE_INFINITY

export class Mp4Reader {
  #pending: Buffer = Buffer.alloc(0)
  #skip = 0
  #seconds: number | undefined
  #pixels: { readonly width: number; readonly height: number } | undefined

  get facts(): MovieFacts {
    return { ...(this.#seconds !== undefined && { seconds: this.#seconds }), ...this.#pixels }
  }

  feed(chunk: Uint8Array): void {
    let rest = chunk
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, rest.length)
      this.#skip -= skipped
      rest = rest.subarray(skipped)
    }
    if (rest.length === 0) return
    this.#pending = this.#pending.length === 0 ? Buffer.from(rest) : Buffer.concat([this.#pending, rest])
    let at = 0
    while (at < this.#pending.length) {
      const used = this.#box(this.#pending.subarray(at))
      if (used === undefined) break
      at += used
    }
    this.#skip = Math.max(0, at - this.#pending.length)
    this.#pending = at >= this.#pending.length ? Buffer.alloc(0) : Buffer.from(this.#pending.subarray(at))
  }

  /** How many bytes the box at the beginning takes, or its head where its contents are boxes. Undefined: more must come. */
  #box(bytes: Buffer): number | undefined {
    if (bytes.length < headBytes) return undefined
    const type = bytes.toString('latin1', 4, 8)
    const large = bytes.readUInt32BE(0) === 1
    const head = large ? largeHeadBytes : headBytes
    if (bytes.length < head) return undefined
    const size = large ? Number(bytes.readBigUInt64BE(8)) : bytes.readUInt32BE(0)
    if (containers.has(type)) return head
    // No box is smaller than its head: this is no such file, and nothing more is said of it.
    if (size < head) return toTheEnd
    if (type !== 'mvhd' && type !== 'tkhd') return size
    const needed = Math.min(size, head + headerBytesMax)
    if (bytes.length < needed) return undefined
    const content = bytes.subarray(head, needed)
    if (type === 'mvhd') this.#movie(content)
    else this.#track(content)
    return size
  }

  #movie(header: Buffer): void {
    const wide = header[0] === 1
    if (header.length < (wide ? 32 : 20)) return
    const scale = header.readUInt32BE(wide ? 20 : 12)
    const duration = wide ? Number(header.readBigUInt64BE(24)) : header.readUInt32BE(16)
    // All ones: not known.
    if (scale === 0 || duration === 0 || duration >= (wide ? 2 ** 64 - 1 : 2 ** 32 - 1)) return
    this.#seconds = Math.max(1, Math.round(duration / scale))
  }

  /** Sound has no size. The matrix turns what a phone held upright has filmed. */
  #track(header: Buffer): void {
    const matrix = header[0] === 1 ? 52 : 40
    if (this.#pixels !== undefined || header.length < matrix + 44) return
    const [width, height] = [header.readUInt32BE(matrix + 36) >>> 16, header.readUInt32BE(matrix + 40) >>> 16]
    if (width === 0 || height === 0) return
    const onItsSide = header.readInt32BE(matrix) === 0 && header.readInt32BE(matrix + 4) !== 0
    this.#pixels = onItsSide ? { width: height, height: width } : { width, height }
  }
}
