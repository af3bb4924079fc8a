/** Which invocations were let through: by whom, and by which route. One of each kind; what was asked besides is not kept. */
import type { InvokeResult, InvokeSource } from '../contracts.ts'
import { isObject } from '../template/json.ts'

export interface RoutedRequest {
  readonly apiId: string
  readonly routeKey: string
  /** Of an HTTP API: what the route was chosen for. */
  readonly method?: string
  readonly path?: string
}

export interface Invocation {
  readonly functionArn: string
  readonly source: InvokeSource
  /** Of API Gateway. Authorizers' invocations come before a route's own. */
  readonly routed?: RoutedRequest
}

export interface Invocations {
  record(functionArn: string, event: unknown, source: InvokeSource, result: InvokeResult): void
  list(): readonly Invocation[]
  /** What says that a wire is missing: refused for want of a permission, or started without an entry of its environment. */
  failures(): readonly string[]
}

/** As `functions/config.ts` begins its complaint. */
const incomplete = /environment is not valid/

export function createInvocations(): Invocations {
  const kept = new Map<string, Invocation>()
  const failures = new Set<string>()
  return {
    record(functionArn, event, source, result) {
      if (result.kind === 'error') {
        const { errorType, errorMessage } = result
        if (errorType === 'AccessDeniedException' || incomplete.test(errorMessage)) failures.add(errorMessage)
        return
      }
      const routed = routedRequest(event)
      const key = JSON.stringify([functionArn, source, routed?.apiId, routed?.routeKey, routed?.method])
      if (kept.has(key)) return
      kept.set(key, { functionArn, source: { ...source }, ...(routed === undefined ? {} : { routed }) })
    },
    list: () => [...kept.values()],
    failures: () => [...failures],
  }
}

function routedRequest(event: unknown): RoutedRequest | undefined {
  if (!isObject(event) || !isObject(event['requestContext']) || event['type'] === 'REQUEST') return undefined
  const { apiId, routeKey, http } = event['requestContext']
  if (typeof apiId !== 'string' || typeof routeKey !== 'string') return undefined
  if (!isObject(http)) return { apiId, routeKey }
  return { apiId, routeKey, method: String(http['method']), path: String(http['path']) }
}
