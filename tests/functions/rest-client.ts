import { gunzipSync } from 'node:zlib'
import type {
  APIGatewayProxyStructuredResultV2,
  APIGatewayRequestAuthorizerEventV2,
  APIGatewaySimpleAuthorizerWithContextResult,
} from 'aws-lambda'
import type { AuthorizerContext } from '../../functions/http/principal.ts'
import type { HttpEvent } from '../../functions/http/request.ts'
import { type HttpFunction, type RouteContract, routeList } from '../../shared/api/routes.ts'
import { lambdaContext } from './cloud.ts'

export interface RestRequest {
  readonly key?: string
  /** As JSON; a text goes as it is. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
}

export interface RestResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly bytes: Buffer
  // biome-ignore lint/suspicious/noExplicitAny: tests look at answers as a client without types does
  readonly json: any
}

let requests = 0

/** Calls the handlers as the HTTP API does: the route's key and parameters, its authorizer's context, its function. */
export async function restClient() {
  const { handler: authorizer } = await import('../../functions/http/authorizer.ts')
  const functions = {
    connections: (await import('../../functions/http/connections.ts')).handler,
    messages: (await import('../../functions/http/messages.ts')).handler,
    media: (await import('../../functions/http/media.ts')).handler,
    operations: (await import('../../functions/http/operations.ts')).handler,
    'live-tickets': (await import('../../functions/http/live-tickets.ts')).handler,
    account: (await import('../../functions/http/account.ts')).handler,
    admin: (await import('../../functions/http/admin.ts')).handler,
    imports: (await import('../../functions/http/imports.ts')).handler,
    'dead-letters': (await import('../../functions/http/dead-letters.ts')).handler,
    fleet: (await import('../../functions/http/fleet.ts')).handler,
    webhooks: (await import('../../functions/http/webhooks.ts')).handler,
    health: (await import('../../functions/http/health.ts')).handler,
    public: (await import('../../functions/http/public.ts')).handler,
  } satisfies Record<HttpFunction, unknown>

  return async function call(method: string, path: string, request: RestRequest = {}): Promise<RestResponse> {
    const matched = match(method, path)
    const event = requestEvent(method, path, matched, request)
    const auth = matched?.route.auth ?? 'none'
    if (auth !== 'none') {
      const result = (await authorizer(
        { ...event, type: 'REQUEST' } as unknown as APIGatewayRequestAuthorizerEventV2,
        lambdaContext,
      )) as APIGatewaySimpleAuthorizerWithContextResult<AuthorizerContext>
      if (!result.isAuthorized) throw new Error('the authorizer lets everyone through')
      event.requestContext.authorizer = { lambda: result.context }
    }
    const handler = functions[matched?.route.function ?? 'public']
    const answer: APIGatewayProxyStructuredResultV2 = await handler(event, lambdaContext)
    const sent = Buffer.from(answer.body ?? '', answer.isBase64Encoded ? 'base64' : 'utf8')
    const bytes = answer.headers?.['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent
    const headers = Object.fromEntries(Object.entries(answer.headers ?? {}).map(([k, v]) => [k, String(v)]))
    const isJson = /json$/.test(headers['content-type'] ?? '')
    return {
      status: answer.statusCode ?? 0,
      headers,
      bytes,
      text: bytes.toString(),
      json: isJson ? JSON.parse(bytes.toString()) : undefined,
    }
  }
}
export type RestClient = Awaited<ReturnType<typeof restClient>>

interface Matched {
  readonly route: RouteContract
  readonly parameters: Record<string, string>
}

function match(method: string, path: string): Matched | undefined {
  const segments = path.split('/')
  for (const route of routeList) {
    const template = route.path.split('/')
    if (route.method !== method || template.length !== segments.length) continue
    const parameters: Record<string, string> = {}
    const fits = template.every((part, index) => {
      const segment = segments[index] ?? ''
      if (!part.startsWith('{')) return part === segment
      parameters[part.slice(1, -1)] = decodeURIComponent(segment)
      return segment !== ''
    })
    if (fits) return { route, parameters }
  }
  return undefined
}

function requestEvent(method: string, path: string, matched: Matched | undefined, request: RestRequest): HttpEvent {
  const routeKey = matched === undefined ? '$default' : `${method} ${matched.route.path}`
  const body =
    request.body === undefined || typeof request.body === 'string' ? request.body : JSON.stringify(request.body)
  return {
    version: '2.0',
    routeKey,
    rawPath: path,
    rawQueryString: new URLSearchParams(request.query).toString(),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(request.key === undefined ? {} : { 'x-api-key': request.key }),
      ...request.headers,
    },
    ...(request.query === undefined ? {} : { queryStringParameters: { ...request.query } }),
    ...(matched === undefined ? {} : { pathParameters: matched.parameters }),
    ...(body === undefined ? {} : { body: String(body) }),
    isBase64Encoded: false,
    requestContext: {
      accountId: '000000000000',
      apiId: 'api',
      domainName: 'api.example.com',
      domainPrefix: 'api',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'tests' },
      requestId: `request-${++requests}`,
      routeKey,
      stage: '$default',
      time: '',
      timeEpoch: 0,
    } as unknown as HttpEvent['requestContext'],
  }
}
