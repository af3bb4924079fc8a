/** The packets of an Ogg stream (RFC 3533), as far as they have come. */

const capture = 'OggS'
const pageHeadBytes = 27
const lacedMax = 255
/** An Opus packet of 120 ms has at most 61,298 bytes; what is larger is no audio. */
const packetBytesMax = 64 * 1024

export class OggPackets {
  #pending: Buffer = Buffer.alloc(0)
  #begun: Buffer[] = []
  #begunBytes = 0

  /** Those that are complete now. @throws where it is no Ogg stream, or a damaged one */
  feed(chunk: Uint8Array): readonly Buffer[] {
    this.#pending = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk])
    const packets: Buffer[] = []
    let at = 0
    for (let page = pageAt(this.#pending, at); page !== undefined; page = pageAt(this.#pending, at)) {
      at = page.end
      this.#take(page, packets)
    }
    this.#pending = Buffer.from(this.#pending.subarray(at))
    return packets
  }

  #take({ lacing, body }: Page, packets: Buffer[]): void {
    let from = 0
    for (const length of lacing) {
      this.#begun.push(body.subarray(from, from + length))
      this.#begunBytes += length
      from += length
      if (this.#begunBytes > packetBytesMax) throw new Error('an Ogg packet is too large')
      if (length === lacedMax) continue
      packets.push(Buffer.concat(this.#begun))
      this.#begun = []
      this.#begunBytes = 0
    }
    // The page's buffer is not kept for a packet's beginning.
    this.#begun = this.#begun.map((part) => Buffer.from(part))
  }
}

interface Page {
  readonly lacing: Buffer
  readonly body: Buffer
  readonly end: number
}

function pageAt(bytes: Buffer, at: number): Page | undefined {
  if (bytes.length < at + pageHeadBytes) return undefined
  if (bytes.toString('latin1', at, at + capture.length) !== capture) throw new Error('an Ogg page was expected')
  const body = at + pageHeadBytes + (bytes[at + pageHeadBytes - 1] ?? 0)
  if (bytes.length < body) return undefined
  const lacing = bytes.subarray(at + pageHeadBytes, body)
  const end = body + lacing.reduce((sum, length) => sum + length, 0)
  return bytes.length < end ? undefined : { lacing, body: bytes.subarray(body, end), end }
}
