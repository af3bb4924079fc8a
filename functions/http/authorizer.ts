import { createHash, timingSafeEqual } from 'node:crypto'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import middy from '@middy/core'
import type { APIGatewayRequestAuthorizerEventV2, APIGatewaySimpleAuthorizerWithContextResult } from 'aws-lambda'
import { apiKeys } from '../../shared/aws/api-keys.ts'
import { type BusinessProfile, businessProfiles } from '../../shared/aws/business-profiles.ts'
import { callRates } from '../../shared/aws/call-rates.ts'
import { documentClient } from '../../shared/aws/clients.ts'
import type { CallLimits, Retention } from '../../shared/domain/tenancy.ts'
import { assertNever } from '../../shared/domain/words.ts'
import { configure } from '../config.ts'
import { count, log } from '../log.ts'
import { RecentValues } from '../recent-values.ts'
import { isoNow } from '../time.ts'
import { BearerTokens } from './bearer-tokens.ts'
import { burstSeconds, CallLimit } from './call-limit.ts'
import { type AuthorizerContext, callerOf, countedAs, type TenantContext } from './principal.ts'

const config = configure('ACCOUNTS_TABLE', 'ADMIN_API_KEY_SECRET_ARN', 'REQUESTS_PER_SECOND', 'SIGN_IN')
const table = { documents: documentClient(), table: config.ACCOUNTS_TABLE }
const store = apiKeys(table)
const stored = businessProfiles(table)
const tokens = config.SIGN_IN === undefined ? undefined : new BearerTokens(config.SIGN_IN)
const limit = new CallLimit(callRates(table))
const secrets = new SecretsManagerClient({
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 4_000, throwOnRequestTimeout: true },
})

/** Only what was found to be good is remembered, and shorter than the minute in which a revocation must work. */
const recently = { keepMs: 30_000, entriesMax: 1_000 }
const known = new RecentValues<Known>(recently)
const profiles = new RecentValues<BusinessProfile>(recently)
interface Known {
  readonly tenant: Counted<TenantContext & { readonly keyId: string }>
  /** A key ends at its second, also where it is remembered. */
  readonly endsAtMs: number
}
const adminKey = new RecentValues<Buffer>({ keepMs: 300_000, entriesMax: 1 })

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * Says who calls and lets everyone pass: API Gateway's own 401 has a fixed body, so the functions refuse, with a problem
 * document. They take no principal from anywhere else.
 */
export const handler = middy<
  APIGatewayRequestAuthorizerEventV2,
  APIGatewaySimpleAuthorizerWithContextResult<AuthorizerContext>
>().handler(async (event) => {
  log.resetKeys()
  log.appendKeys({ requestId: event.requestContext.requestId })
  return { isAuthorized: true, context: await identify(event) }
})

function headerOf({ headers = {} }: APIGatewayRequestAuthorizerEventV2, wanted: string): string | undefined {
  const found = Object.entries(headers)
    .find(([name]) => name.toLowerCase() === wanted)?.[1]
    ?.trim()
  return found === '' ? undefined : found
}

async function identify(event: APIGatewayRequestAuthorizerEventV2): Promise<AuthorizerContext> {
  const key = headerOf(event, 'x-api-key')
  if (key !== undefined) return byKey(key)
  const token = /^bearer +(\S+)$/i.exec(headerOf(event, 'authorization') ?? '')?.[1]
  if (tokens === undefined || token === undefined) return { principal: 'none', problem: 'missing_api_key' }
  return byToken(tokens, token)
}

async function byKey(key: string): Promise<AuthorizerContext> {
  const hash = digest(key)
  const remembered = known.get(hash.toString('hex'))
  if (remembered !== undefined && Date.now() < remembered.endsAtMs) return limited(remembered.tenant)

  const found = await store.authenticate(key, isoNow())
  if (found.kind === 'valid') {
    const { businessProfileId, keyId } = found
    const tenant = { keyId, ...tenantContext(businessProfileId, found.scopes, found.limits, found.retention) }
    const endsAtMs = found.expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(found.expiresAt)
    known.set(hash.toString('hex'), { tenant, endsAtMs })
    return limited(tenant)
  }
  if (timingSafeEqual(hash, await adminKeyDigest())) return { principal: 'admin' }
  return { principal: 'none', problem: 'invalid_api_key' }
}

