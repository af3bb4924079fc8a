/** The smallest files that are what they say, as far as their first bytes tell. */

export interface SampleFile {
  readonly contentType: string
  readonly bytes: Buffer
}

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1')

/** 7 by 5 pixels. */
export const png: SampleFile = {
  contentType: 'image/png',
  bytes: Buffer.concat([
    Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
    Buffer.from('0000000700000005', 'hex'),
    Buffer.from('08020000000000000000000049444154000000000000000049454e44ae426082', 'hex'),
  ]),
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

/** Two seconds and the 312 samples that its header says to skip. */
export const opus: SampleFile = {
  contentType: 'audio/ogg; codecs=opus',
  bytes: Buffer.concat([
    oggPage(0n, Buffer.concat([ascii('OpusHead'), Buffer.from([1, 1, 0x38, 0x01]), Buffer.alloc(7)])),
    oggPage(96_312n, Buffer.alloc(20)),
  ]),
}

export const mp3: SampleFile = {
  contentType: 'audio/mpeg',
  bytes: Buffer.concat([
    ascii('ID3'),
    Buffer.from([3, 0, 0, 0, 0, 0, 0]),
    Buffer.from('fffb9000', 'hex'),
    Buffer.alloc(413),
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

function oggPage(granule: bigint, body: Buffer): Buffer {
  const head = Buffer.alloc(28)
  head.write('OggS', 'latin1')
  head.writeBigInt64LE(granule, 6)
  head[26] = 1
  head[27] = body.length
  return Buffer.concat([head, body])
}
