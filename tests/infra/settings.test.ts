import { describe, expect, it } from 'vitest'
import { parseSettings } from '../../infra/settings.ts'

const signIn = { issuer: 'https://login.example.com', clientId: 'console', everyone: ['tenant:*'] }
const certificate = (region: string) =>
  `arn:aws:acm:${region}:123456789012:certificate/00000000-0000-0000-0000-000000000001`
const httpApi = { name: 'api.example.com', certificateArn: certificate('eu-west-1') }
const liveApi = { name: 'live.example.com', certificateArn: certificate('eu-west-1') }
const page = { name: 'holdfast.example.com', certificateArn: certificate('us-east-1') }
const hostedZone = { id: 'Z0123456789', name: 'example.com' }

describe('sign-in by a provider', () => {
  it('needs an issuer, a client and something that people may do', () => {
    expect(parseSettings({ signIn }).signIn).toMatchObject({
      ...signIn,
      token: 'access',
      scope: 'openid profile email',
      businessProfileClaim: 'business_profile_id',
      roles: {},
      origins: [],
    })
  })

  it.each([
    [{ issuer: 'http://login.example.com' }, /signIn\.issuer: must begin with https/],
    [{ issuer: 'http://127.0.0.1:9' }, /signIn\.issuer: must begin with https/],
    [{ issuer: 'http://login.example.com', insecureLoopback: true }, /signIn\.issuer: must begin with https/],
    [{ issuer: 'http://127.0.0.1.example.com', insecureLoopback: true }, /signIn\.issuer: must begin with https/],
    [{ issuer: 'https://login.example.com?tenant=1' }, /signIn\.issuer: must have no query/],
    [{ issuer: 'login' }, /signIn\.issuer: the address of the provider/],
    [{ clientId: undefined }, /signIn\.clientId/],
    [{ scope: 'profile' }, /signIn\.scope: must have openid/],
    [{ everyone: [] }, /signIn\.everyone: nobody could do anything/],
    [{ everyone: ['everything'] }, /signIn\.everyone/],
    [{ everyone: ['admin'] }, /signIn\.everyone/],
    [{ roles: { staff: ['live'] } }, /signIn\.roles: roleClaim and roles belong together/],
    [{ roleClaim: 'groups' }, /signIn\.roles: roleClaim and roles belong together/],
    [{ roleClaim: 'groups', roles: { staff: ['livee'] } }, /signIn\.roles\.staff/],
    [{ origins: ['https://login.example.com/path'] }, /signIn\.origins\.0: the origin/],
    [{ origins: ['*'] }, /signIn\.origins\.0: the origin/],
    [{ token: 'id', audience: 'other' }, /signIn\.audience: id tokens are for the client/],
    [{ secret: 'x' }, /signIn.*secret/],
  ])('%j is refused by name', (change, message) => {
    expect(() => parseSettings({ signIn: { ...signIn, ...change } })).toThrow(message)
  })

  it('takes a provider on this machine where a test says so, and never in production', () => {
    const local = { ...signIn, issuer: 'http://127.0.0.1:9', insecureLoopback: true }
    expect(parseSettings({ signIn: local }).signIn?.issuer).toBe('http://127.0.0.1:9')
    expect(() => parseSettings({ stage: 'production', signIn: local })).toThrow(/signIn\.insecureLoopback/)
  })
})

describe('domains', () => {
  it('may be some or all, with or without a zone', () => {
    const domains = { httpApi, liveApi, console: page, hostedZone }
    expect(parseSettings({ domains }).domains).toEqual(domains)
    expect(parseSettings({ domains: { console: page } }).domains).toEqual({ console: page })
  })

  it.each([
    [{}, /domains: name at least one/],
    [{ hostedZone }, /domains: name at least one/],
    [{ httpApi: { ...httpApi, name: 'API.example.com' } }, /domains\.httpApi\.name: a domain name/],
    [{ httpApi: { ...httpApi, name: 'https://api.example.com' } }, /domains\.httpApi\.name: a domain name/],
    [{ httpApi: { name: 'api.example.com' } }, /domains\.httpApi\.certificateArn/],
    [{ httpApi: { ...httpApi, certificateArn: 'arn:aws:s3:::x' } }, /domains\.httpApi\.certificateArn: the ARN/],
    [
      { console: { ...page, certificateArn: httpApi.certificateArn } },
      /domains\.console\.certificateArn: must be in us-/,
    ],
    [
      { httpApi, liveApi: { ...liveApi, certificateArn: certificate('eu-west-2') } },
      /domains\.liveApi\.certificateArn: must be in the stack's region/,
    ],
    [
      { httpApi, liveApi: { ...liveApi, name: httpApi.name } },
      /domains\.liveApi\.name: api\.example\.com is named twice/,
    ],
    [{ httpApi, hostedZone: { ...hostedZone, name: 'example.org' } }, /domains\.httpApi\.name: is not in the zone/],
    [{ httpApi, hostedZone: { ...hostedZone, name: 'pi.example.com' } }, /domains\.httpApi\.name: is not in the zone/],
  ])('%j is refused by name', (domains, message) => {
    expect(() => parseSettings({ domains })).toThrow(message)
  })
})
