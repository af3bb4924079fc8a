import { createHash, timingSafeEqual } from 'node:crypto'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import middy from '@middy/core'
import type { APIGatewayRequestAuthorizerEventV2, APIGatewaySimpleAuthorizerWithContextResult } from 'aws-lambda'
import { apiKeys } from '../../shared/aws/api-keys.ts'
import { callRates } from '../../shared/aws/call-rates.ts'
import { documentClient } from '../../shared/aws/clients.ts'
import { configure } from '../config.ts'
import { count, log } from '../log.ts'
import { RecentValues } from '../recent-values.ts'
import { isoNow } from '../time.ts'
import { burstSeconds, CallLimit } from './call-limit.ts'
import type { AuthorizerContext } from './principal.ts'

const config = configure('ACCOUNTS_TABLE', 'ADMIN_API_KEY_SECRET_ARN', 'REQUESTS_PER_SECOND')
const table = { documents: documentClient(), table: config.ACCOUNTS_TABLE }
const store = apiKeys(table)
const limit = new CallLimit(callRates(table))
const secrets = new SecretsManagerClient({
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 4_000, throwOnRequestTimeout: true },
})

/** Only keys that were found to be good are remembered, and shorter than the minute in which a revocation must work. */
const known = new RecentValues<Known>({ keepMs: 30_000, entriesMax: 1_000 })
type Tenant = AuthorizerContext & { readonly principal: 'tenant'; readonly requestsPerSecond: number }
interface Known {
  readonly tenant: Tenant
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
  return { isAuthorized: true, context: await identify(apiKeyOf(event)) }
})

function apiKeyOf(event: APIGatewayRequestAuthorizerEventV2): string | undefined {
  const headers = Object.entries(event.headers ?? {})
  return headers.find(([name]) => name.toLowerCase() === 'x-api-key')?.[1]?.trim()
}

async function identify(key: string | undefined): Promise<AuthorizerContext> {
  if (key === undefined || key === '') return { principal: 'none', problem: 'missing_api_key' }
  const hash = digest(key)
  const remembered = known.get(hash.toString('hex'))
  if (remembered !== undefined && Date.now() < remembered.endsAtMs) return limited(remembered.tenant)

  const found = await store.authenticate(key, isoNow())
  if (found.kind === 'valid') {
    const { requestsPerSecond = config.REQUESTS_PER_SECOND, sendsPerSecond } = found.limits
    const tenant: Tenant = {
      principal: 'tenant',
      businessProfileId: found.businessProfileId,
      keyId: found.keyId,
      scopes: found.scopes.join(','),
      requestsPerSecond,
      ...(sendsPerSecond === undefined ? {} : { sendsPerSecond }),
      ...found.retention,
    }
    const endsAtMs = found.expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(found.expiresAt)
    known.set(hash.toString('hex'), { tenant, endsAtMs })
    return limited(tenant)
  }
  if (timingSafeEqual(hash, await adminKeyDigest())) return { principal: 'admin' }
  return { principal: 'none', problem: 'invalid_api_key' }
}

/** Counted where every call comes by. A count that cannot be made refuses nobody. */
async function limited({ requestsPerSecond: perSecond, ...tenant }: Tenant): Promise<AuthorizerContext> {
  try {
    const rate = { perSecond, burst: perSecond * burstSeconds }
    const retryAfterSeconds = await limit.retryAfterSeconds(`${tenant.keyId}#requests`, rate, Date.now())
    if (retryAfterSeconds === undefined) return tenant
    count('CallsRefused', 1)
    return { ...tenant, retryAfterSeconds }
  } catch (error) {
    log.error('calls of a key not counted', { keyId: tenant.keyId, error: error as Error })
    return tenant
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
