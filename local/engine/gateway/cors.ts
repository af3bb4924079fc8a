/** CORS as an HTTP API does it: it answers preflights itself, and its headers replace those of the function. */
import type { CorsSpec } from '../contracts.ts'
import type { HttpResponse } from './http-response.ts'

/** The answer to a preflight that no route takes. An origin that is not allowed gets it without any CORS header. */
export function preflightAnswer(cors: CorsSpec, origin: string): HttpResponse {
  const allowed = originHeaders(cors, origin)
  if (allowed === undefined) return { status: 204, headers: {}, body: Buffer.alloc(0) }
  return { status: 204, headers: { ...allowed, ...preflightHeaders(cors) }, body: Buffer.alloc(0) }
}

function preflightHeaders(cors: CorsSpec): Record<string, string> {
  const headers: Record<string, string> = {}
  if (cors.allowMethods.length > 0) headers['access-control-allow-methods'] = cors.allowMethods.join(',')
  if (cors.allowHeaders.length > 0) headers['access-control-allow-headers'] = cors.allowHeaders.join(',')
  if (cors.maxAgeSeconds !== undefined) headers['access-control-max-age'] = String(cors.maxAgeSeconds)
  return headers
}

/**
 * The answer with the API's CORS headers in place of the function's own; its status stays. A preflight that a route took has
 * those of a preflight.
 */
export function withCors(
  response: HttpResponse,
  cors: CorsSpec,
  origin: string | undefined,
  isPreflight: boolean,
): HttpResponse {
  const own = Object.entries(response.headers).filter(([name]) => !name.startsWith('access-control-'))
  const allowed = origin === undefined ? undefined : originHeaders(cors, origin)
  const asked = isPreflight && allowed !== undefined ? preflightHeaders(cors) : {}
  return { ...response, headers: { ...Object.fromEntries(own), ...allowed, ...asked } }
}

function originHeaders(cors: CorsSpec, origin: string): Record<string, string> | undefined {
  if (!cors.allowOrigins.some((allowed) => originMatches(allowed, origin))) return undefined
  const headers: Record<string, string> = {
    'access-control-allow-origin': cors.allowOrigins.includes('*') && !cors.allowCredentials ? '*' : origin,
  }
  if (!cors.allowOrigins.includes('*')) headers.vary = 'Origin'
  if (cors.allowCredentials) headers['access-control-allow-credentials'] = 'true'
  if (cors.exposeHeaders.length > 0) headers['access-control-expose-headers'] = cors.exposeHeaders.join(',')
  return headers
}

/** `*`, an origin, or `https://*` and `http://*`, the two patterns that HTTP APIs take. */
function originMatches(allowed: string, origin: string): boolean {
  if (allowed === '*') return true
  if (allowed === 'https://*' || allowed === 'http://*') return origin.startsWith(allowed.slice(0, -1))
  return allowed.toLowerCase() === origin.toLowerCase()
}
