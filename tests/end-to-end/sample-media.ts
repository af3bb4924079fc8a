/** The smallest files that are what they say: some as far as their first bytes tell, some that can be decoded. */
import { readFileSync } from 'node:fs'
import sharp from 'sharp'

export interface SampleFile {
  readonly contentType: string
  readonly bytes: Buffer
}

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1')
/** The matrix of a track that is shown turned by 90 degrees. */
const turned = words(0, 1 << 16, 0, 2 ** 32 - (1 << 16), 0, 0, 0, 0, 1 << 30)

/** 7 by 5 pixels, of which there are none: it can't be decoded. */
export const png: SampleFile = {
  contentType: 'image/png',
  bytes: Buffer.concat([
    Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
    Buffer.from('0000000700000005', 'hex'),
    Buffer.from('08020000000000000000000049444154000000000000000049454e44ae426082', 'hex'),
  ]),
}

/** What a phone held upright takes: 640 by 480 pixels that lie on their side. */
export const photo: SampleFile = {
  contentType: 'image/jpeg',
  bytes: await sharp({ create: { width: 640, height: 480, channels: 3, background: '#c00000' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer(),
}

export const mp4: SampleFile = {
  contentType: 'video/mp4',
  bytes: Buffer.concat([
    Buffer.from('00000018', 'hex'),
    ascii('ftypmp42'),
    Buffer.alloc(4),
    ascii('mp42isom'),
    Buffer.alloc(64),
  ]),
}

/** Two and a half seconds, 320 by 240 pixels, filmed upright; what is told of it comes after its pictures. */
export const movie: SampleFile = {
  contentType: 'video/mp4',
  bytes: Buffer.concat([
    box('ftyp', ascii('mp42'), Buffer.alloc(4), ascii('mp42isom')),
    box('mdat', Buffer.alloc(70_000)),
    box(
      'moov',
      box('mvhd', words(0, 0, 0, 1_000, 2_500), Buffer.alloc(80)),
      box('trak', box('tkhd', words(0, 0, 0, 1, 0, 2_500), Buffer.alloc(16), turned, words(0, 0))),
      box('trak', box('tkhd', words(0, 0, 0, 2, 0, 2_500), Buffer.alloc(16), turned, words(320 << 16, 240 << 16))),
    ),
  ]),
}

/** Two seconds of a tone, encoded by Opus: the first second soft, the second one ten times as loud. */
export const voiceNote: SampleFile = {
  contentType: 'audio/ogg; codecs=opus',
  bytes: readFileSync(new URL('./voice-note.ogg', import.meta.url)),
}

/** Two seconds and the 312 samples that its header says to skip. */
export const opus: SampleFile = {
  contentType: 'audio/ogg; codecs=opus',
  bytes: Buffer.concat([
    oggPage(0n, Buffer.concat([ascii('OpusHead'), Buffer.from([1, 1, 0x38, 0x01]), Buffer.alloc(7)])),
    oggPage(96_312n, Buffer.alloc(20)),
  ]),
}

/** Two seconds of silence: frames of 26 ms. */
export const mp3: SampleFile = {
  contentType: 'audio/mpeg',
  bytes: Buffer.concat([
    ascii('ID3'),
    Buffer.from([3, 0, 0, 0, 0, 0, 0]),
    ...Array.from({ length: 77 }, () => Buffer.concat([Buffer.from('fffb9000', 'hex'), Buffer.alloc(413)])),
  ]),
}

export const pdf: SampleFile = {
  contentType: 'application/pdf',
  bytes: ascii('%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n'),
}

/** An extended header that says that frames follow. */
export const animatedWebp: SampleFile = {
  contentType: 'image/webp',
  bytes: Buffer.concat([
    ascii('RIFF'),
    Buffer.from([30, 0, 0, 0]),
    ascii('WEBPVP8X'),
    Buffer.from([10, 0, 0, 0, 0b10, 0, 0, 0, 0xff, 1, 0, 0xff, 1, 0]),
    Buffer.alloc(8),
  ]),
}

function box(type: string, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content)
  return Buffer.concat([words(8 + body.length), ascii(type), body])
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, 4 * at)
  return bytes
}

function oggPage(granule: bigint, body: Buffer): Buffer {
  const head = Buffer.alloc(28)
  head.write('OggS', 'latin1')
  head.writeBigInt64LE(granule, 6)
  head[26] = 1
  head[27] = body.length
  return Buffer.concat([head, body])
}
