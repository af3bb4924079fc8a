import { Problem } from '../../shared/api/problems.ts'
import type { HttpAuth, RouteContract } from '../../shared/api/routes.ts'
import { allows, type Scope } from '../../shared/api/scopes.ts'
import type { BusinessProfileId } from '../../shared/domain/words.ts'

/** What the authorizer found out about the caller. API Gateway carries it as texts. */
export type AuthorizerContext =
  | {
      readonly principal: 'tenant'
      readonly businessProfileId: BusinessProfileId
      readonly keyId: string
      /** Joined by commas. */
      readonly scopes: string
      /** Of this key, where its business profile has another than the deployment's. */
      readonly sendsPerSecond?: number
      /** How long the business profile keeps its audit entries. */
      readonly auditDays?: number
      /** And its media. */
      readonly mediaDays?: number
      /** The key is over its limit of calls; seconds until it may call again. */
      readonly retryAfterSeconds?: number
    }
  | { readonly principal: 'admin' }
  | { readonly principal: 'none'; readonly problem: 'missing_api_key' | 'invalid_api_key' }

/** Who calls, by the route's kind of authentication. */
export interface Principals {
  readonly tenant: {
    readonly businessProfileId: BusinessProfileId
    readonly keyId: string
    readonly scopes: readonly string[]
    readonly sendsPerSecond?: number
    readonly auditDays?: number
    readonly mediaDays?: number
  }
  readonly admin: { readonly admin: true }
  readonly optional: { readonly admin: true } | undefined
  readonly none: undefined
}

/**
 * @throws Problem 401 without a key that is known, 429 with one that calls too often, 403 with one that is for something else
 */
export function requirePrincipal(
  route: Pick<RouteContract, 'auth' | 'scope'>,
  context: AuthorizerContext | undefined,
): Principals[HttpAuth] {
  if (route.auth === 'none') return undefined
  if (route.auth === 'optional') {
    // A key that is meant to show more and is wrong is better refused than passed over.
    if (context?.principal === 'none' && context.problem === 'invalid_api_key') throw new Problem('invalid_api_key')
    return context?.principal === 'admin' ? { admin: true } : undefined
  }
  if (context === undefined) throw new Problem('missing_api_key')
  switch (context.principal) {
    case 'tenant': {
      if (context.retryAfterSeconds !== undefined) {
        throw new Problem('rate_limited', { retryAfterSeconds: Number(context.retryAfterSeconds) })
      }
      const scopes = context.scopes.split(',')
      if (route.auth !== 'tenant') throw new Problem('wrong_scope', { detail: 'This call needs the admin key.' })
      requireScope(scopes, route.scope ?? [])
      const { businessProfileId, keyId, sendsPerSecond, auditDays, mediaDays } = context
      return {
        businessProfileId,
        keyId,
        scopes,
        // API Gateway may carry numbers as texts.
        ...(sendsPerSecond === undefined ? {} : { sendsPerSecond: Number(sendsPerSecond) }),
        ...(auditDays === undefined ? {} : { auditDays: Number(auditDays) }),
        ...(mediaDays === undefined ? {} : { mediaDays: Number(mediaDays) }),
      }
    }
    case 'admin':
      if (route.auth !== 'admin')
        throw new Problem('wrong_scope', { detail: "This call needs a business profile's key." })
      return { admin: true }
    default:
      throw new Problem(context.problem === 'invalid_api_key' ? 'invalid_api_key' : 'missing_api_key')
  }
}

/** @throws Problem 403 where none of the scopes is among those that were granted. */
export function requireScope(granted: readonly string[], needed: Scope | readonly Scope[]): void {
  const any = [needed].flat()
  if (any.some((scope) => allows(granted, scope))) return
  throw new Problem('wrong_scope', { detail: `This call needs a key with the scope ${any.join(' or ')}.` })
}
