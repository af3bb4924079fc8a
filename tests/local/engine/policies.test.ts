import { describe, expect, it } from 'vitest'
import { type AccessRequest, type Caller, decide } from '../../../local/engine/iam/decide.ts'
import { readPolicy } from '../../../local/engine/iam/policy.ts'

const ACCOUNT = '000000000000'
const ROLE: Caller = { kind: 'role', arn: `arn:aws:iam::${ACCOUNT}:role/worker`, account: ACCOUNT }
const EVENTS: Caller = { kind: 'service', service: 'events.amazonaws.com', account: ACCOUNT }
const TABLE = 'arn:aws:dynamodb:us-east-1:000000000000:table/items'
const QUEUE = 'arn:aws:sqs:us-east-1:000000000000:jobs'
const KEY = 'arn:aws:kms:us-east-1:000000000000:key/k'

type Statements = readonly object[]
const identity = (...statements: Statements) => [readPolicy({ Statement: statements }, 'own', 'identity', 'policy')]
const resource = (...statements: Statements) => [readPolicy({ Statement: statements }, 'its', 'resource', 'policy')]
const request = (action: string, on: string, context: AccessRequest['context'] = {}): AccessRequest => ({
  action,
  resource: on,
  context,
})
const allow = (Action: unknown, Resource: unknown, more: object = {}) => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...more,
})
const deny = (Action: unknown, Resource: unknown, more: object = {}) => ({ Effect: 'Deny', Action, Resource, ...more })

describe('identity policies', () => {
  it.each<[string, Statements, AccessRequest, boolean]>([
    ['nothing is allowed by default', [], request('dynamodb:GetItem', TABLE), false],
    [
      'the named action on the named resource',
      [allow('dynamodb:GetItem', TABLE)],
      request('dynamodb:GetItem', TABLE),
      true,
    ],
    ['another action is not', [allow('dynamodb:GetItem', TABLE)], request('dynamodb:PutItem', TABLE), false],
    [
      'an index is not its table',
      [allow('dynamodb:Query', TABLE)],
      request('dynamodb:Query', `${TABLE}/index/byOwner`),
      false,
    ],
    [
      'a table whose name begins alike is not',
      [allow('dynamodb:*', TABLE)],
      request('dynamodb:Query', `${TABLE}2`),
      false,
    ],
    [
      'wildcards in actions, without regard to case',
      [allow('DynamoDB:get*', TABLE)],
      request('dynamodb:GetItem', TABLE),
      true,
    ],
    [
      'wildcards in resources cross slashes',
      [allow('s3:GetObject', 'arn:aws:s3:::b/*')],
      request('s3:GetObject', 'arn:aws:s3:::b/x/y'),
      true,
    ],
    [
      'a question mark is one character',
      [allow('s3:GetObject', 'arn:aws:s3:::b?')],
      request('s3:GetObject', 'arn:aws:s3:::b12'),
      false,
    ],
    [
      'NotAction allows the rest',
      [{ Effect: 'Allow', NotAction: 'dynamodb:Delete*', Resource: '*' }],
      request('dynamodb:GetItem', TABLE),
      true,
    ],
    [
      'NotAction does not allow its own',
      [{ Effect: 'Allow', NotAction: 'dynamodb:Delete*', Resource: '*' }],
      request('dynamodb:DeleteItem', TABLE),
      false,
    ],
    [
      'NotResource',
      [{ Effect: 'Allow', Action: 'sqs:*', NotResource: QUEUE }],
      request('sqs:SendMessage', QUEUE),
      false,
    ],
    [
      'a deny wins',
      [allow('*', '*'), deny('dynamodb:DeleteItem', TABLE)],
      request('dynamodb:DeleteItem', TABLE),
      false,
    ],
  ])('%s', (_, statements, asked, allowed) => {
    expect(decide(ROLE, asked, identity(...statements), []).kind).toBe(allowed ? 'allowed' : 'refused')
  })
})

describe('conditions', () => {
  const keys = (operator: string, expected: unknown, values: readonly string[]) => {
    const statement = allow('dynamodb:GetItem', TABLE, {
      Condition: { [operator]: { 'dynamodb:LeadingKeys': expected } },
    })
    return decide(ROLE, request('dynamodb:GetItem', TABLE, { 'dynamodb:leadingkeys': values }), identity(statement), [])
      .kind
  }
  it.each<[string, unknown, readonly string[], string]>([
    ['StringEquals', 'a', ['a'], 'allowed'],
    ['StringEquals', ['a', 'b'], ['b'], 'allowed'],
    ['StringEquals', 'a', ['b'], 'refused'],
    ['StringEquals', 'a', [], 'refused'],
    ['StringEqualsIfExists', 'a', [], 'allowed'],
    ['StringNotEquals', 'a', ['b'], 'allowed'],
    ['StringNotEquals', 'a', ['a'], 'refused'],
    ['StringLike', 'profile#*', ['profile#1'], 'allowed'],
    ['ForAllValues:StringLike', 'p#*', ['p#1', 'p#2'], 'allowed'],
    ['ForAllValues:StringLike', 'p#*', ['p#1', 'q#2'], 'refused'],
    ['ForAllValues:StringEquals', 'a', [], 'allowed'],
    ['ForAnyValue:StringEquals', 'a', ['b', 'a'], 'allowed'],
    ['ForAnyValue:StringEquals', 'a', [], 'refused'],
    ['Null', 'true', [], 'allowed'],
    ['Null', 'true', ['a'], 'refused'],
  ])('%s %j with %j is %s', (operator, expected, values, decision) => {
    expect(keys(operator, expected, values)).toBe(decision)
  })

  it('an unknown operator is an error that names it when the template is read', () => {
    expect(() => keys('DateLessThan', '2030', [])).toThrow(/DateLessThan/)
  })

  it('an unknown condition key is an error that names it when the template is read', () => {
    expect(() => identity(allow('*', '*', { Condition: { StringEquals: { 'aws:Mystery': 'x' } } }))).toThrow(
      /aws:Mystery/,
    )
  })
})

describe('resource policies', () => {
  it('let a service in for the source that they name, and for no other', () => {
    const policy = resource(
      allow('sqs:SendMessage', QUEUE, {
        Principal: { Service: 'events.amazonaws.com' },
        Condition: { ArnEquals: { 'aws:SourceArn': 'arn:rule/one' } },
      }),
    )
    const from = (rule: string) =>
      decide(EVENTS, request('sqs:SendMessage', QUEUE, { 'aws:sourcearn': [rule] }), [], policy).kind
    expect(from('arn:rule/one')).toBe('allowed')
    expect(from('arn:rule/two')).toBe('refused')
  })

  it('that refuse plain HTTP do not refuse the loopback interface', () => {
    const tls = resource(
      deny('sqs:*', QUEUE, { Principal: { AWS: '*' }, Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
    )
    expect(decide(ROLE, request('sqs:SendMessage', QUEUE), identity(allow('sqs:SendMessage', QUEUE)), tls).kind).toBe(
      'allowed',
    )
  })

  it('of a key decide whether identity policies count for it at all', () => {
    const own = identity(allow('kms:Decrypt', KEY))
    const delegating = resource(allow('kms:*', '*', { Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` } }))
    expect(decide(ROLE, request('kms:Decrypt', KEY), own, delegating).kind).toBe('allowed')
    expect(decide(ROLE, request('kms:Decrypt', KEY), own, []).kind).toBe('refused')
    expect(decide(ROLE, request('kms:Decrypt', KEY), [], delegating).kind).toBe('refused')
  })
})
