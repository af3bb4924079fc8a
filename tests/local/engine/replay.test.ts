import { expect, it } from 'vitest'
import { createInvocations } from '../../../local/engine/functions/invocations.ts'
import { createAccess } from '../../../local/engine/iam/access.ts'
import { createLedger } from '../../../local/engine/iam/ledger.ts'
import { readPolicy } from '../../../local/engine/iam/policy.ts'
import type { Model } from '../../../local/engine/template/specs.ts'
import { Replay } from '../../end-to-end/replay.ts'
import { recordingLog } from './recording-log.ts'

const account = '000000000000'
const table = `arn:aws:dynamodb:us-east-1:${account}:table/items`
const [fn, fallback] = ['show', 'fallback'].map((name) => `arn:aws:lambda:us-east-1:${account}:function:${name}`) as [
  string,
  string,
]
const source = { service: 'apigateway.amazonaws.com', sourceArn: 'arn:aws:execute-api:x:y:api/live/GET/items' } as const
const keys = (prefix: string) => ({ 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${prefix}#*`] } })

interface Wires {
  readonly actions?: readonly string[]
  readonly prefix?: string
  readonly routes?: readonly string[]
  readonly permission?: boolean
}

function model({ actions = ['GetItem', 'PutItem'], prefix, routes = ['GET /items/{id}'], permission = true }: Wires) {
  const statement = {
    Effect: 'Allow',
    Action: actions.map((action) => `dynamodb:${action}`),
    Resource: table,
    ...(prefix === undefined ? {} : { Condition: keys(prefix) }),
  }
  const policies =
    actions.length === 0
      ? []
      : [readPolicy({ Version: '2012-10-17', Statement: [statement] }, 'own', 'identity', 'own')]
  const found: Partial<Model> = {
    account,
    roles: [{ arn: `arn:aws:iam::${account}:role/show`, name: 'show', services: [], policies }],
    resourcePolicies: [],
    permissions: permission
      ? [fn, fallback].map((functionArn) => ({ functionArn, service: source.service }))
      : [{ functionArn: fallback, service: source.service }],
    httpApis: [
      {
        apiId: 'api',
        routes: [
          ...routes.map((routeKey) => ({ routeKey, functionArn: fn })),
          { routeKey: '$default', functionArn: fallback },
        ],
      },
    ] as unknown as Model['httpApis'],
  }
  return found as Model
}

/** What a run leaves in which one item was read and one route was called. */
function recorded() {
  const whole = model({})
  const [ledger, invocations] = [createLedger(), createInvocations()]
  const access = createAccess({ model: whole, ledger, enforce: true, log: recordingLog() })
  const [role] = whole.roles
  if (role === undefined) throw new Error('the model has no role')
  for (const id of ['1', '2', '3']) {
    access.judge({ kind: 'role', title: 'show', role }, [
      { action: 'dynamodb:GetItem', resource: table, context: { 'dynamodb:leadingkeys': [`audit#${id}`] } },
    ])
  }
  access.judge({ kind: 'role', title: 'show', role }, [{ action: 'dynamodb:DeleteItem', resource: table, context: {} }])
  const http = { method: 'GET', path: '/items/7' }
  const event = { requestContext: { apiId: 'api', routeKey: 'GET /items/{id}', http } }
  invocations.record(fn, event, source, { kind: 'ok', payload: null })
  return { allowed: ledger.allowed(), invocations: invocations.list() }
}

it('a run keeps one call of each kind, and none that was refused', () => {
  expect(recorded().allowed).toEqual([
    expect.objectContaining({ request: expect.objectContaining({ action: 'dynamodb:GetItem' }), owner: table }),
  ])
})

it.each<[string, Wires, RegExp | undefined]>([
  ['nothing', {}, undefined],
  ['a grant that was used', { actions: ['PutItem'] }, /not authorized to perform: dynamodb:GetItem/],
  ['a grant that was not', { actions: ['GetItem'] }, undefined],
  ['all grants', { actions: [] }, /no identity-based policy allows/],
  ['the keys that were asked for', { prefix: 'rate' }, /not authorized/],
  ['other keys', { prefix: 'audit' }, undefined],
  ['the permission', { permission: false }, /may not invoke/],
  ['the route', { routes: [] }, /GET \/items\/7 goes to \$default/],
  [
    'the route, where another takes the path to the same function',
    { routes: ['GET /{any+}'] },
    /goes to GET \/\{any\+\}/,
  ],
])('without %s', (_, wires, refusal) => {
  const replay = new Replay(recorded(), model({}))
  const why = replay.refused(model(wires))
  if (refusal === undefined) expect(why).toBeUndefined()
  else expect(why).toMatch(refusal)
})

it('what the whole template would refuse was recorded under another one, and shows nothing', () => {
  const replay = new Replay(recorded(), model({ actions: ['PutItem'], permission: false }))
  expect(replay.refused(model({ actions: [] }))).toBeUndefined()
  expect(replay.invoked(fn)).toBe(false)
})
