import sharp from 'sharp'
import { afterEach, describe, expect, it } from 'vitest'
import { type Appearance, Inspection } from '../../../connector/media/inspection.ts'
import { Mp4Reader } from '../../../connector/media/previews/mp4.ts'
import { Previews } from '../../../connector/media/previews/previews.ts'
import { movie, mp3, mp4, opus, pdf, photo, png, type SampleFile, voiceNote } from '../../end-to-end/sample-media.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { silentLog } from '../whatsapp/device.ts'

const clock = new VirtualClock()
const previews = new Previews(clock, silentLog)
afterEach(() => previews.close())

async function* inChunks({ bytes }: SampleFile, of: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += of) yield bytes.subarray(from, from + of)
}

/** Everything that a worker knows of a medium once it has read it. */
async function seen(file: SampleFile, chunkBytes = 10_000): Promise<Appearance> {
  const inspection = new Inspection(file.bytes.length, previews)
  const read: Uint8Array[] = []
  for await (const chunk of inspection.watch(inChunks(file, chunkBytes))) read.push(chunk)
  expect(Buffer.concat(read).equals(file.bytes)).toBe(true)
  return { ...(await inspection.preview()), ...(await inspection.appearance()) }
}

/** Its process; there is one while something is made. */
function running(): number {
  const { pid } = previews
  if (pid === undefined) throw new Error('expected a process')
  return pid
}

const base64 = expect.stringMatching(/^[\w+/=]{80,}$/)

describe('what a recipient sees of a medium before it is loaded', () => {
  it.each<[string, SampleFile, Appearance]>([
    ['a photograph', photo, { sniffed: 'image/jpeg', width: 480, height: 640, thumbnail: base64 }],
    ['a voice note', voiceNote, { sniffed: 'audio/ogg; codecs=opus', seconds: 2, waveform: base64 }],
    ['an MP3 file', mp3, { sniffed: 'audio/mpeg', seconds: 2 }],
    ['a video', movie, { sniffed: 'video/mp4', seconds: 3, width: 240, height: 320 }],
    ['an image that can’t be decoded', png, { sniffed: 'image/png', width: 7, height: 5 }],
    ['Ogg that holds no sound', opus, { sniffed: 'audio/ogg; codecs=opus', seconds: 2 }],
    ['a video of which nothing is told', mp4, { sniffed: 'video/mp4' }],
    ['a document', pdf, { sniffed: 'application/pdf' }],
  ])('%s', async (_what, file, expected) => {
    expect(await seen(file)).toEqual(expected)
  })

  it('of an image with more pixels than may be decoded there is only its size', async () => {
    const create = { width: 10_000, height: 6_000, channels: 3, background: '#fff' } as const
    const bytes = await sharp({ create }).png().toBuffer()
    expect(bytes.length).toBeLessThan(1024 * 1024)
    expect(await seen({ contentType: 'image/png', bytes })).toEqual({
      sniffed: 'image/png',
      width: 10_000,
      height: 6_000,
    })
  })
})

const movieFacts = { seconds: 3, width: 240, height: 320 }

it('a video’s headers are found however its bytes come in pieces', async () => {
  for (const chunkBytes of [1, 7, 4_096, movie.bytes.length]) {
    const reader = new Mp4Reader()
    for await (const chunk of inChunks(movie, chunkBytes)) reader.feed(chunk)
    expect(reader.facts).toEqual(movieFacts)
  }
})

it.each([
  ['a box that claims to be shorter than its head: nothing follows', '00000004' + '66726565', {}],
  ['a box that is longer than all files: nothing follows', '00000001' + '66726565' + 'ffffffffffffffff', {}],
  ['a header that ends early is passed over', '00000010' + '6d766864' + '0000000000000000', movieFacts],
])('%s', (_what, hex, facts) => {
  const reader = new Mp4Reader()
  reader.feed(Buffer.from(hex, 'hex'))
  reader.feed(movie.bytes)
  expect(reader.facts).toEqual(facts)
})

describe('a medium is not held up by its preview', () => {
  it('when the process is killed: it goes without, and the next one has another process', async () => {
    const feed = previews.begin('image/jpeg', photo.bytes.length)
    await feed?.feed(photo.bytes.subarray(0, 100))
    const first = running()
    process.kill(first, 'SIGKILL')
    await feed?.feed(photo.bytes.subarray(100))
    expect(await feed?.end()).toEqual({})
    expect(await seen(photo)).toMatchObject({ thumbnail: base64 })
    expect(running()).not.toBe(first)
  })

  it('when the process stands still: it goes without after a while', async () => {
    expect(await seen(mp3)).toMatchObject({ seconds: 2 })
    const first = running()
    process.kill(first, 'SIGSTOP')
    const bytes = 24 * 1024 * 1024
    const feed = previews.begin('image/jpeg', bytes)
    // More than the channel between the processes holds.
    const fed = (async () => {
      for (let sent = 0; sent < bytes; sent += 1024 * 1024) await feed?.feed(new Uint8Array(1024 * 1024))
      return feed?.end()
    })()
    await clock.passTime(20_000)
    expect(await fed).toEqual({})
    expect(await seen(photo)).toMatchObject({ thumbnail: base64 })
    expect(running()).not.toBe(first)
  })

  it('when the medium is refused on the way: nothing is made of the rest', async () => {
    const inspection = new Inspection(photo.bytes.length, previews)
    const broken = async function* () {
      yield* inChunks(photo, 1_000)
      throw new Error('the bucket broke off')
    }
    await expect(async () => {
      for await (const _ of inspection.watch(broken()));
    }).rejects.toThrow('broke off')
    expect(await seen(photo)).toMatchObject({ thumbnail: base64 })
  })
})

it('the process ends when nothing was asked of it for a minute', async () => {
  expect(await seen(photo)).toMatchObject({ thumbnail: base64 })
  const pid = running()
  await clock.passTime(60_000)
  expect(previews.pid).toBeUndefined()
  await expect.poll(() => alive(pid)).toBe(false)
  expect(clock.timers).toBe(0)
})

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
