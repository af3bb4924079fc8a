/** The plaintext of a message: a Message protobuf, then N bytes of the value N. */

import { randomBytes } from 'node:crypto'

const PADDING_MAX = 16

export function pad(plaintext: Uint8Array): Buffer {
  const length = 1 + ((randomBytes(1)[0] ?? 0) % PADDING_MAX)
  return Buffer.concat([plaintext, Buffer.alloc(length, length)])
}

/** Throws for a plaintext whose last byte is no padding length. */
export function unpad(padded: Uint8Array): Uint8Array {
  const length = padded.at(-1) ?? 0
  if (length < 1 || length > PADDING_MAX || length > padded.length) throw new Error('the plaintext is not padded')
  return padded.subarray(0, padded.length - length)
}
