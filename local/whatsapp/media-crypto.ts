/**
 * WhatsApp's encryption of media: HKDF expands a 32 byte key to IV, cipher key and MAC key; the file is AES-256-CBC, then
 * the first 10 bytes of HMAC-SHA256 over IV and ciphertext. Both directions stream.
 */

import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'

export type MediaKind = 'image' | 'video' | 'audio' | 'document' | 'sticker'

/** The name of a kind in the key derivation; stickers are images there. */
const DERIVATION: Record<MediaKind, string> = {
  image: 'WhatsApp Image Keys',
  video: 'WhatsApp Video Keys',
  audio: 'WhatsApp Audio Keys',
  document: 'WhatsApp Document Keys',
  sticker: 'WhatsApp Image Keys',
}

const EXPANDED_BYTES = 112
const MAC_BYTES = 10

export type Bytes = AsyncIterable<Buffer> | Iterable<Buffer>

export function isMediaKind(kind: string): kind is MediaKind {
  return kind in DERIVATION
}

function deriveKeys(mediaKey: Uint8Array, kind: MediaKind) {
  const expanded = Buffer.from(hkdfSync('sha256', mediaKey, Buffer.alloc(0), DERIVATION[kind], EXPANDED_BYTES))
  return { iv: expanded.subarray(0, 16), cipherKey: expanded.subarray(16, 48), macKey: expanded.subarray(48, 80) }
}

/** Filled while the plaintext passes; complete at the end of the stream. */
export class PlaintextDigest {
  readonly #hash = createHash('sha256')
  length = 0

  update(chunk: Buffer): void {
    this.#hash.update(chunk)
    this.length += chunk.length
  }

  digest(): Buffer {
    return this.#hash.digest()
  }
}

export async function* encryptMedia(
  plaintext: Bytes,
  mediaKey: Uint8Array,
  kind: MediaKind,
  seen: PlaintextDigest,
): AsyncGenerator<Buffer> {
  const { iv, cipherKey, macKey } = deriveKeys(mediaKey, kind)
  const cipher = createCipheriv('aes-256-cbc', cipherKey, iv)
  const mac = createHmac('sha256', macKey).update(iv)
  for await (const chunk of plaintext) {
    seen.update(chunk)
    const encrypted = cipher.update(chunk)
    mac.update(encrypted)
    yield encrypted
  }
  const last = cipher.final()
  yield last
  yield mac.update(last).digest().subarray(0, MAC_BYTES)
}

/** Throws at the end if the MAC does not hold: nothing before that is to be trusted. */
export async function* decryptMedia(ciphertext: Bytes, mediaKey: Uint8Array, kind: MediaKind): AsyncGenerator<Buffer> {
  const { iv, cipherKey, macKey } = deriveKeys(mediaKey, kind)
  const decipher = createDecipheriv('aes-256-cbc', cipherKey, iv)
  const mac = createHmac('sha256', macKey).update(iv)
  let tail: Buffer = Buffer.alloc(0)
  for await (const chunk of ciphertext) {
    const bytes = tail.length === 0 ? chunk : Buffer.concat([tail, chunk])
    const end = Math.max(0, bytes.length - MAC_BYTES)
    tail = bytes.subarray(end)
    const body = bytes.subarray(0, end)
    mac.update(body)
    yield decipher.update(body)
  }
  if (!mac.digest().subarray(0, MAC_BYTES).equals(tail)) throw new Error('the MAC of the medium does not hold')
  yield decipher.final()
}
