import { Problem } from '../../shared/api/problems.ts'
import type { HttpAuth, RouteContract } from '../../shared/api/routes.ts'
import { allows, type Scope } from '../../shared/api/scopes.ts'
import type { BusinessProfileId } from '../../shared/domain/words.ts'

/** What the authorizer found out about the caller. API Gateway carries it as texts. */
export type AuthorizerContext =
  | (TenantContext & ({ readonly keyId: string } | { readonly sub: string }))
  | (Limited & { readonly principal: 'admin'; readonly sub?: string })
  | {
      readonly principal: 'none'
      readonly problem: 'missing_api_key' | 'invalid_api_key' | 'invalid_token' | 'expired_token' | 'no_access'
    }
  /** Who calls cannot be found out now. */
  | { readonly principal: 'none'; readonly problem: 'unavailable' }

interface Limited {
  /** The caller is over the limit of calls; seconds until the next may come. */
  readonly retryAfterSeconds?: number
}

export interface TenantContext extends Limited {
  readonly principal: 'tenant'
  readonly businessProfileId: BusinessProfileId
  /** Joined by commas. */
  readonly scopes: string
  /** Of this key, where its business profile has another than the deployment's. */
  readonly sendsPerSecond?: number
  /** How long the business profile keeps its audit entries. */
  readonly auditDays?: number
  /** And its media. */
  readonly mediaDays?: number
  /** A person who may make the admin calls as well. */
  readonly admin?: true
}

/** A key of a business profile, or a person by the id that the sign-in provider has for them. */
export type Caller =
  | { readonly kind: 'key'; readonly keyId: string }
  | { readonly kind: 'person'; readonly sub: string }

export const callerOf = (context: { readonly keyId: string } | { readonly sub: string }): Caller =>
  'sub' in context ? { kind: 'person', sub: context.sub } : { kind: 'key', keyId: context.keyId }

/** What the caller's calls are counted under. No key's id has a `#`. */
export const countedAs = (caller: Caller): string => (caller.kind === 'key' ? caller.keyId : `person#${caller.sub}`)

/** Who calls, by the route's kind of authentication. */
export interface Principals {
  readonly tenant: {
    readonly businessProfileId: BusinessProfileId
    readonly caller: Caller
    readonly scopes: readonly string[]
    readonly sendsPerSecond?: number
    readonly auditDays?: number
    readonly mediaDays?: number
  }
  /** `sub`: by a person, not by the admin key. */
  readonly admin: { readonly admin: true; readonly sub?: string }
  readonly optional: { readonly admin: true } | undefined
  readonly none: undefined
}

/**
 * @throws Problem 401 without a key or a token that is known, 429 for who calls too often, 403 for who may do something else
 */
export function requirePrincipal(
  route: Pick<RouteContract, 'auth' | 'scope'>,
  context: AuthorizerContext | undefined,
): Principals[HttpAuth] {
  if (route.auth === 'none') return undefined
  if (route.auth === 'optional') {
    // A key or a token that is meant to show more and is wrong is better refused than passed over.
    if (context?.principal === 'none' && context.problem !== 'missing_api_key') throw refusal(context.problem)
    return context !== undefined && isAdministrator(context) ? { admin: true } : undefined
  }
  if (context === undefined) throw new Problem('missing_api_key')
  switch (context.principal) {
    case 'tenant': {
      refuseTooMany(context)
      if (route.auth === 'admin') {
        if (!('sub' in context)) throw new Problem('wrong_scope', { detail: 'This call needs the admin key.' })
        if (!isAdministrator(context)) throw new Problem('wrong_scope', { detail: 'This call needs an administrator.' })
        return { admin: true, sub: context.sub }
      }
      const scopes = context.scopes.split(',')
      requireScope(scopes, route.scope ?? [])
      const { businessProfileId, sendsPerSecond, auditDays, mediaDays } = context
      return {
        businessProfileId,
        caller: callerOf(context),
        scopes,
        // API Gateway may carry numbers as texts.
        ...(sendsPerSecond === undefined ? {} : { sendsPerSecond: Number(sendsPerSecond) }),
        ...(auditDays === undefined ? {} : { auditDays: Number(auditDays) }),
        ...(mediaDays === undefined ? {} : { mediaDays: Number(mediaDays) }),
      }
    }
    case 'admin':
      refuseTooMany(context)
      if (route.auth !== 'admin') {
        const needs =
          context.sub === undefined ? "a business profile's key" : 'somebody who belongs to a business profile'
        throw new Problem('wrong_scope', { detail: `This call needs ${needs}.` })
      }
      return { admin: true, ...(context.sub === undefined ? {} : { sub: context.sub }) }
    default:
      throw refusal(context.problem)
  }
}

/** API Gateway may carry the mark as a text. */
const isAdministrator = (context: AuthorizerContext): boolean =>
  context.principal === 'admin' || (context.principal === 'tenant' && String(context.admin) === 'true')

function refusal(problem: Extract<AuthorizerContext, { principal: 'none' }>['problem']): Problem {
  switch (problem) {
    case 'invalid_token':
    case 'expired_token':
      return new Problem('invalid_token', {
        ...(problem === 'expired_token' ? { detail: 'The bearer token has ended.' } : {}),
        headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
      })
    case 'no_access':
      return new Problem('wrong_scope', { detail: 'Your account has no access to a business profile.' })
    case 'unavailable':
      return new Problem('unavailable', {
        detail: 'The sign-in provider does not answer, so who calls is not known.',
        retryAfterSeconds: 5,
      })
    case 'invalid_api_key':
      return new Problem('invalid_api_key')
    default:
      return new Problem('missing_api_key')
  }
}

function refuseTooMany({ retryAfterSeconds }: Limited): void {
  if (retryAfterSeconds === undefined) return
  throw new Problem('rate_limited', { retryAfterSeconds: Number(retryAfterSeconds) })
}

/** @throws Problem 403 where none of the scopes is among those that were granted. */
export function requireScope(granted: readonly string[], needed: Scope | readonly Scope[]): void {
  const any = [needed].flat()
  if (any.some((scope) => allows(granted, scope))) return
  throw new Problem('wrong_scope', { detail: `This call needs the scope ${any.join(' or ')}.` })
}
