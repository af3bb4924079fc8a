import { beforeEach, describe, expect, test } from 'vitest'
import type { Accounts } from '../../shared/aws/accounts.ts'

/** What a store of business profiles and API keys must do; `fresh` gives an empty one. */
export function accountsContract(name: string, fresh: () => Promise<Accounts>): void {
  describe(`accounts: ${name}`, () => {
    let accounts: Accounts

    beforeEach(async () => {
      accounts = await fresh()
      await accounts.createBusinessProfile(profile)
    })

    async function created(changes: { expiresAt?: string; scopes?: string[]; label?: string } = {}) {
      const outcome = await accounts.createApiKey({ ...newKey, ...changes }, at(0))
      if (outcome.kind !== 'created') throw new Error(`expected created, got ${outcome.kind}`)
      return outcome
    }

    test('a business profile is created once and read as it was written', async () => {
      expect(await accounts.getBusinessProfile('bp_1')).toEqual(profile)
      expect(await accounts.createBusinessProfile({ ...profile, name: 'Another' })).toEqual({ kind: 'exists' })
      expect(await accounts.getBusinessProfile('bp_1')).toEqual(profile)
      expect(await accounts.getBusinessProfile('bp_2')).toBeUndefined()
    })

    test('a key is `hf_<keyId>_<secret>` and names its business profile and scopes', async () => {
      const { key, secret } = await created()
      expect(secret).toMatch(new RegExp(`^hf_${key.keyId}_[0-9A-Za-z_-]{43}$`))
      const valid = { kind: 'valid', businessProfileId: 'bp_1', keyId: key.keyId, scopes: newKey.scopes }
      expect(await accounts.authenticate(secret, at(1))).toEqual(valid)
    })

    test('keys are different from one another', async () => {
      const secrets = await Promise.all(Array.from({ length: 10 }, async () => (await created()).secret))
      expect(new Set(secrets).size).toBe(10)
    })

    test('a business profile that is not there gets no key', async () => {
      expect(await accounts.createApiKey({ ...newKey, businessProfileId: 'bp_2' }, at(0))).toEqual({
        kind: 'not_found',
      })
      expect(await accounts.listApiKeys('bp_2')).toEqual([])
    })

    test('another secret under a known key id is unknown', async () => {
      const { secret } = await created()
      const other = (await created()).secret
      const forged = secret.slice(0, 20) + other.slice(20)
      expect(await accounts.authenticate(forged, at(1))).toEqual({ kind: 'unknown' })
    })

    test.each([
      '',
      'hf_',
      'x',
      'hf_0000000000000000_',
      `hf_${'a'.repeat(16)}_${'b'.repeat(43)}`,
      'a'.repeat(10_000),
    ])('what is no key is unknown: %.40s', async (presented) => {
      expect(await accounts.authenticate(presented, at(1))).toEqual({ kind: 'unknown' })
    })

    test('a key ends at the second that it says', async () => {
      const { secret } = await created({ expiresAt: at(10) })
      expect((await accounts.authenticate(secret, at(9))).kind).toBe('valid')
      expect(await accounts.authenticate(secret, at(10))).toEqual({ kind: 'expired' })
    })

    test('a revoked key is unknown at once, and stays in the list', async () => {
      const { key, secret } = await created()
      const kept = await created()
      await accounts.authenticate(secret, at(1))
      expect(await accounts.revokeApiKey('bp_1', key.keyId, at(2))).toEqual({ kind: 'revoked' })
      expect(await accounts.authenticate(secret, at(3))).toEqual({ kind: 'unknown' })
      expect((await accounts.authenticate(kept.secret, at(3))).kind).toBe('valid')
      const listed = (await accounts.listApiKeys('bp_1')).find((one) => one.keyId === key.keyId)
      expect(listed).toEqual({ ...key, revokedAt: at(2), lastUsedAt: at(1) })
    })

    test('a key is revoked by its own business profile only, and twice is the same as once', async () => {
      const { key, secret } = await created()
      expect(await accounts.revokeApiKey('bp_2', key.keyId, at(2))).toEqual({ kind: 'not_found' })
      expect((await accounts.authenticate(secret, at(3))).kind).toBe('valid')
      await accounts.revokeApiKey('bp_1', key.keyId, at(4))
      expect(await accounts.revokeApiKey('bp_1', key.keyId, at(5))).toEqual({ kind: 'revoked' })
      expect((await accounts.listApiKeys('bp_1'))[0]?.revokedAt).toBe(at(4))
    })

    test('the list shows every key, to the hour when it was used, and never its secret or hash', async () => {
      const used = await created({ label: 'Shop' })
      const unused = await created({ label: 'Reports', expiresAt: at(100) })
      await accounts.authenticate(used.secret, at(1))
      await accounts.authenticate(used.secret, at(30))
      const sortedById = [{ ...used.key, lastUsedAt: at(1) }, unused.key].sort((a, b) => (a.keyId < b.keyId ? -1 : 1))
      expect(await accounts.listApiKeys('bp_1')).toEqual(sortedById)
      await accounts.authenticate(used.secret, at(3_601))
      expect(await accounts.listApiKeys('bp_1')).toContainEqual({ ...used.key, lastUsedAt: at(3_601) })
    })
  })
}

const at = (second: number): string => new Date(Date.UTC(2026, 0, 31, 12, 0, second)).toISOString()
const profile = { businessProfileId: 'bp_1', name: 'Shop', createdAt: at(0) }
const newKey = { businessProfileId: 'bp_1', label: 'Server', scopes: ['messages:send', 'connections:read'] }
