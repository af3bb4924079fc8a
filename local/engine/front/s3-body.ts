/** An S3 request's bytes: unwrapped from aws-chunked encoding, and checked against the checksum that came with them. */
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { crc32 } from 'node:zlib'
import { ServiceError } from './call.ts'

export interface S3Body {
  readonly bytes: Buffer
  /** `x-amz-checksum-*` by header name, as the client sent it. */
  readonly checksums: Readonly<Record<string, string>>
}

export function s3Body(body: Buffer, headers: IncomingHttpHeaders): S3Body {
  const chunked =
    String(headers['x-amz-content-sha256'] ?? '').startsWith('STREAMING-') ||
    String(headers['content-encoding'] ?? '').includes('aws-chunked')
  const { bytes, trailers } = chunked ? unchunk(body) : { bytes: body, trailers: {} }
  const checksums: Record<string, string> = {}
  for (const [name, value] of [...Object.entries(headers), ...Object.entries(trailers)]) {
    if (name.startsWith('x-amz-checksum-') && typeof value === 'string') checksums[name] = value
  }
  delete checksums['x-amz-checksum-algorithm']
  verify(bytes, checksums, headers['content-md5'])
  return { bytes, checksums }
}

/** `HEX-SIZE[;chunk-signature=…]\r\n BYTES \r\n`, until a chunk of size 0, then trailers. */
function unchunk(body: Buffer): { readonly bytes: Buffer; readonly trailers: Readonly<Record<string, string>> } {
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.toString('latin1', at, lineEnd).split(';')[0] ?? '', 16)
    if (lineEnd < 0 || Number.isNaN(size)) throw new ServiceError('IncompleteBody', 'The chunked body is malformed')
    at = lineEnd + 2
    if (size === 0) break
    if (at + size > body.length) throw new ServiceError('IncompleteBody', 'The chunked body ends too early')
    chunks.push(body.subarray(at, at + size))
    at += size + 2
  }
  const trailers: Record<string, string> = {}
  for (const line of body.toString('latin1', at).split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) trailers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { bytes: Buffer.concat(chunks), trailers }
}

const ALGORITHMS: Readonly<Record<string, (bytes: Buffer) => string>> = {
  'x-amz-checksum-crc32': (bytes) => {
    const digest = Buffer.alloc(4)
    digest.writeUInt32BE(crc32(bytes))
    return digest.toString('base64')
  },
  'x-amz-checksum-sha256': (bytes) => createHash('sha256').update(bytes).digest('base64'),
  'x-amz-checksum-sha1': (bytes) => createHash('sha1').update(bytes).digest('base64'),
}

/** CRC32C and CRC64NVME are kept and given back unchecked. */
function verify(bytes: Buffer, checksums: Readonly<Record<string, string>>, md5: string | string[] | undefined): void {
  for (const [name, expected] of Object.entries(checksums)) {
    const algorithm = ALGORITHMS[name]
    if (algorithm !== undefined && algorithm(bytes) !== expected) {
      throw new ServiceError('BadDigest', `The ${name} you specified did not match what we received.`)
    }
  }
  if (typeof md5 === 'string' && createHash('md5').update(bytes).digest('base64') !== md5) {
    throw new ServiceError('BadDigest', 'The Content-MD5 you specified did not match what we received.')
  }
}
