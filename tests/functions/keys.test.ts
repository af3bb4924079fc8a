import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { adminApiKey, type Cloud, startCloud } from './cloud.ts'
import { type RestClient, restClient } from './rest-client.ts'
import { createTenant } from './tenant.ts'

let cloud: Cloud
let call: RestClient
let key: string
let businessProfileId: string

beforeAll(async () => {
  cloud = await startCloud()
  call = await restClient()
  ;({ key, businessProfileId } = await createTenant(call))
})
afterAll(() => cloud?.stop())

describe('keys', () => {
  test('without a key, with a wrong one, with one for something else', async () => {
    expect(await call('GET', '/connections')).toMatchObject({ status: 401, json: { code: 'missing_api_key' } })
    expect(await call('GET', '/connections', { key: 'wrong' })).toMatchObject({
      status: 401,
      json: { code: 'invalid_api_key' },
    })
    expect(await call('GET', '/connections', { key: adminApiKey })).toMatchObject({
      status: 403,
      json: { code: 'wrong_scope' },
    })
    expect(await call('POST', '/admin/business-profiles', { key, body: { name: 'x' } })).toMatchObject({
      status: 403,
      json: { code: 'wrong_scope' },
    })
  })

  test('the key is looked at before the body', async () => {
    expect((await call('POST', '/connections', { body: '{' })).status).toBe(401)
  })

  test('the admin key is read from its secret once, not for every call', async () => {
    const before = cloud.services.secretReads()
    await call('GET', '/admin/business-profiles', { key: adminApiKey })
    await call('GET', '/admin/business-profiles', { key: 'another' })
    expect(cloud.services.secretReads()).toBe(before)
  })

  test('a key is shown once, listed without itself, and refused after it was revoked', async () => {
    const made = await createTenant(call, 'Keys')
    const at = `/admin/business-profiles/${made.businessProfileId}/api-keys`
    const listed = await call('GET', at, { key: adminApiKey })
    expect(listed.json.items).toMatchObject([{ keyId: made.keyId, label: 'default', scopes: ['tenant:*'] }])
    expect(listed.text).not.toContain(made.key)
    const revoked = await call('DELETE', `${at}/${made.keyId}`, { key: adminApiKey })
    expect([revoked.status, revoked.text]).toEqual([204, ''])
    expect((await call('GET', '/connections', { key: made.key })).json.code).toBe('invalid_api_key')
    expect((await call('DELETE', `${at}/none`, { key: adminApiKey })).json.code).toBe('api_key_not_found')
  })

  /** Of a key that is in use, so that it is remembered. */
  const code = async (used: string) => (await call('GET', '/connections', { key: used })).json.code
  const later = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1_000 })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('a key that is in use is refused within a minute after it was revoked', async () => {
    const made = await createTenant(call)
    expect(await code(made.key)).toBeUndefined()
    await call('DELETE', `/admin/business-profiles/${made.businessProfileId}/api-keys/${made.keyId}`, {
      key: adminApiKey,
    })
    later(59)
    expect(await code(made.key)).toBe('invalid_api_key')
  })

  test('a key that is in use ends at its second; a rotated one goes on until then, beside the new one', async () => {
    const made = await createTenant(call)
    const path = `/admin/business-profiles/${made.businessProfileId}/api-keys/${made.keyId}/rotate`
    const rotated = await call('POST', path, { key: adminApiKey, body: { overlapSeconds: 20 } })
    const both = async () => [await code(made.key), await code(rotated.json.apiKey)]
    expect(await both()).toEqual([undefined, undefined])
    later(15)
    expect(await both()).toEqual([undefined, undefined])
    later(6)
    expect(await both()).toEqual(['invalid_api_key', undefined])
  })

  test('business profiles are listed in pages', async () => {
    const names = ['A', 'B', 'C']
    for (const name of names) await createTenant(call, name)
    const found: string[] = []
    let next: string | undefined
    do {
      const page = await call('GET', '/admin/business-profiles', {
        key: adminApiKey,
        query: { limit: '2', ...(next ? { next } : {}) },
      })
      expect(page.json.items.length).toBeLessThanOrEqual(2)
      found.push(...page.json.items.map((item: { name: string }) => item.name))
      next = page.json.next
    } while (next !== undefined)
    expect(found).toEqual(expect.arrayContaining(names))
    expect((await call('GET', `/admin/business-profiles/${businessProfileId}`, { key: adminApiKey })).json.name).toBe(
      'Shop',
    )
    expect((await call('GET', '/admin/business-profiles/bp_none', { key: adminApiKey })).json.code).toBe(
      'business_profile_not_found',
    )
  })
})

describe('open to everybody', () => {
  test('health and the description of the API need no key', async () => {
    expect((await call('GET', '/health')).json).toMatchObject({ status: 'ok' })
    expect((await call('GET', '/openapi.json')).json.openapi).toBe('3.1.0')
  })

  test('an unknown path is not found; a known path with another method says which it has', async () => {
    expect(await call('GET', '/nothing')).toMatchObject({ status: 404, json: { code: 'not_found' } })
    expect(await call('PUT', '/connections/con_1')).toMatchObject({
      status: 405,
      json: { code: 'method_not_allowed' },
      headers: { allow: 'GET, PATCH, DELETE' },
    })
  })

  test('every answer names its request', async () => {
    const answer = await call('GET', '/nothing')
    expect(answer.json.instance).toBe(answer.headers['x-request-id'])
    expect((await call('GET', '/health')).headers['x-request-id']).toMatch(/^request-/)
  })
})
