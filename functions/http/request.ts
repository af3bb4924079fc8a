import { gunzipSync } from 'node:zlib'
import type { APIGatewayProxyEventV2WithLambdaAuthorizer } from 'aws-lambda'
import type { z } from 'zod'
import { invalidRequest, Problem } from '../../shared/api/problems.ts'
import { bodyBytesMax, type RouteContract } from '../../shared/api/routes.ts'
import type { AuthorizerContext } from './principal.ts'

export type HttpEvent = APIGatewayProxyEventV2WithLambdaAuthorizer<AuthorizerContext | undefined>

/** HTTP API gives header names in lower case; other callers of a handler may not. */
export function header(event: Pick<HttpEvent, 'headers'>, name: string): string | undefined {
  const headers = event.headers ?? {}
  return headers[name] ?? Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1]
}

/** Everything of the request that the route's schemas describe. @throws Problem that names what is wrong. */
export function parseRequest(route: RouteContract, event: HttpEvent) {
  return {
    params: parse(route.params, event.pathParameters ?? {}, 'path'),
    query: parse(route.query, event.queryStringParameters ?? {}, 'query'),
    headers: route.headers ? parse(route.headers, headersOf(route.headers, event), 'headers') : undefined,
    body: route.body ? parse(route.body, jsonBody(route, event), 'body') : undefined,
    requestId: event.requestContext.requestId,
    accept: header(event, 'accept'),
  }
}

function parse(schema: z.ZodType, input: unknown, root: string): unknown {
  const result = schema.safeParse(input, { reportInput: true })
  if (!result.success) throw invalidRequest(result.error, root)
  return result.data
}

function headersOf(schema: z.ZodObject, event: HttpEvent): Record<string, string> {
  const named = Object.keys(schema.shape).map((name) => [name, header(event, name)] as const)
  return Object.fromEntries(named.filter((entry): entry is readonly [string, string] => entry[1] !== undefined))
}

/** Of the body as it is after decompression. @throws Problem for more than `bytesMax`, and for what is no gzip */
function bodyBytes(event: HttpEvent, bytesMax: number): Buffer {
  const sent = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
  const tooLarge = () => new Problem('payload_too_large', { detail: `The body may have at most ${bytesMax} bytes.` })
  if (sent.length > bytesMax) throw tooLarge()
  const coding = header(event, 'content-encoding')?.trim().toLowerCase() ?? 'identity'
  if (coding === 'identity' || sent.length === 0) return sent
  if (coding !== 'gzip') throw new Problem('unsupported_media_type', { detail: 'Content-Encoding must be gzip.' })
  try {
    return gunzipSync(sent, { maxOutputLength: bytesMax })
  } catch (cause) {
    if (cause instanceof RangeError) throw tooLarge()
    throw new Problem('malformed_json', { detail: 'The body is not gzip.', cause })
  }
}

function jsonBody(route: RouteContract, event: HttpEvent): unknown {
  const bytes = bodyBytes(event, route.bodyBytesMax ?? bodyBytesMax)
  if (bytes.length === 0) {
    if (route.bodyOptional) return {}
    throw new Problem('invalid_request', {
      detail: 'body: is required',
      errors: [{ field: 'body', message: 'is required', expected: 'a JSON object' }],
    })
  }
  const mediaType = header(event, 'content-type')?.split(';')[0]?.trim().toLowerCase()
  if (mediaType === undefined || !/^application\/(?:[\w.+-]+\+)?json$/.test(mediaType)) {
    throw new Problem('unsupported_media_type')
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new Problem('malformed_json', { cause })
  }
}
