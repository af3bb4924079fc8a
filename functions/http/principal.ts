import { Problem } from '../../shared/api/problems.ts'
import type { HttpAuth, RouteContract } from '../../shared/api/routes.ts'
import { allows } from '../../shared/api/scopes.ts'
import type { BusinessProfileId } from '../../shared/domain/words.ts'

/** What the authorizer found out about the caller. API Gateway carries it as texts. */
export type AuthorizerContext =
  | {
      readonly principal: 'tenant'
      readonly businessProfileId: BusinessProfileId
      readonly keyId: string
      /** Joined by commas. */
      readonly scopes: string
    }
  | { readonly principal: 'admin' }
  | { readonly principal: 'none'; readonly problem: 'missing_api_key' | 'invalid_api_key' }

/** Who calls, by the route's kind of authentication. */
export interface Principals {
  readonly tenant: { readonly businessProfileId: BusinessProfileId; readonly keyId: string }
  readonly admin: { readonly admin: true }
  readonly none: undefined
}

/** @throws Problem 401 without a key that is known, 403 with one that is for something else. */
export function requirePrincipal(
  route: Pick<RouteContract, 'auth' | 'scope'>,
  context: AuthorizerContext | undefined,
): Principals[HttpAuth] {
  if (route.auth === 'none') return undefined
  if (context === undefined) throw new Problem('missing_api_key')
  switch (context.principal) {
    case 'tenant':
      if (route.auth !== 'tenant') throw new Problem('wrong_scope', { detail: 'This call needs the admin key.' })
      if (route.scope === undefined || !allows(context.scopes.split(','), route.scope)) {
        throw new Problem('wrong_scope', { detail: `This call needs a key with the scope ${route.scope}.` })
      }
      return { businessProfileId: context.businessProfileId, keyId: context.keyId }
    case 'admin':
      if (route.auth !== 'admin')
        throw new Problem('wrong_scope', { detail: "This call needs a business profile's key." })
      return { admin: true }
    default:
      throw new Problem(context.problem === 'invalid_api_key' ? 'invalid_api_key' : 'missing_api_key')
  }
}
