/** Words for people who sign in by an operator's OpenID Connect provider, and what its claims let them do. */

/** Beside scopes, what a role may give: everything that the admin key may. */
export const administrator = 'admin'

export interface SignInRules {
  /** Claim that names the business profile, by its id. A path: `realm_access.roles`, unless a claim has that very name. */
  readonly businessProfileClaim: string
  /** Claim that lists a person's roles or groups: a list, or a text with spaces between. */
  readonly roleClaim?: string
  /** Scopes of each role, or `admin`. Roles that are not named give nothing. */
  readonly roles: Readonly<Record<string, readonly string[]>>
  /** Scopes of everybody who belongs to a business profile. */
  readonly everyone: readonly string[]
}

export interface Person {
  /** The provider's own id of the person: what limits, logs and the audit log name. */
  readonly sub: string
  readonly businessProfileId?: string
  /** In that business profile. */
  readonly scopes: readonly string[]
  readonly admin: boolean
}

/** Ids are at most so long, as OpenID Connect says; ours are shorter. */
const idLengthMax = 255

type Claims = Readonly<Record<string, unknown>>

/**
 * What a person may do, by claims that are known to be the provider's. Undefined for claims that name nobody. A claim that
 * names more than one business profile names none: nobody is given a choice that the provider did not make.
 */
export function personOf(claims: Claims, rules: SignInRules): Person | undefined {
  const { sub } = claims
  if (!isId(sub)) return undefined
  const roles = rules.roleClaim === undefined ? [] : textsOf(claimAt(claims, rules.roleClaim))
  const granted = roles.flatMap((role) => (Object.hasOwn(rules.roles, role) ? (rules.roles[role] ?? []) : []))
  const [businessProfileId, ...more] = [claimAt(claims, rules.businessProfileClaim)].flat()
  return {
    sub,
    ...(isId(businessProfileId) && more.length === 0 ? { businessProfileId } : {}),
    scopes: [...new Set([...rules.everyone, ...granted])].filter((scope) => scope !== administrator).sort(),
    admin: granted.includes(administrator),
  }
}

const isId = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= idLengthMax

function claimAt(claims: Claims, path: string): unknown {
  // Names of claims may be URLs, with dots of their own.
  if (Object.hasOwn(claims, path)) return claims[path]
  return path.split('.').reduce<unknown>((value, name) => {
    const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    return isObject ? (value as Claims)[name] : undefined
  }, claims)
}

function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split(' ')
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}
