/** The events that functions behind a WebSocket API get (API Gateway developer guide, "Working with WebSocket APIs"). */
import type { IncomingMessage } from 'node:http'
import type { WebSocketApiSpec } from '../contracts.ts'
import type { AuthorizerContext } from './authorizer.ts'
import { domainName, executeApiArn, gatewayId, logTime } from './identifiers.ts'
import { sourceIp } from './request.ts'

/** What is known of a client from the moment it asks to connect. */
export interface ClientFacts {
  readonly connectionId: string
  readonly connectedAtMs: number
  readonly identity: { readonly sourceIp: string; readonly userAgent?: string }
  /** Header names as the client wrote them, repeated ones apart. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly query: readonly (readonly [name: string, value: string])[]
}

/** What the authorizer added: it is in the request context of every later event of the connection. */
export interface ConnectionAuthorizer {
  readonly principalId: string
  readonly context: AuthorizerContext | null
}

export function clientFacts(req: IncomingMessage, nowMs: number): ClientFacts {
  const userAgent = req.headers['user-agent']
  const headers: [string, string][] = []
  for (let index = 0; index + 1 < req.rawHeaders.length; index += 2) {
    headers.push([req.rawHeaders[index] ?? '', req.rawHeaders[index + 1] ?? ''])
  }
  return {
    connectionId: gatewayId(),
    connectedAtMs: nowMs,
    identity: { sourceIp: sourceIp(req), ...(userAgent === undefined ? {} : { userAgent }) },
    headers,
    query: [...new URLSearchParams((req.url ?? '').split('?').slice(1).join('?'))],
  }
}

interface RequestStamp {
  readonly requestId: string
  readonly nowMs: number
}

export function connectEvent(
  api: WebSocketApiSpec,
  client: ClientFacts,
  authorizer: ConnectionAuthorizer | undefined,
  stamp: RequestStamp,
): Readonly<Record<string, unknown>> {
  return {
    ...requestParameters(client),
    requestContext: requestContext(api, client, authorizer, stamp, { routeKey: '$connect', eventType: 'CONNECT' }),
    isBase64Encoded: false,
  }
}

/** What a REQUEST authorizer of `$connect` gets. */
export function connectAuthorizerEvent(
  api: WebSocketApiSpec,
  client: ClientFacts,
  stamp: RequestStamp,
): Readonly<Record<string, unknown>> {
  return {
    type: 'REQUEST',
    methodArn: executeApiArn(api, `${api.stageName}/$connect`),
    ...requestParameters(client),
    requestContext: requestContext(api, client, undefined, stamp, { routeKey: '$connect', eventType: 'CONNECT' }),
  }
}

export function messageEvent(
  api: WebSocketApiSpec,
  client: ClientFacts,
  authorizer: ConnectionAuthorizer | undefined,
  stamp: RequestStamp,
  message: { readonly routeKey: string; readonly body: string },
): Readonly<Record<string, unknown>> {
  return {
    requestContext: requestContext(api, client, authorizer, stamp, {
      routeKey: message.routeKey,
      messageId: gatewayId(),
      eventType: 'MESSAGE',
    }),
    body: message.body,
    isBase64Encoded: false,
  }
}

export function disconnectEvent(
  api: WebSocketApiSpec,
  client: ClientFacts,
  authorizer: ConnectionAuthorizer | undefined,
  stamp: RequestStamp,
  end: { readonly code: number; readonly reason: string },
): Readonly<Record<string, unknown>> {
  const host = domainName(api)
  return {
    headers: { Host: host, 'x-api-key': '', 'X-Forwarded-For': '', 'x-restapi': '' },
    multiValueHeaders: { Host: [host], 'x-api-key': [''], 'X-Forwarded-For': [''], 'x-restapi': [''] },
    requestContext: requestContext(api, client, authorizer, stamp, {
      routeKey: '$disconnect',
      disconnectStatusCode: end.code,
      eventType: 'DISCONNECT',
      disconnectReason: end.reason,
    }),
    isBase64Encoded: false,
  }
}

function requestContext(
  api: WebSocketApiSpec,
  client: ClientFacts,
  authorizer: ConnectionAuthorizer | undefined,
  stamp: RequestStamp,
  own: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return {
    ...own,
    extendedRequestId: stamp.requestId,
    requestTime: logTime(stamp.nowMs),
    messageDirection: 'IN',
    stage: api.stageName,
    connectedAt: client.connectedAtMs,
    requestTimeEpoch: stamp.nowMs,
    identity: client.identity,
    requestId: stamp.requestId,
    domainName: domainName(api),
    connectionId: client.connectionId,
    apiId: api.apiId,
    ...(authorizer === undefined ? {} : { authorizer: authorizerFields(authorizer) }),
  }
}

/** REST and WebSocket APIs hand context values on as text. */
function authorizerFields(authorizer: ConnectionAuthorizer): Readonly<Record<string, unknown>> {
  const texts = Object.entries(authorizer.context ?? {}).map(([name, value]) => [name, String(value)])
  return { ...Object.fromEntries(texts), principalId: authorizer.principalId }
}

function requestParameters(client: ClientFacts): Readonly<Record<string, unknown>> {
  return {
    headers: Object.fromEntries(client.headers),
    multiValueHeaders: grouped(client.headers),
    ...(client.query.length === 0
      ? {}
      : {
          queryStringParameters: Object.fromEntries(client.query),
          multiValueQueryStringParameters: grouped(client.query),
        }),
  }
}

function grouped(pairs: readonly (readonly [name: string, value: string])[]): Readonly<Record<string, string[]>> {
  const groups: Record<string, string[]> = {}
  for (const [name, value] of pairs) {
    const group = groups[name] ?? []
    group.push(value)
    groups[name] = group
  }
  return groups
}
