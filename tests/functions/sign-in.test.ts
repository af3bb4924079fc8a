import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { BearerTokens as Tokens } from '../../functions/http/bearer-tokens.ts'
import { type Issuer, newKey, type SignedWith, startIssuer } from '../sign-in/issuer.ts'
import { adminApiKey, type Cloud, startCloud } from './cloud.ts'
import { type RestClient, type RestRequest, restClient } from './rest-client.ts'
import { createTenant } from './tenant.ts'

let cloud: Cloud
let issuer: Issuer
let other: Issuer
let call: RestClient
let shop: Awaited<ReturnType<typeof createTenant>>
let bakery: typeof shop

const audience = 'holdfast-api'
const now = () => Math.floor(Date.now() / 1_000)
const claims = (more: object = {}) => ({
  iss: issuer.url,
  aud: audience,
  sub: 'ada',
  exp: now() + 300,
  profile: shop.businessProfileId,
  groups: ['staff'],
  ...more,
})
const token = (more: object = {}, how: SignedWith = {}) => issuer.sign(claims(more), how)
const as = (bearer: string, more: Omit<RestRequest, 'headers'> = {}): RestRequest => ({
  ...more,
  headers: { authorization: `Bearer ${bearer}` },
})

beforeAll(async () => {
  ;[cloud, issuer, other] = await Promise.all([startCloud(), startIssuer(), startIssuer()])
  process.env.SIGN_IN = JSON.stringify({
    issuer: issuer.url,
    audience,
    businessProfileClaim: 'profile',
    roleClaim: 'groups',
    roles: { staff: ['connections:read', 'connections:write', 'live', 'keys', 'audit'], ops: ['admin'] },
    everyone: [],
  })
  call = await restClient()
  shop = await createTenant(call)
  bakery = await createTenant(call, 'Bakery')
})
afterAll(async () => {
  delete process.env.SIGN_IN
  await Promise.all([cloud?.stop(), issuer?.stop(), other?.stop()])
})

