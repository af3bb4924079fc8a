import middy, { type MiddlewareObj } from '@middy/core'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { Problem, problemMediaType } from '../../shared/api/problems.ts'
import { type HttpAuth, type OperationId, type RouteContract, routes } from '../../shared/api/routes.ts'
import { log } from '../log.ts'
import { toProblem } from '../to-problem.ts'
import { auditLog } from './audit-log.ts'
import { compressed } from './compress.ts'
import type { BoundOperation, Operations } from './operation.ts'
import { type Principals, requirePrincipal } from './principal.ts'
import { type HttpEvent, parseRequest } from './request.ts'

type HttpResult = APIGatewayProxyStructuredResultV2
type HttpMiddleware = MiddlewareObj<HttpEvent, HttpResult>

/**
 * The handler of an HTTP function: its operations behind the middlewares that all of them share.
 *
 * @param refuse throws the problem of a path that has no operation here
 */
export function httpHandler(operations: Operations, refuse: (path: string) => never = notFound) {
  const byRouteKey = bind(operations)
  return middy<HttpEvent, HttpResult>()
    .use(compressed())
    .use(requestLog())
    .use(problems())
    .use(auditLog(({ routeKey }) => byRouteKey.get(routeKey)?.route))
    .handler(async (event) => {
      const operation = byRouteKey.get(event.routeKey)
      if (operation === undefined) return refuse(event.rawPath)
      const { route } = operation
      const principal = requirePrincipal(route, event.requestContext.authorizer?.lambda)
      if (principal !== undefined) log.appendKeys(logged(principal))
      const request = parseRequest(route, event)
      log.appendKeys(event.pathParameters ?? {})
      return respond(route, await operation.run({ ...request, principal }))
    })
}

/** The person or the key, never what they showed for it. */
function logged(principal: NonNullable<Principals[HttpAuth]>) {
  if ('admin' in principal) return principal
  const { kind: _, ...caller } = principal.caller
  return { businessProfileId: principal.businessProfileId, ...caller }
}

function notFound(): never {
  throw new Problem('not_found')
}

function bind(operations: Operations): ReadonlyMap<string, BoundOperation> {
  const entries = Object.entries(operations).map(([id, run]) => {
    const route: RouteContract = routes[id as OperationId]
    return [`${route.method} ${route.path}`, { route, run } as BoundOperation] as const
  })
  return new Map(entries)
}

function respond(route: RouteContract, answer: Awaited<ReturnType<BoundOperation['run']>>): HttpResult {
  const { status, also } = route.response
  const statusCode = answer.also && also !== undefined ? also.status : status
  const headers = { 'cache-control': 'no-store', ...answer.headers }
  if (answer.mediaType !== undefined && answer.content !== undefined) {
    const bytes = typeof answer.content !== 'string'
    return {
      statusCode,
      headers: { ...headers, 'content-type': answer.mediaType },
      body: bytes ? Buffer.from(answer.content).toString('base64') : String(answer.content),
      isBase64Encoded: bytes,
    }
  }
  if (answer.body === undefined) return { statusCode, headers }
  return {
    statusCode,
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(answer.body),
  }
}

/** One line per request, under the request's id, which the answer carries as well. */
function requestLog(): HttpMiddleware {
  return {
    before: ({ event }) => {
      log.resetKeys()
      log.appendKeys({ requestId: event.requestContext.requestId, route: event.routeKey })
    },
    after: ({ event, response }) => {
      if (!response) return
      response.headers = { ...response.headers, 'x-request-id': event.requestContext.requestId }
      log.info('answered', { status: response.statusCode })
    },
  }
}

/** Of problems that pass by themselves, where nobody knows better. */
const retryAfterSeconds = '5'

/** The one place where errors become answers. What nobody expected tells the caller nothing but the request's id. */
function problems(): HttpMiddleware {
  return {
    onError: (request) => {
      const problem = toProblem(request.error)
      const requestId = request.event.requestContext.requestId
      request.response = {
        statusCode: problem.status,
        headers: {
          'cache-control': 'no-store',
          ...(problem.retryable ? { 'retry-after': retryAfterSeconds } : {}),
          ...problem.headers,
          'content-type': problemMediaType,
          'x-request-id': requestId,
        },
        body: JSON.stringify(problem.document(requestId)),
      }
      const outcome = { status: problem.status, code: problem.code }
      if (problem.status >= 500) log.error('failed', { ...outcome, error: request.error ?? problem })
      else log.info('answered', outcome)
    },
  }
}
