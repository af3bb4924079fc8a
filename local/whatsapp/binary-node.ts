/** WhatsApp's binary XML: the codec without its async detour, and accessors that say what is missing. */

import { inflateSync } from 'node:zlib'
import { type BinaryNode, decodeDecompressedBinaryNode, encodeBinaryNode } from '@whiskeysockets/baileys'
import * as tokens from '@whiskeysockets/baileys/lib/WABinary/constants.js'

export type { BinaryNode }
export type Attributes = BinaryNode['attrs']

/** The server's own address; the empty user is part of it. */
export const SERVER_JID = '@s.whatsapp.net'

const COMPRESSED = 2

export class ProtocolError extends Error {
  override name = 'ProtocolError'
}

export function node(tag: string, attrs: Attributes = {}, content?: BinaryNode['content']): BinaryNode {
  return content === undefined ? { tag, attrs } : { tag, attrs, content }
}

export function encodeNode(value: BinaryNode): Buffer {
  return encodeBinaryNode(value)
}

/** Baileys' decoder is async for the sake of inflating; decoding in step keeps a socket's stanzas in their order. */
export function decodeNode(bytes: Buffer): BinaryNode {
  const flags = bytes[0]
  if (flags === undefined) throw new ProtocolError('a stanza needs at least its flags byte')
  const body = bytes.subarray(1)
  return decodeDecompressedBinaryNode((flags & COMPRESSED) === 0 ? body : inflateSync(body), tokens)
}

export function children(parent: BinaryNode | undefined, tag?: string): BinaryNode[] {
  if (!Array.isArray(parent?.content)) return []
  return tag === undefined ? parent.content : parent.content.filter((each) => each.tag === tag)
}

export function child(parent: BinaryNode | undefined, tag: string): BinaryNode | undefined {
  return Array.isArray(parent?.content) ? parent.content.find((each) => each.tag === tag) : undefined
}

/** The bytes of a child; short strings that the codec tokenized come back as text and are turned into bytes again. */
export function childBytes(parent: BinaryNode | undefined, tag: string): Buffer | undefined {
  return contentBytes(child(parent, tag))
}

export function contentBytes(value: BinaryNode | undefined): Buffer | undefined {
  const content = value?.content
  if (content === undefined || Array.isArray(content)) return undefined
  return typeof content === 'string' ? Buffer.from(content) : Buffer.from(content)
}

export function requiredBytes(parent: BinaryNode | undefined, tag: string, length?: number): Buffer {
  const bytes = childBytes(parent, tag)
  if (!bytes) throw new ProtocolError(`<${parent?.tag ?? 'stanza'}> needs a <${tag}> with bytes`)
  if (length !== undefined && bytes.length !== length) {
    throw new ProtocolError(`<${tag}> has ${bytes.length} bytes, expected ${length}`)
  }
  return bytes
}

export function bigEndian(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  bytes.writeUIntBE(value, 0, length)
  return bytes
}

export function unixSeconds(nowMs: number): string {
  return Math.floor(nowMs / 1000).toString()
}