describe('a person with a token', () => {
  test('sees and changes what is of their business profile, as far as their roles go', async () => {
    const made = await call('POST', '/connections', as(await token(), { body: { label: 'Till' } }))
    expect(made).toMatchObject({ status: 201, json: { label: 'Till' } })
    const path = `/connections/${made.json.connectionId}`
    expect((await call('GET', path, as(await token()))).status).toBe(200)
    expect((await call('GET', path, { key: shop.key })).status).toBe(200)
    const foreign = await token({ profile: bakery.businessProfileId })
    expect((await call('GET', path, as(foreign))).json.code).toBe('connection_not_found')
    expect(await call('GET', `${path}/messages`, as(await token()))).toMatchObject({
      status: 403,
      json: { code: 'wrong_scope', detail: 'This call needs the scope messages:read.' },
    })
  })

  test('makes no key that may do more than they', async () => {
    const more = await call('POST', '/api-keys', as(await token(), { body: { label: 'All' } }))
    expect(more).toMatchObject({ status: 403, json: { code: 'wrong_scope' } })
    const same = await call('POST', '/api-keys', as(await token(), { body: { label: 'Few', scopes: ['live'] } }))
    expect(same.status).toBe(201)
  })

  test('gets a ticket for the live API', async () => {
    expect((await call('POST', '/live/tickets', as(await token()))).json).toMatchObject({ url: 'wss://live.test/live' })
  })

  test('stands in the audit log by the provider’s id, and the token nowhere', async () => {
    const bearer = await token({ sub: 'grace' })
    await call('POST', '/connections', as(bearer, { body: { label: 'Door' } }))
    const trail = await call('GET', '/audit', as(bearer))
    expect(trail.json.items[0]).toMatchObject({
      by: { kind: 'person', sub: 'grace' },
      operationId: 'createConnection',
    })
    expect(trail.text).not.toContain(bearer.slice(-20))
  })

  test('is limited as a key is, each person by themselves', async () => {
    const limits = { requestsPerSecond: 1 }
    const profile = await createTenant(call, 'Busy')
    const busy = `/admin/business-profiles/${profile.businessProfileId}`
    await call('PATCH', busy, { key: adminApiKey, body: { limits } })
    const bearer = await token({ sub: 'hasty', profile: profile.businessProfileId })
    const answers = []
    for (let n = 0; n < 8; n++) answers.push(await call('GET', '/connections', as(bearer)))
    expect(answers.find(({ status }) => status === 429)).toMatchObject({
      json: { code: 'rate_limited' },
      headers: { 'retry-after': expect.any(String) },
    })
    const calm = await token({ sub: 'calm', profile: profile.businessProfileId })
    expect((await call('GET', '/connections', as(calm))).status).toBe(200)
  })

  test('is an administrator by a role, also beside a business profile, and named where they change something', async () => {
    const both = await token({ sub: 'root', groups: ['staff', 'ops'] })
    expect((await call('GET', '/connections', as(both))).status).toBe(200)
    const made = await call('POST', '/admin/business-profiles', as(both, { body: { name: 'New' } }))
    expect(made.status).toBe(201)
    const only = await token({ sub: 'root', groups: ['ops'], profile: undefined })
    const trail = await call('GET', `/admin/business-profiles/${made.json.businessProfileId}/audit`, as(only))
    expect(trail.status).toBe(200)
    const service = await call('GET', '/admin/audit', as(only))
    expect(service.json.items[0]).toMatchObject({ by: { kind: 'admin', sub: 'root' } })
    expect((await call('GET', '/connections', as(only))).json.code).toBe('wrong_scope')
    expect((await call('GET', '/admin/business-profiles', as(await token()))).json).toMatchObject({
      code: 'wrong_scope',
      detail: 'This call needs an administrator.',
    })
  })

  test('without a business profile, with one that is not there, or without a role has no access', async () => {
    for (const more of [{ profile: undefined }, { profile: 'bp_none' }, { groups: [] }]) {
      expect((await call('GET', '/connections', as(await token(more)))).json).toMatchObject({
        code: 'wrong_scope',
        detail: 'Your account has no access to a business profile.',
      })
    }
  })

  test('is refused once their business profile is being erased', async () => {
    const gone = await createTenant(call, 'Gone')
    await call('DELETE', `/admin/business-profiles/${gone.businessProfileId}`, { key: adminApiKey })
    const late = await token({ profile: gone.businessProfileId })
    expect((await call('GET', '/connections', as(late))).json.code).toBe('wrong_scope')
  })

  test('who sends a key as well is who the key says', async () => {
    const both = { ...as('rubbish'), key: shop.key }
    expect((await call('GET', '/connections', both)).status).toBe(200)
  })
})

describe('a token is refused', () => {
  const unsigned = (payload: object, header: object) =>
    `${[header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`

  test.each<[string, () => Promise<string> | string]>([
    ['of another issuer, by its own key', () => other.sign(claims({ iss: other.url }))],
    ['that names this issuer and is signed by another', () => other.sign(claims())],
    ['that names another issuer', () => token({ iss: other.url })],
    ['for another audience', () => token({ aud: 'somebody-else' })],
    ['without any audience', () => token({ aud: undefined })],
    ['for another client, where it names no audience', () => token({ aud: undefined, client_id: 'somebody-else' })],
    ['that is not valid yet', () => token({ nbf: now() + 600 })],
    ['that never ends', () => token({ exp: undefined })],
    ['of nobody', () => token({ sub: undefined })],
    ['signed by nobody', () => unsigned(claims(), { alg: 'none' })],
    [
      'signed with the public key as a secret',
      async () => {
        const { SignJWT } = await import('jose')
        const key = await newKey()
        return new SignJWT(claims())
          .setProtectedHeader({ alg: 'HS256' })
          .sign(new TextEncoder().encode(JSON.stringify(key.published)))
      },
    ],
    ['of an unknown key', async () => token({}, { key: await newKey() })],
    ['that is no sign-in', () => token({}, { header: { typ: 'logout+jwt' } })],
    [
      'that was changed',
      async () => {
        const [head, , signature] = (await token()).split('.')
        const changed = Buffer.from(JSON.stringify(claims({ groups: ['ops'] }))).toString('base64url')
        return [head, changed, signature].join('.')
      },
    ],
    ['that is none', () => 'rubbish'],
  ])('%s', async (_, make) => {
    const answer = await call('GET', '/connections', as(await make()))
    expect(answer).toMatchObject({
      status: 401,
      json: { code: 'invalid_token' },
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    })
    expect((await call('GET', '/admin/business-profiles', as(await make()))).json.code).toBe('invalid_token')
  })

  test('that has ended, in so many words', async () => {
    expect((await call('GET', '/connections', as(await token({ exp: now() - 60 })))).json).toMatchObject({
      code: 'invalid_token',
      detail: 'The bearer token has ended.',
    })
  })

  test('that is none of a bearer, as if there were nothing', async () => {
    const basic = { headers: { authorization: `Basic ${await token()}` } }
    expect((await call('GET', '/connections', basic)).json.code).toBe('missing_api_key')
  })
})

