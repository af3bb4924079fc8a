/**
 * The media host, on the simulator's own port: `POST /mms/<type>/<sha256>` with the `auth` of a `media_conn` answer, and
 * `GET <direct path>` with ranges. WhatsApp's clients take it for https; see the README for how Baileys is told otherwise.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Simulator } from './simulator.ts'

const UPLOAD = /^\/(?:mms|product|pps)\/([\w-]+)\/([\w-]+)$/
const DOWNLOAD = /^\/v\/t62\/[\w-]+\/([\w.-]+)\.enc$/
const BYTES_MAX = 2 * 1024 ** 3
/** What WhatsApp tells clients; the simulator's media do not end by themselves. */
const LIFETIME_SECONDS = 30 * 24 * 60 * 60
const SHA256_BYTES = 32

export interface MediaAddress {
  url: string
  directPath: string
}

/** Where a stored medium is downloaded from. */
export function mediaAddress(simulator: Simulator, type: string, id: string): MediaAddress {
  const end = Math.floor(simulator.now() / 1000) + LIFETIME_SECONDS
  const directPath = `/v/t62/${type}/${id}.enc?ccb=11-4&oe=${end.toString(16).toUpperCase()}`
  return { directPath, url: `http://${simulator.mediaHost}${directPath}` }
}

/** The id of the medium that a direct path leads to. */
export function mediumId(directPath: string): string | undefined {
  return DOWNLOAD.exec(new URL(directPath, 'http://media').pathname)?.[1]
}

/** False if the request is none of the media host's. */
export async function serveMedia(
  simulator: Simulator,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const url = new URL(request.url ?? '/', 'http://media')
  const upload = request.method === 'POST' ? UPLOAD.exec(url.pathname) : null
  const download = request.method === 'GET' || request.method === 'HEAD' ? DOWNLOAD.exec(url.pathname) : null
  if (!upload && !download) return false
  try {
    if (upload) await receive(simulator, request, response, upload[1] ?? '', upload[2] ?? '', url.searchParams)
    else await send(simulator, request, response, download?.[1] ?? '')
  } catch {
    // The client hung up half-way, or the disk failed: it sees a broken transfer, as it would from WhatsApp.
    response.destroy()
  }
  return true
}

async function receive(
  simulator: Simulator,
  request: IncomingMessage,
  response: ServerResponse,
  type: string,
  token: string,
  query: URLSearchParams,
): Promise<void> {
  const expected = Buffer.from(token, 'base64url')
  const refused = refusal(simulator, 'upload')
  if (refused !== undefined) return refuse(request, response, refused)
  if (query.get('auth') !== simulator.mediaAuth) return refuse(request, response, 401)
  if (expected.length !== SHA256_BYTES) return refuse(request, response, 400)
  if (Number(request.headers['content-length'] ?? 0) > BYTES_MAX) return refuse(request, response, 413)
  const stored = await simulator.media.write(request, expected)
  if (!stored) return answer(response, 400)
  const { url, directPath } = mediaAddress(simulator, type, stored.id)
  simulator.events.publish({ event: 'media-uploaded', id: stored.id, type, length: stored.length })
  answer(response, 200, { url, direct_path: directPath, handle: stored.id })
}

async function send(
  simulator: Simulator,
  request: IncomingMessage,
  response: ServerResponse,
  id: string,
): Promise<void> {
  const refused = refusal(simulator, 'download')
  if (refused !== undefined) return answer(response, refused)
  const found = await simulator.media.find(id)
  if (found.kind !== 'found') return answer(response, found.kind === 'expired' ? 410 : 404)
  const range = rangeOf(request.headers.range, found.length)
  if (range === 'unsatisfiable') {
    response.writeHead(416, { 'content-range': `bytes */${found.length}` }).end()
    return
  }
  const { start, end } = range ?? { start: 0, end: found.length - 1 }
  response.writeHead(range ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': end - start + 1,
    'accept-ranges': 'bytes',
    ...(range ? { 'content-range': `bytes ${start}-${end}/${found.length}` } : {}),
  })
  if (request.method === 'HEAD' || found.length === 0) response.end()
  else await pipeline(simulator.media.read(id, { start, end }), response)
}

/** The status that a `refuse-media` fault gives, counted as applied. */
function refusal({ faults }: Simulator, direction: 'upload' | 'download'): number | undefined {
  const fault = faults.find(
    'refuse-media',
    { connectionNumber: 0, device: undefined },
    (request) => request.direction === 'both' || request.direction === direction,
  )
  if (fault) faults.apply(fault)
  return fault?.request.status
}

/** One range of bytes, both ends included; undefined for the whole file. Several ranges at once are answered with the whole. */
export function rangeOf(
  header: string | undefined,
  length: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return undefined
  const [, first = '', last = ''] = match
  if (first === '')
    return last === '0' ? 'unsatisfiable' : { start: Math.max(0, length - Number(last)), end: length - 1 }
  const start = Number(first)
  const end = Math.min(last === '' ? length - 1 : Number(last), length - 1)
  return start >= length || end < start ? 'unsatisfiable' : { start, end }
}

/** Answers before the body was read: the rest of it is thrown away, so that the client hears the answer. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number): void {
  request.resume()
  answer(response, status)
}

function answer(response: ServerResponse, status: number, body: object = { error: { code: status } }): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
