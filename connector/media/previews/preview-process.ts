/**
 * The process that decodes media for their previews. What it reads comes from callers and strangers and goes through native code, so it
 * has no environment, no credentials and nothing to write to; it ends with its worker, and is ended by it where it hangs.
 */
import { writeFileSync } from 'node:fs'
import type { FromPreviews, Preview, ToPreviews } from './messages.ts'

type Begin = Extract<ToPreviews, { readonly kind: 'begin' }>

/** The chunks of one medium, as they come. */
class Incoming implements AsyncIterable<Uint8Array> {
  #chunks: Uint8Array[] = []
  #ended = false
  #wake: () => void = () => undefined

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) yield chunk
      else if (this.#ended) return
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}

const media = new Map<number, Incoming>()
/** One after the other: each may take memory by what it is decoded to. */
let last: Promise<void> = Promise.resolve()

async function previewOf({ task, mimeType, bytes }: Begin, source: Incoming): Promise<Preview> {
  switch (task) {
    case 'thumbnail': {
      const { thumbnailOf } = await import('./thumbnail.ts')
      const { thumbnail, width, height } = await thumbnailOf(source)
      return { thumbnail: thumbnail.toString('base64'), width, height }
    }
    case 'waveform': {
      const { waveformOf } = await import('./waveform.ts')
      const waveform = await waveformOf(source)
      return waveform === undefined ? {} : { waveform: waveform.toString('base64') }
    }
    case 'duration': {
      const { durationOf } = await import('./duration.ts')
      const seconds = await durationOf(source, { mimeType, bytes })
      return seconds === undefined ? {} : { seconds }
    }
  }
}

async function answer(begin: Begin, source: Incoming): Promise<void> {
  const { number } = begin
  let told: FromPreviews
  try {
    told = { number, preview: await previewOf(begin, source) }
  } catch (error) {
    told = { number, preview: {}, why: error instanceof Error ? error.message : String(error) }
  }
  // Given up meanwhile.
  if (media.delete(number)) process.send?.(told)
}

process.on('message', (message: ToPreviews) => {
  const { number } = message
  const source = media.get(number)
  switch (message.kind) {
    case 'begin': {
      const begun = new Incoming()
      media.set(number, begun)
      last = last.then(() => (media.has(number) ? answer(message, begun) : undefined))
      return
    }
    case 'chunk':
      source?.push(message.chunk)
      return
    case 'end':
      source?.end()
      return
    case 'cancel':
      media.delete(number)
      source?.end()
      return
  }
})
process.on('disconnect', () => process.exit())

try {
  // Where memory runs out it is this process that goes, not the worker with its connections.
  writeFileSync('/proc/self/oom_score_adj', '1000')
} catch {
  // Linux only.
}
