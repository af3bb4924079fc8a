/** The plaintext of a message: a Message protobuf, then N bytes of the value N. */

import { randomBytes } from 'node:crypto'
import type { proto } from '@whiskeysockets/baileys'

const PADDING_MAX = 16

export function pad(plaintext: Uint8Array): Buffer {
  const length = 1 + ((randomBytes(1)[0] ?? 0) % PADDING_MAX)
  return Buffer.concat([plaintext, Buffer.alloc(length, length)])
}

/** Throws for a plaintext whose last byte is no padding length. */
export function unpad(padded: Buffer): Buffer {
  const length = padded.at(-1) ?? 0
  if (length < 1 || length > PADDING_MAX || length > padded.length) throw new Error('the plaintext is not padded')
  return padded.subarray(0, padded.length - length)
}

/** The field that says what kind of message it is; context and key distribution only accompany it. */
export function typeOf(message: proto.IMessage): string {
  const fields = Object.keys(message).filter((field) => message[field as keyof proto.IMessage] != null)
  return fields.find((field) => field !== 'messageContextInfo' && field !== 'senderKeyDistributionMessage') ?? 'empty'
}

/** The text, or the caption of a medium. */
export function textOf(message: proto.IMessage): string | undefined {
  return (
    message.conversation ??
    message.extendedTextMessage?.text ??
    message.imageMessage?.caption ??
    message.videoMessage?.caption ??
    message.documentMessage?.caption ??
    undefined
  )
}
