/**
 * The event of payload format 2.0 that a function behind an HTTP API gets (API Gateway developer guide, "Create AWS Lambda
 * proxy integrations for HTTP APIs"). Absent parts are absent keys, not empty ones.
 */
import type { HttpApiSpec } from '../contracts.ts'
import { decodePath } from './http-routes.ts'
import { domainName, logTime, traceId } from './identifiers.ts'

/** A request as it came in, before any route is chosen. */
export interface GatewayRequest {
  readonly method: string
  /** Percent-encoded, without the query; with the stage when the API has a named one. */
  readonly path: string
  readonly rawQueryString: string
  /** Name and value in turns, as Node's `rawHeaders`. */
  readonly rawHeaders: readonly string[]
  readonly httpVersion: string
  readonly sourceIp: string
  readonly host: string
  readonly body: Buffer
  readonly requestId: string
  readonly receivedAtMs: number
}

/** The part that the events of authorizers and of routes have in common. */
export interface HttpEventBase {
  readonly version: '2.0'
  readonly routeKey: string
  readonly rawPath: string
  readonly rawQueryString: string
  readonly cookies?: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly queryStringParameters?: Readonly<Record<string, string>>
  readonly requestContext: Readonly<Record<string, unknown>>
  readonly pathParameters?: Readonly<Record<string, string>>
}

/** Headers of one hop only; API Gateway ends the hop. */
const hopHeaders = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer', 'expect'])

export function httpEventBase(
  api: HttpApiSpec,
  request: GatewayRequest,
  routeKey: string,
  pathParameters: Readonly<Record<string, string>>,
): HttpEventBase {
  const { headers, cookies } = eventHeaders(request)
  const query = queryParameters(request.rawQueryString)
  // HTTP APIs hand the path on decoded, unlike REST APIs and function URLs.
  const rawPath = decodePath(request.path)
  const domain = domainName(api)
  return {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString: request.rawQueryString,
    ...(cookies.length === 0 ? {} : { cookies }),
    headers,
    ...(query === undefined ? {} : { queryStringParameters: query }),
    requestContext: {
      accountId: api.account,
      apiId: api.apiId,
      domainName: domain,
      domainPrefix: api.apiId,
      http: {
        method: request.method,
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.sourceIp,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: request.requestId,
      routeKey,
      stage: api.stageName,
      time: logTime(request.receivedAtMs),
      timeEpoch: request.receivedAtMs,
    },
    ...(Object.keys(pathParameters).length === 0 ? {} : { pathParameters }),
  }
}

/** The route's event: the base, what the authorizer said, and the body. */
export function httpEvent(
  base: HttpEventBase,
  body: Buffer,
  authorizerContext: Readonly<Record<string, unknown>> | null | undefined,
): Readonly<Record<string, unknown>> {
  const context =
    authorizerContext === undefined
      ? base.requestContext
      : { ...base.requestContext, authorizer: { lambda: authorizerContext } }
  const event = { ...base, requestContext: context }
  if (body.length === 0) return { ...event, isBase64Encoded: false }
  const asText = isText(base.headers)
  return { ...event, body: body.toString(asText ? 'utf8' : 'base64'), isBase64Encoded: !asText }
}

/** HTTP APIs pass these media types as text and everything else in base64, forms included. */
function isText(headers: Readonly<Record<string, string>>): boolean {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') return false
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  return /^(text\/.+|application\/(json|javascript|xml|.+\+json|.+\+xml))$/i.test(type.trim())
}

function eventHeaders(request: GatewayRequest): { headers: Record<string, string>; cookies: string[] } {
  const headers: Record<string, string> = {}
  const cookies: string[] = []
  for (const [name, value] of headerPairs(request.rawHeaders)) {
    if (hopHeaders.has(name)) continue
    if (name === 'cookie') {
      cookies.push(...value.split(/;\s*/).filter((cookie) => cookie !== ''))
      continue
    }
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`
  }
  headers['content-length'] ??= String(request.body.length)
  headers['x-amzn-trace-id'] ??= traceId(request.receivedAtMs)
  const forwardedFor = headers['x-forwarded-for']
  headers['x-forwarded-for'] = forwardedFor === undefined ? request.sourceIp : `${forwardedFor}, ${request.sourceIp}`
  headers['x-forwarded-port'] ??= request.host.split(':').at(-1) ?? ''
  headers['x-forwarded-proto'] ??= 'http'
  return { headers, cookies }
}

/** Names in lower case with their values, repeated ones apart. */
export function* headerPairs(rawHeaders: readonly string[]): Generator<[name: string, value: string]> {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    yield [(rawHeaders[index] ?? '').toLowerCase(), rawHeaders[index + 1] ?? '']
  }
}

/** Repeated parameters joined by commas. */
export function queryParameters(rawQueryString: string): Readonly<Record<string, string>> | undefined {
  if (rawQueryString === '') return undefined
  const found: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(rawQueryString)) {
    found[name] = found[name] === undefined ? value : `${found[name]},${value}`
  }
  return found
}
