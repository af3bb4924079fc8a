import { given } from '../../shared/api/connections.ts'
import { Problem } from '../../shared/api/problems.ts'
import { accounts } from '../../shared/aws/accounts.ts'
import { audit } from '../../shared/aws/audit.ts'
import { documentClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { erasures } from '../../shared/aws/erasures.ts'
import { configure } from '../config.ts'
import { publicProfile } from './business-profiles.ts'
import { publicErasure, startErasure } from './erasing.ts'
import { createKey, publicKey, refuseMore, revokeKey, rotateKey } from './keys.ts'
import { httpHandler } from './stack.ts'

const config = configure('ACCOUNTS_TABLE', 'CONNECTIONS_TABLE')
const documents = documentClient()
const table = { documents, table: config.ACCOUNTS_TABLE }
const store = accounts(table)
const trails = audit(table)
const jobs = erasures(table)
const connections = apiConnections({ documents, table: config.CONNECTIONS_TABLE })

/** What a business profile does with its own account. */
export const handler = httpHandler({
  getOwnBusinessProfile: async ({ principal }) => {
    const profile = await store.getBusinessProfile(principal.businessProfileId)
    if (profile === undefined) throw new Problem('business_profile_not_found')
    return publicProfile(profile)
  },

  createOwnApiKey: async ({ principal, body }) => {
    const { businessProfileId } = principal
    const { label, scopes, expiresAt } = body
    refuseMore(principal.scopes, scopes)
    return createKey(store, { businessProfileId, label, scopes, ...given('expiresAt', expiresAt) })
  },

  listOwnApiKeys: async ({ principal }) => {
    const keys = await store.listApiKeys(principal.businessProfileId)
    return { body: { items: keys.map(publicKey) } }
  },

  rotateOwnApiKey: async ({ principal, params, body }) => {
    const { businessProfileId } = principal
    const key = await store.getApiKey(businessProfileId, params.keyId)
    if (key === undefined) throw new Problem('api_key_not_found')
    refuseMore(principal.scopes, key.scopes)
    return rotateKey(store, businessProfileId, params.keyId, body.overlapSeconds)
  },

  revokeOwnApiKey: ({ principal, params }) => revokeKey(store, principal.businessProfileId, params.keyId),

  listAudit: async ({ principal, query }) => {
    const page = await trails.list(principal.businessProfileId, query.limit, query.next)
    return { body: { items: [...page.items], ...given('next', page.next) } }
  },

  startErasure: async ({ principal, body }) => {
    const { businessProfileId } = principal
    const { contact, connectionId } = body
    if (connectionId !== undefined && (await connections.get({ businessProfileId, connectionId })) === undefined) {
      throw new Problem('connection_not_found')
    }
    const subject = { kind: 'contact', chat: contact.chat, ...given('connectionId', connectionId) } as const
    const erasure = await startErasure(jobs, businessProfileId, subject)
    return { body: publicErasure(erasure), headers: { location: `/erasures/${erasure.erasureId}` } }
  },

  listErasures: async ({ principal, query }) => {
    const page = await jobs.list(principal.businessProfileId, query.limit, query.next)
    return { body: { items: page.items.map(publicErasure), ...given('next', page.next) } }
  },

  getErasure: async ({ principal, params }) => {
    const erasure = await jobs.get(principal.businessProfileId, params.erasureId)
    if (erasure === undefined) throw new Problem('erasure_not_found')
    return { body: publicErasure(erasure) }
  },
})
