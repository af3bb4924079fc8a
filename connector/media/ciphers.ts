/**
 * WhatsApp's encryption of media: HKDF expands a key of 32 bytes to IV, cipher key and MAC key; the file is AES-256-CBC, then
 * the first 10 bytes of HMAC-SHA256 over IV and ciphertext. Both directions stream.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import type { MediaKind } from '../../shared/domain/content.ts'
import { collecting } from './collecting.ts'

/** The name of a kind in the derivation of its keys; stickers are images there. */
const derivations: Readonly<Record<MediaKind, string>> = {
  image: 'WhatsApp Image Keys',
  video: 'WhatsApp Video Keys',
  audio: 'WhatsApp Audio Keys',
  document: 'WhatsApp Document Keys',
  sticker: 'WhatsApp Image Keys',
}
const blockBytes = 16
const macBytes = 10
const expandedBytes = 112

/** What came is not what the message says: another medium, or changed on the way. */
export class DamagedMedium extends Error {
  constructor(what: string) {
    super(`the ${what} of the medium does not hold`)
    this.name = 'DamagedMedium'
  }
}

export interface Digests {
  /** Of the plaintext. */
  readonly sha256: Buffer
  /** Of all that WhatsApp keeps: ciphertext and MAC. */
  readonly encSha256: Buffer
  readonly bytes: number
}

type Source = AsyncIterable<Uint8Array>

function keysOf(mediaKey: Uint8Array, kind: MediaKind) {
  const expanded = Buffer.from(hkdfSync('sha256', mediaKey, Buffer.alloc(0), derivations[kind], expandedBytes))
  return { iv: expanded.subarray(0, 16), cipherKey: expanded.subarray(16, 48), macKey: expanded.subarray(48, 80) }
}

/** Length of what WhatsApp keeps of so many bytes. */
export const encryptedBytes = (bytes: number): number => (Math.floor(bytes / blockBytes) + 1) * blockBytes + macBytes

/** Ciphertext and MAC. `digested` is told at the end. */
export async function* encrypted(
  source: Source,
  mediaKey: Uint8Array,
  kind: MediaKind,
  digested: (digests: Digests) => void = () => undefined,
): AsyncGenerator<Buffer> {
  const { iv, cipherKey, macKey } = keysOf(mediaKey, kind)
  const cipher = createCipheriv('aes-256-cbc', cipherKey, iv)
  const mac = createHmac('sha256', macKey).update(iv)
  const plain = createHash('sha256')
  const kept = createHash('sha256')
  let bytes = 0
  for await (const chunk of collecting(source)) {
    bytes += chunk.length
    plain.update(chunk)
    const ciphertext = cipher.update(chunk)
    mac.update(ciphertext)
    kept.update(ciphertext)
    yield ciphertext
  }
  const last = cipher.final()
  const sum = mac.update(last).digest().subarray(0, macBytes)
  digested({ sha256: plain.digest(), encSha256: kept.update(last).update(sum).digest(), bytes })
  yield last
  yield sum
}

/** As far as the message names them; base64. */
export interface ExpectedDigests {
  readonly sha256?: string
  readonly fileEncSha256?: string
}

/**
 * The plaintext. Throws `DamagedMedium` at the end where MAC or hashes do not hold: nothing before that is to be trusted, so
 * whoever keeps it must be able to take it back.
 */
export async function* decrypted(
  source: Source,
  mediaKey: Uint8Array,
  kind: MediaKind,
  expected: ExpectedDigests,
): AsyncGenerator<Buffer> {
  const { iv, cipherKey, macKey } = keysOf(mediaKey, kind)
  const decipher = createDecipheriv('aes-256-cbc', cipherKey, iv)
  const mac = createHmac('sha256', macKey).update(iv)
  const plain = createHash('sha256')
  const kept = createHash('sha256')
  let tail: Buffer = Buffer.alloc(0)
  const opened = (bytes: Buffer): Buffer => {
    plain.update(bytes)
    return bytes
  }
  for await (const chunk of collecting(source)) {
    kept.update(chunk)
    const bytes =
      tail.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([tail, chunk])
    const end = Math.max(0, bytes.length - macBytes)
    // A copy: a view would keep the whole chunk.
    tail = Buffer.from(bytes.subarray(end))
    const ciphertext = bytes.subarray(0, end)
    mac.update(ciphertext)
    yield opened(decipher.update(ciphertext))
  }
  if (!mac.digest().subarray(0, macBytes).equals(tail)) throw new DamagedMedium('MAC')
  if (expected.fileEncSha256 !== undefined && kept.digest('base64') !== expected.fileEncSha256) {
    throw new DamagedMedium('hash')
  }
  const last = opened(decipher.final())
  if (expected.sha256 !== undefined && plain.digest('base64') !== expected.sha256) throw new DamagedMedium('hash')
  yield last
}
