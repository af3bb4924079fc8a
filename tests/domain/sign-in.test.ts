import { expect, test } from 'vitest'
import { personOf, type SignInRules } from '../../shared/domain/sign-in.ts'

const rules: SignInRules = {
  businessProfileClaim: 'business_profile_id',
  roleClaim: 'groups',
  roles: { staff: ['messages:send', 'messages:read'], lead: ['connections:write', 'messages:send'], ops: ['admin'] },
  everyone: ['connections:read'],
}
const ada = { sub: 'ada', business_profile_id: 'bp_1' }

test('scopes are those of everybody and of all roles, once each', () => {
  expect(personOf({ ...ada, groups: ['lead', 'staff', 'guests'] }, rules)).toEqual({
    sub: 'ada',
    businessProfileId: 'bp_1',
    scopes: ['connections:read', 'connections:write', 'messages:read', 'messages:send'],
    admin: false,
  })
})

test('who has no role that counts has what everybody has', () => {
  expect(personOf({ ...ada, groups: ['admin', 'connections:write'] }, rules)).toMatchObject({
    scopes: ['connections:read'],
    admin: false,
  })
})

test('the admin role is no scope', () => {
  expect(personOf({ ...ada, groups: 'guests ops' }, rules)).toMatchObject({ scopes: ['connections:read'], admin: true })
})

test.each([
  ['a path', { realm_access: { roles: ['staff'] } }, 'realm_access.roles'],
  ['a name with dots', { 'https://shop.example/roles': ['staff'] }, 'https://shop.example/roles'],
  ['a name with a colon', { 'cognito:groups': ['staff'] }, 'cognito:groups'],
])('roles are found under %s', (_, claims, roleClaim) => {
  expect(personOf({ ...ada, ...claims }, { ...rules, roleClaim })?.scopes).toContain('messages:send')
})

test.each([
  ['several', ['bp_1', 'bp_2']],
  ['none', undefined],
  ['an empty text', ''],
  ['a number', 7],
  ['an object', { id: 'bp_1' }],
  ['something endless', 'x'.repeat(300)],
])('a claim that names %s names no business profile', (_, value) => {
  expect(personOf({ ...ada, business_profile_id: value }, rules)).not.toHaveProperty('businessProfileId')
})

test('a list of one business profile names it', () => {
  expect(personOf({ ...ada, business_profile_id: ['bp_1'] }, rules)).toMatchObject({ businessProfileId: 'bp_1' })
})

test.each([[undefined], [''], [7], ['x'.repeat(256)]])('sub %j is nobody', (sub) => {
  expect(personOf({ ...ada, sub }, rules)).toBeUndefined()
})

test('what every object inherits is neither a claim nor a role', () => {
  const groups = ['constructor', '__proto__', 'toString']
  expect(personOf({ ...ada, groups }, rules)).toMatchObject({ scopes: ['connections:read'], admin: false })
  const path = 'constructor.name'
  expect(personOf(ada, { ...rules, businessProfileClaim: path })).not.toHaveProperty('businessProfileId')
})
