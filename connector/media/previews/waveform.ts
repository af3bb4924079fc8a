import { OpusDecoder } from 'opus-decoder'
import { OggPackets } from './ogg.ts'

/** What WhatsApp's apps draw: so many bars, each from 0 to 100. */
export const waveformBars = 64
const barMax = 100
/** Loudness is kept for spans of this length and folded to bars at the end. */
const spanSamples = 960
const rate = 48_000
/** What is longer is no voice note, and gets no waveform. */
const secondsMax = 30 * 60
const packetsAtOnce = 200

/**
 * The waveform of Opus in Ogg, decoded piece by piece. Undefined where it is not that, is damaged, or is too long.
 * A copy of the first channel is what is measured.
 */
export async function waveformOf(source: AsyncIterable<Uint8Array>): Promise<Buffer | undefined> {
  const packets = new OggPackets()
  const spans = new Loudness()
  let decoder: OpusDecoder | undefined
  try {
    let number = 0
    for await (const chunk of source) {
      const audio: Buffer[] = []
      for (const packet of packets.feed(chunk)) {
        number += 1
        if (number === 1) decoder = await decoderFor(packet)
        // The second one holds comments.
        else if (number > 2) audio.push(packet)
      }
      for (let from = 0; from < audio.length && decoder !== undefined; from += packetsAtOnce) {
        const { channelData } = decoder.decodeFrames(audio.slice(from, from + packetsAtOnce))
        spans.add(channelData[0] ?? new Float32Array())
      }
      if (spans.seconds > secondsMax) return undefined
    }
    return spans.bars()
  } finally {
    decoder?.free()
  }
}

/** RFC 7845, the identification header. Mono and stereo only, which is what phones record and play. */
async function decoderFor(head: Buffer): Promise<OpusDecoder> {
  if (head.toString('latin1', 0, 8) !== 'OpusHead' || head.length < 19) throw new Error('an Opus header was expected')
  const channels = head[9] ?? 0
  if (channels < 1 || channels > 2) throw new Error(`${channels} channels`)
  const decoder = new OpusDecoder({ channels, preSkip: head.readUInt16LE(10) })
  await decoder.ready
  return decoder
}

/** Mean amplitude, span by span. */
class Loudness {
  readonly #spans: number[] = []
  #sum = 0
  #counted = 0

  get seconds(): number {
    return (this.#spans.length * spanSamples) / rate
  }

  add(samples: Float32Array): void {
    for (const sample of samples) {
      this.#sum += Math.abs(sample)
      this.#counted += 1
      if (this.#counted === spanSamples) this.#close()
    }
  }

  #close(): void {
    this.#spans.push(this.#sum / this.#counted)
    this.#sum = 0
    this.#counted = 0
  }

  /** The loudest one is as high as can be. */
  bars(): Buffer | undefined {
    if (this.#counted > 0) this.#close()
    const spans = this.#spans
    if (spans.length === 0) return undefined
    const means = Array.from({ length: waveformBars }, (_, bar) => {
      const from = Math.floor((bar * spans.length) / waveformBars)
      const to = Math.max(from + 1, Math.floor(((bar + 1) * spans.length) / waveformBars))
      const within = spans.slice(from, to)
      return within.reduce((sum, each) => sum + each, 0) / within.length
    })
    const loudest = Math.max(...means)
    return Buffer.from(means.map((mean) => (loudest === 0 ? 0 : Math.round((mean / loudest) * barMax))))
  }
}
