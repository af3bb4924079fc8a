/**
 * Bytes of the auth state at rest. A journal entry and a snapshot are both a list of changes to named records; a snapshot
 * only sets. Layout, integers big-endian:
 *
 *   2 bytes  "HF"
 *   1 byte   kind: 0x4a journal entry, 0x53 snapshot
 *   1 byte   format version
 *   1 byte   0 stored, 1 raw deflate
 *   4 bytes  number of changes
 *   4 bytes  CRC-32 of all before, and of the body as it lies here
 *   body     per change: varint key length, key (UTF-8), 0 (delete), 1 (set to a text, UTF-8) or 2 (set to bytes), for a set:
 *            varint length, value
 *
 * Version 1 knew no bytes; it is still read.
 *
 * The store already checks an object's SHA-256; the CRC is for entries, and so that no reader depends on which store it was.
 * Anything that is not exactly this throws `AuthDataUnreadable`: unreadable is never the same as empty.
 */
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib'

export type RecordChange = readonly [key: string, value: string | Uint8Array | null]
export type AuthDataKind = 'entry' | 'snapshot'

export class AuthDataUnreadable extends Error {
  constructor(what: string) {
    super(`auth data is unreadable: ${what}`)
    this.name = 'AuthDataUnreadable'
  }
}

const formatVersion = 2
const headerBytes = 13
/** Of the header, what comes before its checksum. */
const checkedBytes = 9
const magic = 0x4846
const kindByte: Readonly<Record<AuthDataKind, number>> = { entry: 0x4a, snapshot: 0x53 }
/** Below so much text, deflate would cost more time than the store would save. Bytes are keys, which do not compress. */
const compressFromBytes = 16_384

export function encodeChanges(kind: AuthDataKind, changes: readonly RecordChange[]): Uint8Array {
  const { body: plain, textBytes } = writeBody(changes)
  const compressed = textBytes >= compressFromBytes
  // Mostly keys, which do not compress, in base64, which does: the fastest level takes nearly all there is.
  const body = compressed ? deflateRawSync(plain, { level: 1 }) : plain
  const bytes = Buffer.allocUnsafe(headerBytes + body.length)
  bytes.writeUInt16BE(magic, 0)
  bytes[2] = kindByte[kind]
  bytes[3] = formatVersion
  bytes[4] = compressed ? 1 : 0
  bytes.writeUInt32BE(changes.length, 5)
  bytes.writeUInt32BE(checksum(bytes, body), checkedBytes)
  body.copy(bytes, headerBytes)
  return bytes
}

export function decodeChanges(kind: AuthDataKind, data: Uint8Array): RecordChange[] {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  if (bytes.length < headerBytes)
    throw new AuthDataUnreadable(`${bytes.length} bytes, expected at least ${headerBytes}`)
  if (bytes.readUInt16BE(0) !== magic) throw new AuthDataUnreadable('it does not start with "HF"')
  if (bytes[2] !== kindByte[kind])
    throw new AuthDataUnreadable(`kind ${bytes[2]}, expected ${kindByte[kind]} (${kind})`)
  const version = bytes[3] ?? 0
  if (version < 1 || version > formatVersion)
    throw new AuthDataUnreadable(`format version ${version}, expected 1 to ${formatVersion}`)
  const compression = bytes[4]
  if (compression !== 0 && compression !== 1)
    throw new AuthDataUnreadable(`compression ${compression}, expected 0 or 1`)
  const body = bytes.subarray(headerBytes)
  if (checksum(bytes, body) !== bytes.readUInt32BE(checkedBytes)) {
    throw new AuthDataUnreadable('its checksum does not match')
  }
  return readBody(compression === 1 ? inflate(body) : body, bytes.readUInt32BE(5))
}

function checksum(header: Buffer, body: Buffer): number {
  return crc32(body, crc32(header.subarray(0, checkedBytes)))
}

function inflate(body: Buffer): Buffer {
  try {
    return inflateRawSync(body)
  } catch {
    throw new AuthDataUnreadable('its compressed body is damaged')
  }
}

function writeBody(changes: readonly RecordChange[]): { readonly body: Buffer; readonly textBytes: number } {
  const parts: Uint8Array[] = []
  let textBytes = 0
  for (const [key, value] of changes) {
    const keyBytes = Buffer.from(key)
    if (value === null) {
      parts.push(varint(keyBytes.length), keyBytes, deleted)
      continue
    }
    const isText = typeof value === 'string'
    const valueBytes = isText ? Buffer.from(value) : value
    if (isText) textBytes += valueBytes.length
    parts.push(varint(keyBytes.length), keyBytes, isText ? setText : setBytes, varint(valueBytes.length), valueBytes)
  }
  return { body: Buffer.concat(parts), textBytes }
}

const deleted = Buffer.from([0])
const setText = Buffer.from([1])
const setBytes = Buffer.from([2])

function readBody(body: Buffer, count: number): RecordChange[] {
  const changes: RecordChange[] = []
  let at = 0
  const take = (length: number): Buffer => {
    if (at + length > body.length)
      throw new AuthDataUnreadable(`it ends within change ${changes.length + 1} of ${count}`)
    at += length
    return body.subarray(at - length, at)
  }
  const length = (): number => {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = take(1)[0] ?? 0
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new AuthDataUnreadable('a length of more than five bytes')
  }
  while (changes.length < count) {
    const key = take(length()).toString()
    const operation = take(1)[0]
    switch (operation) {
      case 0:
        changes.push([key, null])
        break
      case 1:
        changes.push([key, take(length()).toString()])
        break
      case 2:
        changes.push([key, take(length())])
        break
      default:
        throw new AuthDataUnreadable(`operation ${operation}, expected 0, 1 or 2`)
    }
  }
  if (at !== body.length) throw new AuthDataUnreadable(`${body.length - at} bytes after the last of ${count} changes`)
  return changes
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}
