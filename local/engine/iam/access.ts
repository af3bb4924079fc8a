/** Judges and records a call: the one place where the template's policies meet the calls. */
import type { EngineLog } from '../contracts.ts'
import type { Model, ResourcePolicySpec } from '../template/specs.ts'
import { type AccessRequest, type Caller, decide } from './decide.ts'
import type { Ledger } from './ledger.ts'
import type { PolicyDocument } from './policy.ts'
import { type Principal, principalName } from './principals.ts'

export type Verdict = { readonly kind: 'allowed' } | { readonly kind: 'refused'; readonly message: string }

export interface Access {
  /** All of the requests that a call stands for; the first that is refused decides. `owner`: the ARN whose policy counts. */
  judge(principal: Principal, requests: readonly (AccessRequest & { readonly owner?: string })[]): Verdict
}

export function createAccess(options: {
  readonly model: Pick<Model, 'account' | 'resourcePolicies'>
  readonly ledger: Ledger
  readonly enforce: boolean
  readonly log: EngineLog
}): Access {
  const { model, ledger, enforce, log } = options
  const policies = groupByResource(model.resourcePolicies)
  const told = new Set<string>()
  return {
    judge(principal, requests) {
      let verdict: Verdict = { kind: 'allowed' }
      for (const request of requests) {
        const allowed = isAllowed(
          principal,
          request,
          model.account,
          policies.get(request.owner ?? request.resource) ?? [],
        )
        ledger.record({
          at: new Date().toISOString(),
          role: principalName(principal),
          by: principal.title,
          action: request.action,
          resource: request.resource,
          allowed: allowed.kind === 'allowed',
        })
        if (allowed.kind === 'allowed' && principal.kind !== 'root') {
          const caller =
            principal.kind === 'role'
              ? ({ kind: 'role', name: principal.role.name } as const)
              : ({ kind: 'service', service: principal.service, sourceArn: principal.sourceArn } as const)
          const { action, resource, context, owner = resource } = request
          ledger.recordAllowed({ caller, request: { action, resource, context }, owner })
        }
        if (allowed.kind === 'allowed' || verdict.kind === 'refused') continue
        const message = refusal(principal, request, allowed.because, model.account)
        if (!told.has(message)) log.error(principal.title, enforce ? message : `${message} (let through: --no-iam)`)
        told.add(message)
        if (enforce) verdict = { kind: 'refused', message }
      }
      return verdict
    },
  }
}

function isAllowed(
  principal: Principal,
  request: AccessRequest,
  account: string,
  resourcePolicies: readonly PolicyDocument[],
): ReturnType<typeof decide> {
  if (principal.kind === 'root') return { kind: 'allowed' }
  const caller: Caller =
    principal.kind === 'role'
      ? { kind: 'role', arn: principal.role.arn, account }
      : { kind: 'service', service: principal.service, account }
  const context =
    principal.kind === 'service' ? { ...request.context, 'aws:sourcearn': [principal.sourceArn] } : request.context
  return decide(
    caller,
    { ...request, context },
    principal.kind === 'role' ? principal.role.policies : [],
    resourcePolicies,
  )
}

/** The sentence that AWS answers with. */
function refusal(principal: Principal, request: AccessRequest, because: string, account: string): string {
  const who =
    principal.kind === 'role'
      ? `arn:aws:sts::${account}:assumed-role/${principal.role.name}/local`
      : principalName(principal)
  const why =
    because === 'a policy denies it'
      ? 'with an explicit deny in a policy'
      : `because no identity-based policy allows the ${request.action} action`
  return `User: ${who} is not authorized to perform: ${request.action} on resource: ${request.resource} ${why}`
}

function groupByResource(specs: readonly ResourcePolicySpec[]): ReadonlyMap<string, readonly PolicyDocument[]> {
  const grouped = new Map<string, PolicyDocument[]>()
  for (const { resourceArn, policy } of specs) grouped.set(resourceArn, [...(grouped.get(resourceArn) ?? []), policy])
  return grouped
}
