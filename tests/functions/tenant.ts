import { adminApiKey } from './cloud.ts'
import type { RestClient } from './rest-client.ts'

/** A business profile with a key of its own, made as an operator makes it. */
export async function createTenant(call: RestClient, name = 'Shop') {
  const profile = await call('POST', '/admin/business-profiles', { key: adminApiKey, body: { name } })
  const businessProfileId: string = profile.json.businessProfileId
  const created = await call('POST', `/admin/business-profiles/${businessProfileId}/api-keys`, { key: adminApiKey })
  return { businessProfileId, key: String(created.json.apiKey), keyId: String(created.json.keyId) }
}
