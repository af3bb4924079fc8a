/** A phone's own uploads: real encryption under a fresh key, streamed into the media store. */

import { randomBytes } from 'node:crypto'
import { encryptMedia, PlaintextDigest } from './media-crypto.ts'
import { mediaAddress } from './media-http.ts'
import type { OutgoingMedium } from './outgoing-messages.ts'
import type { Simulator } from './simulator.ts'

/** The fields that every kind of medium has in its protobuf. */
export interface UploadedMedium {
  url: string
  directPath: string
  mediaKey: Buffer
  fileSha256: Buffer
  fileEncSha256: Buffer
  fileLength: number
}

const KEY_BYTES = 32
const CHUNK_BYTES = 64 * 1024
/** For a message that names neither bytes nor a size. */
const DEFAULT_BYTES = 1024

/** Bytes that differ from chunk to chunk and are the same in every run. */
function* generatedBytes(size: number): Generator<Buffer> {
  for (let start = 0; start < size; start += CHUNK_BYTES) {
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, size - start), (start / CHUNK_BYTES) % 251)
    if (chunk.length >= 4) chunk.writeUInt32BE(start)
    yield chunk
  }
}

export async function uploadMedium(simulator: Simulator, medium: OutgoingMedium): Promise<UploadedMedium> {
  const { kind, data, size = DEFAULT_BYTES } = medium
  const source = data === undefined ? generatedBytes(size) : [Buffer.from(data, 'base64')]
  const mediaKey = randomBytes(KEY_BYTES)
  const seen = new PlaintextDigest()
  const stored = await simulator.media.write(encryptMedia(source, mediaKey, kind, seen))
  if (!stored) throw new Error('the upload has another digest than expected')
  const { url, directPath } = mediaAddress(simulator, kind, stored.id)
  return { url, directPath, mediaKey, fileSha256: seen.digest(), fileEncSha256: stored.sha256, fileLength: seen.length }
}