describe('the keys of the provider', () => {
  let BearerTokens: typeof Tokens
  beforeAll(async () => {
    ;({ BearerTokens } = await import('../../functions/http/bearer-tokens.ts'))
  })
  let tokens: Tokens
  beforeEach(() => {
    const rules = { businessProfileClaim: 'profile', roles: {}, everyone: ['live'] }
    tokens = new BearerTokens({ issuer: issuer.url, audience, ...rules }, { keysAgainMs: 0 })
  })
  const kind = async (bearer: string, atMs = Date.now()) => (await tokens.identify(bearer, atMs)).kind

  test('are asked for once, not for every token', async () => {
    const before = { ...issuer.asked }
    for (let n = 0; n < 5; n++) expect(await kind(await token({ sub: `person-${n}` }))).toBe('person')
    expect(issuer.asked).toEqual({ discovery: before.discovery + 1, keys: before.keys + 1 })
  })

  test('may be replaced at any time', async () => {
    const old = await token()
    expect(await kind(old)).toBe('person')
    await issuer.rotate('old-too')
    expect(await kind(await token())).toBe('person')
    expect(await kind(old)).toBe('person')
    await issuer.rotate('new-only')
    expect(await kind(await token())).toBe('person')
    expect(await kind(old)).toBe('invalid')
  })

  test('are not asked for at once again for tokens that name an unknown one', async () => {
    const signIn = { issuer: issuer.url, audience, businessProfileClaim: 'profile', roles: {}, everyone: [] }
    tokens = new BearerTokens(signIn)
    expect(await kind(await token())).toBe('person')
    const before = issuer.asked.keys
    const unknown = await token({}, { key: await newKey() })
    for (let n = 0; n < 5; n++) expect(await kind(unknown)).toBe('invalid')
    expect(issuer.asked.keys).toBe(before)
  })

  test('that cannot be had are our trouble, not the caller’s, and are asked for again later', async () => {
    const bearer = await token({ exp: now() + 600 })
    issuer.answers(false)
    expect(await kind(bearer)).toBe('unavailable')
    issuer.answers(true)
    expect(await kind(bearer)).toBe('unavailable')
    expect(await kind(bearer, Date.now() + 6_000)).toBe('person')
  })

  test('of a provider that calls itself something else are not taken', async () => {
    const rules = { businessProfileClaim: 'profile', roles: {}, everyone: ['live'] }
    tokens = new BearerTokens({ issuer: `${issuer.url}/`, audience, ...rules })
    expect(await kind(await token({ iss: `${issuer.url}/` }))).toBe('unavailable')
  })

  test('say who a token without an audience is for by its client', async () => {
    expect(await kind(await token({ aud: undefined, client_id: audience }))).toBe('person')
  })
})
