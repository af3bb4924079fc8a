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
      expect(await accounts.getBusinessProfile('bp_1')).toEqual(stored)
      expect(await accounts.createBusinessProfile({ ...profile, name: 'Another' })).toEqual({ kind: 'exists' })
      expect(await accounts.getBusinessProfile('bp_1')).toEqual(stored)
      expect(await accounts.getBusinessProfile('bp_2')).toBeUndefined()
    })

    test('a key is `hf_<keyId>_<secret>` and names its business profile and scopes', async () => {
      const { key, secret } = await created()
      expect(secret).toMatch(new RegExp(`^hf_${key.keyId}_[0-9A-Za-z_-]{43}$`))
      const valid = {
        kind: 'valid',
        businessProfileId: 'bp_1',
        keyId: key.keyId,
        scopes: newKey.scopes,
        limits: {},
        retention: {},
      }
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

    test('the list shows every key, to the minute when it was used, and never its secret or hash', async () => {
      const used = await created({ label: 'Shop' })
      const unused = await created({ label: 'Reports', expiresAt: at(100) })
      await accounts.authenticate(used.secret, at(1))
      await accounts.authenticate(used.secret, at(30))
      const sortedById = [{ ...used.key, lastUsedAt: at(1) }, unused.key].sort((a, b) => (a.keyId < b.keyId ? -1 : 1))
      expect(await accounts.listApiKeys('bp_1')).toEqual(sortedById)
      await accounts.authenticate(used.secret, at(61))
      expect(await accounts.listApiKeys('bp_1')).toContainEqual({ ...used.key, lastUsedAt: at(61) })
    })

    test('a key is rotated without a gap: both work, then only the new one', async () => {
      const { key, secret } = await created({ label: 'Shop' })
      const rotated = await accounts.rotateApiKey('bp_1', key.keyId, at(30), at(10))
      if (rotated.kind !== 'created') throw new Error(`expected created, got ${rotated.kind}`)
      expect(rotated.key).toMatchObject({ label: 'Shop', scopes: key.scopes })
      expect((await accounts.authenticate(secret, at(29))).kind).toBe('valid')
      expect((await accounts.authenticate(rotated.secret, at(29))).kind).toBe('valid')
      expect(await accounts.authenticate(secret, at(30))).toEqual({ kind: 'expired' })
      expect((await accounts.authenticate(rotated.secret, at(30))).kind).toBe('valid')
      expect(await accounts.getApiKey('bp_1', key.keyId)).toMatchObject({
        rotatedTo: rotated.key.keyId,
        expiresAt: at(30),
      })
    })

    test('what is rotated, revoked, ended or another profile’s is not rotated', async () => {
      const { key } = await created()
      const ended = await created({ expiresAt: at(5) })
      expect(await accounts.rotateApiKey('bp_2', key.keyId, at(30), at(10))).toEqual({ kind: 'not_found' })
      expect(await accounts.rotateApiKey('bp_1', ended.key.keyId, at(30), at(10))).toEqual({ kind: 'not_active' })
      const both = await Promise.all([1, 2].map(() => accounts.rotateApiKey('bp_1', key.keyId, at(30), at(10))))
      expect(both.map(({ kind }) => kind).sort()).toEqual(['created', 'not_active'])
    })

    test('a rotation never makes the old key live longer', async () => {
      const { key, secret } = await created({ expiresAt: at(20) })
      await accounts.rotateApiKey('bp_1', key.keyId, at(30), at(10))
      expect(await accounts.authenticate(secret, at(20))).toEqual({ kind: 'expired' })
    })

    test('settings are replaced group by group, by who saw the latest version', async () => {
      const changed = await accounts.updateBusinessProfile('bp_1', { quotas: { connections: 3 } }, at(1), 1)
      expect(changed).toMatchObject({ kind: 'written', profile: { quotas: { connections: 3 }, version: 2 } })
      expect(await accounts.updateBusinessProfile('bp_1', { name: 'Late' }, at(2), 1)).toMatchObject({
        kind: 'changed',
      })
      expect(await accounts.updateBusinessProfile('bp_2', { name: 'x' }, at(2))).toEqual({ kind: 'not_found' })
      const { secret } = await created()
      await accounts.applySettings('bp_1', { limits: { sendsPerSecond: 2 }, retention: { auditDays: 9, mediaDays: 3 } })
      expect(await accounts.authenticate(secret, at(3))).toMatchObject({
        limits: { sendsPerSecond: 2 },
        retention: { auditDays: 9, mediaDays: 3 },
      })
      await accounts.applySettings('bp_1', { limits: {}, retention: {} })
      expect(await accounts.authenticate(secret, at(3))).toMatchObject({ limits: {}, retention: {} })
    })

    test('a profile that is being erased gets no key and no change, and its keys are gone', async () => {
      const { secret } = await created()
      expect(await accounts.markErasing('bp_1', at(1))).toEqual({ kind: 'marked' })
      expect(await accounts.createApiKey(newKey, at(2))).toEqual({ kind: 'not_found' })
      expect(await accounts.updateBusinessProfile('bp_1', { name: 'x' }, at(2))).toEqual({ kind: 'erasing' })
      expect(await accounts.removeApiKeys('bp_1')).toBe(1)
      expect(await accounts.authenticate(secret, at(3))).toEqual({ kind: 'unknown' })
      expect(await accounts.listApiKeys('bp_1')).toEqual([])
      expect(await accounts.markErasing('bp_2', at(1))).toEqual({ kind: 'not_found' })
    })
  })
}

const at = (second: number): string => new Date(Date.UTC(2026, 0, 31, 12, 0, second)).toISOString()
const profile = { businessProfileId: 'bp_1', name: 'Shop', createdAt: at(0) }
const stored = {
  ...profile,
  state: 'active',
  quotas: {},
  limits: {},
  retention: {},
  version: 1,
  updatedAt: at(0),
}
const newKey = { businessProfileId: 'bp_1', label: 'Server', scopes: ['messages:send', 'connections:read'] }
