import { given } from '../../shared/api/connections.ts'
import { Problem } from '../../shared/api/problems.ts'
import { allows, everyScope, scopes } from '../../shared/api/scopes.ts'
import type { ApiKey, ApiKeys, NewApiKey } from '../../shared/aws/api-keys.ts'
import { log } from '../log.ts'
import { isoNow } from '../time.ts'

/** What operators and tenants do with keys, alike. */

export async function createKey(keys: ApiKeys, key: NewApiKey) {
  const outcome = await keys.createApiKey(key, isoNow())
  if (outcome.kind === 'not_found') throw new Problem('business_profile_not_found')
  log.info('api key created', { keyId: outcome.key.keyId })
  return shownOnce(outcome)
}

export async function rotateKey(keys: ApiKeys, businessProfileId: string, keyId: string, overlapSeconds: number) {
  const outcome = await keys.rotateApiKey(businessProfileId, keyId, isoNow(overlapSeconds * 1_000), isoNow())
  switch (outcome.kind) {
    case 'not_found':
      throw new Problem('api_key_not_found')
    case 'not_active':
      throw new Problem('api_key_not_active')
    case 'created':
      log.info('api key rotated', { rotatedKeyId: keyId, keyId: outcome.key.keyId })
      return shownOnce(outcome)
  }
}

export async function revokeKey(keys: ApiKeys, businessProfileId: string, keyId: string) {
  const outcome = await keys.revokeApiKey(businessProfileId, keyId, isoNow())
  if (outcome.kind === 'not_found') throw new Problem('api_key_not_found')
  log.info('api key revoked', { revokedKeyId: keyId })
  return { body: undefined }
}

/** @throws Problem where the new key could do more than who makes it */
export function refuseMore(granted: readonly string[], wanted: readonly string[]): void {
  if (granted.includes(everyScope)) return
  const more = wanted.filter((scope) =>
    scope === everyScope ? !scopes.every((each) => allows(granted, each)) : !granted.includes(scope),
  )
  if (more.length === 0) return
  throw new Problem('wrong_scope', { detail: `The caller does not have ${more.join(', ')} itself.` })
}

export function publicKey(key: ApiKey) {
  return {
    keyId: key.keyId,
    businessProfileId: key.businessProfileId,
    label: key.label,
    scopes: [...key.scopes],
    createdAt: key.createdAt,
    ...given('expiresAt', key.expiresAt),
    ...given('revokedAt', key.revokedAt),
    ...given('rotatedTo', key.rotatedTo),
    ...given('lastUsedAt', key.lastUsedAt),
  }
}

/** The path, not the secret, says in the audit log which key was made. */
function shownOnce({ key, secret }: { readonly key: ApiKey; readonly secret: string }) {
  return { body: { ...publicKey(key), apiKey: secret }, headers: { location: `/api-keys/${key.keyId}` } }
}
