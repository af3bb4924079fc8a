import { etagOf, versionOf } from '../../shared/api/common.ts'
import { given } from '../../shared/api/connections.ts'
import { Problem } from '../../shared/api/problems.ts'
import { accounts } from '../../shared/aws/accounts.ts'
import { audit } from '../../shared/aws/audit.ts'
import { documentClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { erasures } from '../../shared/aws/erasures.ts'
import { newBusinessProfileId } from '../../shared/aws/ids.ts'
import { webhookStore } from '../../shared/aws/webhooks.ts'
import type { Retention } from '../../shared/domain/tenancy.ts'
import { assertNever } from '../../shared/domain/words.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'
import { isoNow } from '../time.ts'
import { applyToProfile } from './apply-settings.ts'
import { listBusinessProfiles, publicProfile } from './business-profiles.ts'
import { publicErasure, startErasure } from './erasing.ts'
import { createKey, publicKey, revokeKey, rotateKey } from './keys.ts'
import { httpHandler } from './stack.ts'

const config = configure('ACCOUNTS_TABLE', 'CONNECTIONS_TABLE', 'WEBHOOKS_TABLE', 'MEDIA_RETENTION_DAYS')
const documents = documentClient()
const table = { documents, table: config.ACCOUNTS_TABLE }
const store = accounts(table)
const trails = audit(table)
const jobs = erasures(table)
const connections = apiConnections({ documents, table: config.CONNECTIONS_TABLE })
const webhooks = webhookStore({ documents, table: config.WEBHOOKS_TABLE })

/** The bucket itself deletes after the deployment's own time. */
function requireKeepable(retention: Retention | undefined): void {
  const max = config.MEDIA_RETENTION_DAYS
  if ((retention?.mediaDays ?? 0) <= max) return
  const message = 'must not be longer than media are kept in this deployment'
  throw new Problem('invalid_request', {
    detail: `retention.mediaDays: ${message}`,
    errors: [{ field: 'retention.mediaDays', message, expected: `at most ${max}` }],
  })
}

async function requireProfile(businessProfileId: string) {
  const profile = await store.getBusinessProfile(businessProfileId)
  if (profile === undefined) throw new Problem('business_profile_not_found')
  return profile
}

async function trailPage(trail: string, query: { readonly limit: number; readonly next?: string | undefined }) {
  const page = await trails.list(trail, query.limit, query.next)
  return { body: { items: [...page.items], ...given('next', page.next) } }
}

export const handler = httpHandler({
  createBusinessProfile: async ({ body }) => {
    const { name, quotas, limits, retention } = body
    requireKeepable(retention)
    const businessProfileId = newBusinessProfileId()
    const created = await store.createBusinessProfile({
      businessProfileId,
      name,
      createdAt: isoNow(),
      ...given('quotas', quotas),
      ...given('limits', limits),
      ...given('retention', retention),
    })
    if (created.kind === 'exists') throw new Error('a fresh business profile id is taken')
    log.info('business profile created', { businessProfileId })
    const { body: shown, headers } = publicProfile(created.profile)
    return { body: shown, headers: { ...headers, location: `/admin/business-profiles/${businessProfileId}` } }
  },

  listBusinessProfiles: async ({ query }) => {
    const page = await listBusinessProfiles(table, query.limit, query.next)
    return { body: { items: page.items.map((profile) => publicProfile(profile).body), ...given('next', page.next) } }
  },

  getBusinessProfile: async ({ params }) => publicProfile(await requireProfile(params.businessProfileId)),

  updateBusinessProfile: async ({ params, headers, body }) => {
    const seen = headers['if-match']
    const version = seen === undefined ? undefined : versionOf(seen)
    const { name, quotas, limits, retention } = body
    requireKeepable(retention)
    const change = {
      ...given('name', name),
      ...given('quotas', quotas),
      ...given('limits', limits),
      ...given('retention', retention),
    }
    const outcome = await store.updateBusinessProfile(params.businessProfileId, change, isoNow(), version)
    switch (outcome.kind) {
      case 'not_found':
        throw new Problem('business_profile_not_found')
      case 'erasing':
        throw new Problem('business_profile_erasing')
      case 'changed':
        throw new Problem('precondition_failed', { headers: { etag: etagOf(outcome.profile) } })
      case 'written':
        await applyToProfile({ keys: store, connections, webhooks }, outcome.profile)
        return publicProfile(outcome.profile)
      default:
        return assertNever(outcome)
    }
  },

  deleteBusinessProfile: async ({ params }) => {
    const { businessProfileId } = params
    // One job, however often it is asked for, and no new one for what is gone.
    const erasureId = `era_${businessProfileId}`
    const marked = await store.markErasing(businessProfileId, isoNow())
    if (marked.kind === 'not_found') {
      const ended = await jobs.get(businessProfileId, erasureId)
      if (ended === undefined) throw new Problem('business_profile_not_found')
      return { body: publicErasure(ended) }
    }
    const started = await startErasure(jobs, businessProfileId, { kind: 'business_profile' }, erasureId)
    await store.removeApiKeys(businessProfileId)
    log.info('erasure of a business profile', { businessProfileId })
    return { body: publicErasure((await jobs.get(businessProfileId, erasureId)) ?? started) }
  },

  getBusinessProfileErasure: async ({ params }) => {
    const erasure = await jobs.get(params.businessProfileId, params.erasureId)
    if (erasure === undefined) throw new Problem('erasure_not_found')
    return { body: publicErasure(erasure) }
  },

  listBusinessProfileAudit: ({ params, query }) => trailPage(params.businessProfileId, query),
  listServiceAudit: ({ query }) => trailPage('service', query),

  createApiKey: ({ params, body }) => {
    const { label, scopes, expiresAt } = body
    const { businessProfileId } = params
    return createKey(store, { businessProfileId, label, scopes, ...given('expiresAt', expiresAt) })
  },

  listApiKeys: async ({ params }) => {
    const [keys] = await Promise.all([
      store.listApiKeys(params.businessProfileId),
      requireProfile(params.businessProfileId),
    ])
    return { body: { items: keys.map(publicKey) } }
  },

  rotateApiKey: ({ params, body }) => rotateKey(store, params.businessProfileId, params.keyId, body.overlapSeconds),

  revokeApiKey: ({ params }) => revokeKey(store, params.businessProfileId, params.keyId),
})
