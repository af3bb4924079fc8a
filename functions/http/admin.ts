import { given } from '../../shared/api/connections.ts'
import { Problem } from '../../shared/api/problems.ts'
import { everyScope } from '../../shared/api/scopes.ts'
import { accounts } from '../../shared/aws/accounts.ts'
import { documentClient } from '../../shared/aws/clients.ts'
import { newBusinessProfileId } from '../../shared/aws/ids.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'
import { isoNow } from '../time.ts'
import { listBusinessProfiles } from './business-profiles.ts'
import { httpHandler } from './stack.ts'

const config = configure('ACCOUNTS_TABLE')
const table = { documents: documentClient(), table: config.ACCOUNTS_TABLE }
const store = accounts(table)

async function requireProfile(businessProfileId: string) {
  const profile = await store.getBusinessProfile(businessProfileId)
  if (profile === undefined) throw new Problem('business_profile_not_found')
  return profile
}

export const handler = httpHandler({
  createBusinessProfile: async ({ body }) => {
    const profile = { businessProfileId: newBusinessProfileId(), name: body.name, createdAt: isoNow() }
    const created = await store.createBusinessProfile(profile)
    if (created.kind === 'exists') throw new Error('a fresh business profile id is taken')
    log.info('business profile created', { businessProfileId: profile.businessProfileId })
    return { body: profile, headers: { location: `/admin/business-profiles/${profile.businessProfileId}` } }
  },

  listBusinessProfiles: async ({ query }) => {
    const page = await listBusinessProfiles(table, query.limit, query.next)
    return { body: { items: [...page.items], ...given('next', page.next) } }
  },

  getBusinessProfile: async ({ params }) => {
    const { businessProfileId, name, createdAt } = await requireProfile(params.businessProfileId)
    return { body: { businessProfileId, name, createdAt } }
  },

  createApiKey: async ({ params, body }) => {
    const { businessProfileId } = params
    const outcome = await store.createApiKey(
      { businessProfileId, label: body.label, scopes: [everyScope], ...given('expiresAt', body.expiresAt) },
      isoNow(),
    )
    if (outcome.kind === 'not_found') throw new Problem('business_profile_not_found')
    log.info('api key created', { keyId: outcome.key.keyId })
    return { body: { ...publicKey(outcome.key), apiKey: outcome.secret } }
  },

  listApiKeys: async ({ params }) => {
    const [keys] = await Promise.all([
      store.listApiKeys(params.businessProfileId),
      requireProfile(params.businessProfileId),
    ])
    return { body: { items: keys.map(publicKey) } }
  },

  revokeApiKey: async ({ params }) => {
    const outcome = await store.revokeApiKey(params.businessProfileId, params.keyId, isoNow())
    if (outcome.kind === 'not_found') throw new Problem('api_key_not_found')
    log.info('api key revoked', { keyId: params.keyId })
    return { body: undefined }
  },
})

function publicKey(key: Awaited<ReturnType<typeof store.listApiKeys>>[number]) {
  return {
    keyId: key.keyId,
    businessProfileId: key.businessProfileId,
    label: key.label,
    scopes: [...key.scopes],
    createdAt: key.createdAt,
    ...given('expiresAt', key.expiresAt),
    ...given('revokedAt', key.revokedAt),
    ...given('lastUsedAt', key.lastUsedAt),
  }
}