async function byToken(tokens: BearerTokens, token: string): Promise<AuthorizerContext> {
  const presented = await tokens.identify(token, Date.now())
  switch (presented.kind) {
    case 'person': {
      const { sub, businessProfileId, scopes, admin } = presented.person
      const profile = businessProfileId === undefined ? undefined : await activeProfile(businessProfileId)
      if (profile !== undefined && scopes.length > 0) {
        const { limits, retention } = profile
        const tenant = tenantContext(profile.businessProfileId, scopes, limits, retention)
        return limited({ sub, ...tenant, ...(admin ? { admin } : {}) })
      }
      if (admin) return limited({ principal: 'admin', sub, requestsPerSecond: config.REQUESTS_PER_SECOND })
      return { principal: 'none', problem: 'no_access' }
    }
    case 'expired':
      return { principal: 'none', problem: 'expired_token' }
    case 'invalid':
      return { principal: 'none', problem: 'invalid_token' }
    case 'unavailable':
      return { principal: 'none', problem: 'unavailable' }
    default:
      return assertNever(presented)
  }
}

const tenantContext = (
  businessProfileId: string,
  scopes: readonly string[],
  { requestsPerSecond = config.REQUESTS_PER_SECOND, sendsPerSecond }: CallLimits,
  { auditDays, mediaDays }: Pick<Retention, 'auditDays' | 'mediaDays'>,
): Counted<TenantContext> => ({
  principal: 'tenant',
  businessProfileId,
  scopes: scopes.join(','),
  requestsPerSecond,
  ...(sendsPerSecond === undefined ? {} : { sendsPerSecond }),
  ...(auditDays === undefined ? {} : { auditDays }),
  ...(mediaDays === undefined ? {} : { mediaDays }),
})

/** A person has no key that ends with the business profile, so the profile itself is asked. */
async function activeProfile(businessProfileId: string): Promise<BusinessProfile | undefined> {
  const remembered = profiles.get(businessProfileId)
  if (remembered !== undefined) return remembered
  const profile = await stored.getBusinessProfile(businessProfileId)
  if (profile?.state !== 'active') return undefined
  profiles.set(businessProfileId, profile)
  return profile
}

type Counted<Context> = Context & { readonly requestsPerSecond: number }
type Identified = Exclude<AuthorizerContext, { readonly principal: 'none' }> &
  ({ readonly keyId: string } | { readonly sub: string })

/** Counted where every call comes by. A count that cannot be made refuses nobody. */
async function limited({ requestsPerSecond: perSecond, ...context }: Counted<Identified>): Promise<AuthorizerContext> {
  const caller = callerOf(context)
  try {
    const rate = { perSecond, burst: perSecond * burstSeconds }
    const retryAfterSeconds = await limit.retryAfterSeconds(`${countedAs(caller)}#requests`, rate, Date.now())
    if (retryAfterSeconds === undefined) return context
    count('CallsRefused', 1)
    return { ...context, retryAfterSeconds }
  } catch (error) {
    log.error('calls of a caller not counted', { ...caller, error: error as Error })
    return context
  }
}

async function adminKeyDigest(): Promise<Buffer> {
  const remembered = adminKey.get('')
  if (remembered !== undefined) return remembered
  const secret = await secrets.send(new GetSecretValueCommand({ SecretId: config.ADMIN_API_KEY_SECRET_ARN }))
  if (!secret.SecretString) throw new Error('the admin key secret has no text value')
  const value = digest(secret.SecretString)
  adminKey.set('', value)
  return value
}
