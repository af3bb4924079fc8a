/** Runs the Lambda authorizer of an HTTP API's route and keeps its decisions for as long as the template says. */
import type { AuthorizerSpec, HttpApiSpec, Invoker } from '../contracts.ts'
import { type AuthorizerDecision, identityValues, policyDecision, simpleDecision } from './authorizer.ts'
import type { GatewayRequest, HttpEventBase } from './http-event.ts'
import { executeApiArn } from './identifiers.ts'
import { timedOut, within } from './in-flight.ts'

/** HTTP APIs wait no longer for an authorizer. */
const authorizerTimeoutMs = 10_000

export interface HttpAuthorizers {
  decide(authorizer: AuthorizerSpec, base: HttpEventBase, request: GatewayRequest): Promise<AuthorizerDecision>
}

export function createHttpAuthorizers(api: HttpApiSpec, invoker: Invoker): HttpAuthorizers {
  const cache = new Map<string, { readonly decision: AuthorizerDecision; readonly untilMs: number }>()

  const remember = (key: string, decision: AuthorizerDecision, ttlSeconds: number): void => {
    const nowMs = Date.now()
    for (const [known, { untilMs }] of cache) if (untilMs <= nowMs) cache.delete(known)
    cache.set(key, { decision, untilMs: nowMs + ttlSeconds * 1000 })
  }

  return {
    async decide(authorizer, base, request) {
      const identity = identityValues(authorizer.identitySources, {
        header: (name) => base.headers[name] ?? (name === 'cookie' ? base.cookies?.join('; ') : undefined),
        query: (name) => base.queryStringParameters?.[name],
        context: base.requestContext,
      })
      if (identity === undefined) return { kind: 'unauthorized' }
      // Keyed by the identity alone, whatever the route is: an authorizer whose answer depends on the route must have
      // `$context.routeKey` among its identity sources. Without any identity source nothing is kept.
      const cached = authorizer.resultTtlSeconds > 0 && identity.length > 0
      const key = JSON.stringify([authorizer.authorizerId, identity])
      const kept = cached ? cache.get(key) : undefined
      if (kept !== undefined && kept.untilMs > Date.now()) return kept.decision

      const arn = executeApiArn(api, `${api.stageName}/${request.method}${base.rawPath}`)
      const event = authorizer.simpleResponses
        ? { ...base, type: 'REQUEST', routeArn: arn, identitySource: identity }
        : policyEvent(base, arn, identity)
      const result = await within(
        authorizerTimeoutMs,
        invoker.invoke(authorizer.functionArn, event, {
          service: 'apigateway.amazonaws.com',
          sourceArn: executeApiArn(api, `authorizers/${authorizer.authorizerId}`),
        }),
      )
      if (result === timedOut) return { kind: 'failed', reason: `no answer within ${authorizerTimeoutMs} ms` }
      const decision = authorizer.simpleResponses ? simpleDecision(result) : policyDecision(result, arn)
      if (cached && (decision.kind === 'allow' || decision.kind === 'deny')) {
        remember(key, decision, authorizer.resultTtlSeconds)
      }
      return decision
    },
  }
}

/** Payload format 1.0, for authorizers that answer with a policy document. */
function policyEvent(base: HttpEventBase, methodArn: string, identity: readonly string[]): Record<string, unknown> {
  const { http, ...context } = base.requestContext as { http: Record<string, unknown> }
  const [method = '', resource = base.routeKey] = base.routeKey.split(' ')
  return {
    version: '1.0',
    type: 'REQUEST',
    methodArn,
    identitySource: identity.join(','),
    authorizationToken: identity.join(','),
    resource,
    path: base.rawPath,
    httpMethod: http.method ?? method,
    headers: base.headers,
    queryStringParameters: base.queryStringParameters ?? {},
    pathParameters: base.pathParameters ?? {},
    requestContext: {
      ...context,
      resourcePath: resource,
      path: base.rawPath,
      httpMethod: http.method,
      protocol: http.protocol,
      identity: { sourceIp: http.sourceIp, userAgent: http.userAgent },
    },
  }
}
