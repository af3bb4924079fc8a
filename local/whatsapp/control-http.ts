/** HTTP for the control API: requests with their path parameters and JSON bodies, answers, and problems (RFC 9457). */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'

export class Problem extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, detail: string) {
    super(detail)
    this.status = status
    this.code = code
  }
}

export interface Request {
  /** Path parameters in the order of the pattern. */
  path: string[]
  query: URLSearchParams
  body: unknown
  /** Aborts when the caller is gone or the server stops. */
  signal: AbortSignal
}

export interface Answer {
  status: number
  body?: unknown
  /** Bytes in place of JSON; a failure half-way breaks the transfer. */
  stream?: { contentType: string; source: AsyncIterable<Buffer> }
}

export type Handler = (request: Request) => Answer | Promise<Answer>

export interface Route {
  method: string
  pattern: RegExp
  handle: Handler
}

const BODY_BYTES_MAX = 1024 * 1024

/** `:name` in the path stands for one segment. */
export function route(method: string, path: string, handle: Handler): Route {
  return { method, pattern: new RegExp(`^${path.replaceAll(/:\w+/g, '([^/]+)')}$`), handle }
}

export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    length += (chunk as Buffer).length
    if (length > BODY_BYTES_MAX) throw new Problem(413, 'body_too_large', `expected at most ${BODY_BYTES_MAX} bytes`)
    chunks.push(chunk as Buffer)
  }
  if (length === 0) return {}
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    throw new Problem(400, 'invalid_json', 'the body is not JSON')
  }
}

export function writeAnswer(
  response: ServerResponse,
  { status, body, stream }: Answer,
  contentType = 'application/json',
): void {
  if (response.destroyed) return
  if (stream) {
    response.writeHead(status, { 'content-type': stream.contentType })
    pipeline(stream.source, response).catch(() => response.destroy())
    return
  }
  response.writeHead(status, body === undefined ? {} : { 'content-type': contentType })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}

export function writeProblem(response: ServerResponse, { status, code, message: detail }: Problem): void {
  const body = { title: code.replaceAll('_', ' '), status, code, detail }
  writeAnswer(response, { status, body }, 'application/problem+json')
}
