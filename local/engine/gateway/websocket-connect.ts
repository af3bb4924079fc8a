/** Whether a client may connect: the authorizer of `$connect`, then its function. Until both said yes nothing is upgraded. */
import { assertNever } from '../../../shared/domain/words.ts'
import type { AuthorizerSpec, EngineLog, Invoker, WebSocketApiSpec, WebSocketRouteSpec } from '../contracts.ts'
import { identityValues, policyDecision } from './authorizer.ts'
import { executeApiArn, gatewayId } from './identifiers.ts'
import { timedOut, within } from './in-flight.ts'
import { type ClientFacts, type ConnectionAuthorizer, connectAuthorizerEvent, connectEvent } from './websocket-event.ts'

/** WebSocket APIs wait no longer for an integration or an authorizer. */
export const integrationMsMax = 29_000

export type ConnectDecision =
  | {
      readonly kind: 'accept'
      readonly authorizer?: ConnectionAuthorizer
      /** The `Sec-WebSocket-Protocol` that the function chose. */
      readonly subprotocol?: string
    }
  | { readonly kind: 'refuse'; readonly status: number; readonly message: string }

export interface ConnectOptions {
  readonly api: WebSocketApiSpec
  readonly invoker: Invoker
  readonly log: EngineLog
  readonly client: ClientFacts
}

export async function decideConnect(options: ConnectOptions): Promise<ConnectDecision> {
  const route = options.api.routes.find(({ routeKey }) => routeKey === '$connect')
  if (route === undefined) return { kind: 'accept' }
  if (route.authorizer === undefined) return invokeConnect(options, route, undefined)
  const authorized = await authorize(options, route.authorizer)
  return authorized.kind === 'refuse' ? authorized : invokeConnect(options, route, authorized.authorizer)
}

async function authorize(options: ConnectOptions, authorizer: AuthorizerSpec): Promise<ConnectDecision> {
  const { api, invoker, log, client } = options
  const event = connectAuthorizerEvent(api, client, { requestId: gatewayId(), nowMs: client.connectedAtMs })
  const identity = identityValues(authorizer.identitySources, {
    header: (wanted) => client.headers.find(([name]) => name.toLowerCase() === wanted)?.[1],
    query: (wanted) => client.query.find(([name]) => name === wanted)?.[1],
    context: event.requestContext as Record<string, unknown>,
  })
  if (identity === undefined) return refuse(401, 'Unauthorized')
  const result = await within(
    integrationMsMax,
    invoker.invoke(authorizer.functionArn, event, {
      service: 'apigateway.amazonaws.com',
      sourceArn: executeApiArn(api, `authorizers/${authorizer.authorizerId}`),
    }),
  )
  const decision =
    result === timedOut
      ? ({ kind: 'failed', reason: `no answer within ${integrationMsMax} ms` } as const)
      : policyDecision(result, executeApiArn(api, `${api.stageName}/$connect`))
  switch (decision.kind) {
    case 'allow':
      return { kind: 'accept', authorizer: { principalId: decision.principalId ?? '', context: decision.context } }
    case 'unauthorized':
      return refuse(401, 'Unauthorized')
    case 'deny':
      return refuse(403, 'User is not authorized to access this resource')
    case 'failed':
      log.error(`live api ${api.name}`, `$connect: authorizer ${authorizer.functionArn}: ${decision.reason}`)
      return refuse(500, 'Internal Server Error')
    default:
      return assertNever(decision)
  }
}

async function invokeConnect(
  options: ConnectOptions,
  route: WebSocketRouteSpec,
  authorizer: ConnectionAuthorizer | undefined,
): Promise<ConnectDecision> {
  const { api, invoker, log, client } = options
  const part = `live api ${api.name}`
  const event = connectEvent(api, client, authorizer, { requestId: gatewayId(), nowMs: client.connectedAtMs })
  const result = await within(
    integrationMsMax,
    invoker.invoke(route.functionArn, event, {
      service: 'apigateway.amazonaws.com',
      sourceArn: executeApiArn(api, `${api.stageName}/$connect`),
    }),
  )
  if (result === timedOut) return refuse(504, 'Endpoint request timed out')
  if (result.kind === 'error') {
    log.error(part, `$connect: ${result.errorType}: ${result.errorMessage}`)
    return refuse(502, 'Internal server error')
  }
  const response = proxyResponse(result.payload)
  if (response === undefined) {
    log.error(part, '$connect: the function answered without a statusCode')
    return refuse(502, 'Internal server error')
  }
  if (response.status < 200 || response.status > 299) return refuse(response.status, response.body ?? '')
  return {
    kind: 'accept',
    ...(authorizer === undefined ? {} : { authorizer }),
    ...(response.subprotocol === undefined ? {} : { subprotocol: response.subprotocol }),
  }
}

export interface ProxyResponse {
  readonly status: number
  readonly body: string | undefined
  readonly subprotocol: string | undefined
}

/** A WebSocket API takes only answers with a `statusCode`; `undefined` for all else, which counts as the function's error. */
export function proxyResponse(payload: unknown): ProxyResponse | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined
  const { statusCode, body, headers, isBase64Encoded } = payload as Record<string, unknown>
  const status = Number(statusCode)
  if (statusCode === null || !Number.isInteger(status) || status < 100 || status > 599) return undefined
  if (body !== undefined && body !== null && typeof body !== 'string') return undefined
  const chosen = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'sec-websocket-protocol')
  const text = isBase64Encoded === true ? Buffer.from(body ?? '', 'base64').toString() : body
  return { status, body: text ?? undefined, subprotocol: chosen === undefined ? undefined : String(chosen[1]) }
}

function refuse(status: number, message: string): Extract<ConnectDecision, { kind: 'refuse' }> {
  return { kind: 'refuse', status, message }
}
