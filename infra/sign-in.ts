import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { z } from 'zod'
import { grantedScopes } from '../shared/api/scopes.ts'
import { administrator } from '../shared/domain/sign-in.ts'
import type { Handler } from './function.ts'

const scopeSchema = z.enum(grantedScopes)
const origin = z
  .string()
  .regex(/^https:\/\/[a-z0-9.-]+(:\d+)?$/, 'the origin of an address behind TLS, e.g. https://login.example.com')

/** How people sign in to the console, instead of by an API key: an OpenID Connect provider. See docs/sign-in.md. */
export interface SignInSettings {
  /** As the provider's discovery document has it, to the letter. */
  readonly issuer: string
  /** Of the console, registered as a public client: it has no secret. */
  readonly clientId: string
  /**
   * What a token's `aud` must name.
   * @default the client's id, as in id tokens
   */
  readonly audience?: string
  /**
   * Which of the provider's tokens the API takes. Id tokens, where access tokens cannot carry claims or are no JWTs.
   * @default 'access'
   */
  readonly token?: 'access' | 'id'
  /**
   * What the console asks for. `offline_access`, where the provider has it, renews tokens without leaving the page.
   * @default 'openid profile email'
   */
  readonly scope?: string
  /** Further parameters of the sign-in page's address, e.g. `audience` or `resource` for the API's access tokens. */
  readonly parameters?: Readonly<Record<string, string>>
  /** Origins of the provider's endpoints where they are not the issuer's own: the page may call no others. */
  readonly origins?: readonly string[]
  /**
   * Claim with the id of the person's business profile. A path: `app.profile`.
   * @default 'business_profile_id'
   */
  readonly businessProfileClaim?: string
  /** Claim with the person's roles or groups. */
  readonly roleClaim?: string
  /** Scopes of each role; `admin` is what the admin key may. */
  readonly roles?: Readonly<Record<string, readonly string[]>>
  /** Scopes of everybody who belongs to a business profile, whatever their roles. */
  readonly everyone?: readonly string[]
  /**
   * For tests: a provider on this machine, without TLS.
   * @default false
   */
  readonly insecureLoopback?: boolean
}

export const signInSchema = z
  .strictObject({
    issuer: z.url({ protocol: /^https?$/, error: 'the address of the provider' }),
    clientId: z.string().min(1),
    audience: z.string().min(1).optional(),
    token: z.enum(['access', 'id']).default('access'),
    scope: z
      .string()
      .refine((text) => text.split(' ').includes('openid'), 'must have openid')
      .default('openid profile email'),
    parameters: z.record(z.string(), z.string()).default({}),
    origins: z.array(origin).default([]),
    businessProfileClaim: z.string().min(1).default('business_profile_id'),
    roleClaim: z.string().min(1).optional(),
    roles: z.record(z.string().min(1), z.array(z.enum([...grantedScopes, administrator])).min(1)).default({}),
    everyone: z.array(scopeSchema).default([]),
    insecureLoopback: z.boolean().default(false),
  } satisfies Record<keyof SignInSettings, z.ZodType>)
  .refine((s) => s.issuer.startsWith('https:') || (s.insecureLoopback && isLoopback(s.issuer)), {
    path: ['issuer'],
    message: 'must begin with https://',
  })
  .refine((s) => !/[?#]/.test(s.issuer), { path: ['issuer'], message: 'must have no query and no fragment' })
  .refine((s) => (s.roleClaim === undefined) === (Object.keys(s.roles).length === 0), {
    path: ['roles'],
    message: 'roleClaim and roles belong together',
  })
  .refine((s) => s.everyone.length > 0 || s.roleClaim !== undefined, {
    path: ['everyone'],
    message: 'nobody could do anything: name scopes for everyone, or roles',
  })
  .refine((s) => s.token === 'access' || s.audience === undefined || s.audience === s.clientId, {
    path: ['audience'],
    message: 'id tokens are for the client itself',
  })

export type SignInSetting = z.output<typeof signInSchema>

const isLoopback = (url: string): boolean => /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(\/|$)/.test(url)

/** The authorizer takes the provider's tokens, and looks up the business profiles that they name. */
export function acceptTokens(authorizer: Handler, accounts: TableV2, signIn: SignInSetting | undefined): void {
  if (signIn === undefined) return
  const { issuer, audience = signIn.clientId, businessProfileClaim, roleClaim, roles, everyone } = signIn
  authorizer.addEnvironment(
    'SIGN_IN',
    JSON.stringify({ issuer, audience, businessProfileClaim, roleClaim, roles, everyone }),
  )
  authorizer.allowItems(accounts, ['profile#*'], 'GetItem')
}

/** What the console has to know, without anything that says what roles may do. */
export function consoleSignIn(signIn: SignInSetting) {
  const { issuer, clientId, token, scope, parameters } = signIn
  return { issuer, clientId, token, scope, parameters }
}

/** Where the console calls the provider. */
export function signInOrigins(signIn: SignInSetting | undefined): readonly string[] {
  return signIn === undefined ? [] : [new URL(signIn.issuer).origin, ...signIn.origins]
}
