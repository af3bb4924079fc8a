import { z } from 'zod'

/**
 * What an API key of a business profile may do. Every route with `auth: 'tenant'` names the one scope that it needs; the
 * middlewares of all functions check it before they look at the request.
 */
export const scopes = [
  'connections:read',
  'connections:write',
  'messages:read',
  'messages:send',
  'media',
  'contacts',
  'groups',
  'webhooks',
  'live',
  'profile',
  'keys',
  'audit',
  'erasure',
] as const
export type Scope = (typeof scopes)[number]

/** Everything of its business profile, also what is added later. */
export const everyScope = 'tenant:*'

export const grantedScopes = [everyScope, ...scopes] as const
export type GrantedScope = (typeof grantedScopes)[number]

export const scopesSchema = z
  .array(z.enum(grantedScopes))
  .min(1)
  .max(grantedScopes.length)
  .transform((names) => [...new Set(names)].sort())
  .meta({ description: `What the key may do; \`${everyScope}\` is everything of its business profile.` })

export const allows = (granted: readonly string[], needed: Scope): boolean =>
  granted.includes(everyScope) || granted.includes(needed)
