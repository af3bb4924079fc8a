/** What a Lambda REQUEST authorizer decides, from its function's result (simple response or IAM policy document). */
import type { InvokeResult } from '../contracts.ts'

export type AuthorizerContext = Readonly<Record<string, unknown>>

export type AuthorizerDecision =
  | { readonly kind: 'allow'; readonly context: AuthorizerContext | null; readonly principalId?: string }
  /** 401: no identity, or the function failed with exactly `Unauthorized`. */
  | { readonly kind: 'unauthorized' }
  /** 403 */
  | { readonly kind: 'deny' }
  /** 500: the function failed or answered something that is no decision. */
  | { readonly kind: 'failed'; readonly reason: string }

/** Format 2.0: `{ isAuthorized, context? }`. */
export function simpleDecision(result: InvokeResult): AuthorizerDecision {
  if (result.kind === 'error') return failure(result)
  const payload = result.payload
  if (!isObject(payload) || typeof payload.isAuthorized !== 'boolean') {
    return { kind: 'failed', reason: 'expected { isAuthorized: boolean, context? }' }
  }
  if (!payload.isAuthorized) return { kind: 'deny' }
  return { kind: 'allow', context: isObject(payload.context) ? payload.context : null }
}

/** `{ principalId, policyDocument, context? }`, of which the policy must allow `execute-api:Invoke` on the method's ARN. */
export function policyDecision(result: InvokeResult, methodArn: string): AuthorizerDecision {
  if (result.kind === 'error') return failure(result)
  const payload = result.payload
  const policy = isObject(payload) ? payload.policyDocument : undefined
  if (!isObject(payload) || typeof payload.principalId !== 'string' || !isObject(policy)) {
    return { kind: 'failed', reason: 'expected { principalId: text, policyDocument, context? }' }
  }
  const statements = listOf(policy.Statement).filter(isObject)
  const applying = statements.filter(
    (statement) =>
      listOf(statement.Action).some((action) => arnMatches(String(action).toLowerCase(), 'execute-api:invoke')) &&
      listOf(statement.Resource).some((resource) => arnMatches(String(resource), methodArn)),
  )
  const effects = applying.map((statement) => statement.Effect)
  if (effects.includes('Deny') || !effects.includes('Allow')) return { kind: 'deny' }
  const context = isObject(payload.context) ? payload.context : null
  return { kind: 'allow', context, principalId: payload.principalId }
}

/**
 * The values of the identity sources in order; `undefined` when one is missing or empty, which is a 401 without asking the
 * function. Takes both spellings: `$request.header.X` (HTTP) and `route.request.header.X` (WebSocket).
 */
export function identityValues(
  sources: readonly string[],
  request: {
    readonly header: (lowerCaseName: string) => string | undefined
    readonly query: (name: string) => string | undefined
    readonly context: Readonly<Record<string, unknown>>
  },
): readonly string[] | undefined {
  const values: string[] = []
  for (const source of sources) {
    const value = identityValue(source, request)
    if (value === undefined || value === '') return undefined
    values.push(value)
  }
  return values
}

function identityValue(source: string, request: Parameters<typeof identityValues>[1]): string | undefined {
  const [, kind, name = ''] = /^(?:\$|route\.)?(request\.header|request\.querystring|context)\.(.+)$/.exec(source) ?? []
  switch (kind) {
    case 'request.header':
      return request.header(name.toLowerCase())
    case 'request.querystring':
      return request.query(name)
    case 'context': {
      const value = name
        .split('.')
        .reduce<unknown>((found, key) => (isObject(found) ? found[key] : undefined), request.context)
      return typeof value === 'string' ? value : undefined
    }
    default:
      throw new Error(`identity source ${source}: expected $request.header.…, $request.querystring.… or $context.…`)
  }
}

function failure(result: Extract<InvokeResult, { kind: 'error' }>): AuthorizerDecision {
  if (result.errorMessage === 'Unauthorized') return { kind: 'unauthorized' }
  return { kind: 'failed', reason: `${result.errorType}: ${result.errorMessage}` }
}

/** IAM's wildcards: `*` is any run of characters, `?` any one. */
function arnMatches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[\\^$.+()[\]{}|]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`).test(text)
}

function listOf(value: unknown): readonly unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
