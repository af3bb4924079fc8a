/**
 * An HTTP API (API Gateway v2) in front of functions: route, authorizer, event, function, answer. What AWS answers by
 * itself, this answers alike: 401, 403, 404, 413, 500, 503 and CORS preflights.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { assertNever } from '../../../shared/domain/words.ts'
import type { EngineLog, HttpApiSpec, HttpRouteSpec, Invoker } from '../contracts.ts'
import type { AuthorizerContext } from './authorizer.ts'
import { preflightAnswer, withCors } from './cors.ts'
import { createHttpAuthorizers } from './http-authorizer.ts'
import { type GatewayRequest, headerPairs, httpEvent, httpEventBase } from './http-event.ts'
import { gatewayAnswer, type HttpResponse, internalServerError, responseOfPayload } from './http-response.ts'
import { compileHttpRoutes, type RouteMatch, routeArnPath } from './http-routes.ts'
import { executeApiArn, gatewayId } from './identifiers.ts'
import { createInFlight, timedOut, within } from './in-flight.ts'
import { readBody, sourceIp } from './request.ts'

/** API Gateway's own bounds. */
const bodyBytesMax = 10 * 1024 * 1024
const integrationMsMax = 30_000
/** Lambda's bound for the event of a synchronous invocation, as JSON. */
const eventBytesMax = 6 * 1024 * 1024

export interface HttpApi {
  /** Answers the request; never rejects. */
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>
  /** Resolves when no invocation is in flight, also none that was given up at its timeout. */
  settled(): Promise<void>
}

/** @throws {Error} naming the route whose key is malformed */
export function createHttpApi(spec: HttpApiSpec, invoker: Invoker, log: EngineLog): HttpApi {
  const routes = compileHttpRoutes(spec.routes)
  const inFlight = createInFlight()
  const part = `http api ${spec.name}`
  const tracked: Invoker = {
    invoke: (functionArn, event, source) => inFlight.track(invoker.invoke(functionArn, event, source)),
  }
  const authorizers = createHttpAuthorizers(spec, tracked)

  const answer = async (request: GatewayRequest): Promise<HttpResponse> => {
    const origin = header(request, 'origin')
    const routedPath = pathInStage(spec.stageName, request.path)
    const match = routedPath === undefined ? undefined : routes.match(request.method, routedPath)
    if (match === undefined) {
      if (isPreflight(request) && origin !== undefined && spec.cors !== undefined)
        return preflightAnswer(spec.cors, origin)
      return allowed(request, gatewayAnswer(404, 'Not Found'))
    }
    return allowed(request, await authorized(request, match))
  }

  const allowed = (request: GatewayRequest, response: HttpResponse): HttpResponse =>
    spec.cors === undefined ? response : withCors(response, spec.cors, header(request, 'origin'), isPreflight(request))

  const authorized = async (request: GatewayRequest, match: RouteMatch): Promise<HttpResponse> => {
    const { route } = match
    const base = httpEventBase(spec, request, route.routeKey, match.pathParameters)
    let context: AuthorizerContext | null | undefined
    if (route.authorizer !== undefined) {
      const decision = await authorizers.decide(route.authorizer, base, request)
      switch (decision.kind) {
        case 'allow':
          context = decision.context
          break
        case 'unauthorized':
          return gatewayAnswer(401, 'Unauthorized')
        case 'deny':
          return gatewayAnswer(403, 'Forbidden')
        case 'failed':
          log.error(part, `${route.routeKey}: authorizer ${route.authorizer.functionArn}: ${decision.reason}`)
          return internalServerError
        default:
          return assertNever(decision)
      }
    }
    const event = httpEvent(base, request.body, context)
    if (request.body.length > eventBytesMax / 2 && Buffer.byteLength(JSON.stringify(event)) > eventBytesMax) {
      return gatewayAnswer(413, 'Request Entity Too Large')
    }
    return integrate(route, event)
  }

  const integrate = async (route: HttpRouteSpec, event: unknown): Promise<HttpResponse> => {
    const timeoutMs = Math.min(route.integrationTimeoutMs, integrationMsMax)
    const result = await within(
      timeoutMs,
      tracked.invoke(route.functionArn, event, {
        service: 'apigateway.amazonaws.com',
        sourceArn: executeApiArn(spec, `${spec.stageName}/${routeArnPath(route.routeKey)}`),
      }),
    )
    if (result === timedOut) {
      log.warn(part, `${route.routeKey}: no answer within ${timeoutMs} ms`)
      return gatewayAnswer(503, 'Service Unavailable')
    }
    if (result.kind === 'error') {
      log.error(part, `${route.routeKey}: ${result.errorType}: ${result.errorMessage}`)
      return internalServerError
    }
    const response = responseOfPayload(result.payload)
    if (response === internalServerError) log.error(part, `${route.routeKey}: the function's answer is malformed`)
    return response
  }

  const respond = async (req: IncomingMessage, res: ServerResponse, requestId: string): Promise<void> => {
    const body = await readBody(req, bodyBytesMax)
    const request = requestOf(req, body === 'too large' ? Buffer.alloc(0) : body, requestId)
    if (body !== 'too large') return send(res, await inFlight.track(answer(request)), requestId)
    send(res, allowed(request, gatewayAnswer(413, 'Request Entity Too Large')), requestId)
    // The rest of the body is read away, so that the client sees the answer and not a reset.
    req.resume()
  }

  return {
    async handle(req, res) {
      const requestId = gatewayId()
      try {
        await respond(req, res, requestId)
      } catch (error) {
        if (req.destroyed && !req.complete) return
        log.error(part, `${req.method} ${req.url?.split('?')[0]}: ${error instanceof Error ? error.message : error}`)
        if (!res.headersSent) send(res, internalServerError, requestId)
        else res.destroy()
      }
    },
    settled: () => inFlight.settled(),
  }
}

function requestOf(req: IncomingMessage, body: Buffer, requestId: string): GatewayRequest {
  const [path = '/', ...query] = (req.url ?? '/').split('?')
  return {
    method: req.method ?? 'GET',
    path,
    rawQueryString: query.join('?'),
    rawHeaders: req.rawHeaders,
    httpVersion: req.httpVersion,
    sourceIp: sourceIp(req),
    host: req.headers.host ?? '',
    body,
    requestId,
    receivedAtMs: Date.now(),
  }
}

/** The path after the stage; `undefined` when it is of another stage. `$default` is served from the root. */
function pathInStage(stageName: string, path: string): string | undefined {
  if (stageName === '$default') return path
  const prefix = `/${stageName}`
  if (path === prefix) return '/'
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : undefined
}

function header(request: GatewayRequest, wanted: string): string | undefined {
  for (const [name, value] of headerPairs(request.rawHeaders)) if (name === wanted) return value
  return undefined
}

/** Of one hop, or set by the server itself. */
const ownHeaders = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding', 'upgrade'])

function send(res: ServerResponse, response: HttpResponse, requestId: string): void {
  for (const [name, value] of Object.entries(response.headers)) {
    if (!ownHeaders.has(name)) res.setHeader(name, value)
  }
  res.setHeader('apigw-requestid', requestId)
  if (response.status !== 204 && response.status !== 304) res.setHeader('content-length', response.body.length)
  res.writeHead(response.status)
  res.end(response.body)
}

function isPreflight(request: GatewayRequest): boolean {
  return request.method === 'OPTIONS' && header(request, 'access-control-request-method') !== undefined
}
