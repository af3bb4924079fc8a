/**
 * Whether a principal may do one thing to one resource: a pure function over policies, as IAM decides within one account.
 *
 * An explicit deny wins. Else an allow in an identity policy or in the resource's own policy is enough. A KMS key is the
 * exception: identity policies count for it only where the key's policy hands the decision to the account.
 */
import { type ConditionContext, conditionHolds } from './conditions.ts'
import type { PolicyDocument, Statement } from './policy.ts'
import { matchesWildcard } from './wildcard.ts'

export type Caller =
  | { readonly kind: 'role'; readonly arn: string; readonly account: string }
  | { readonly kind: 'service'; readonly service: string; readonly account: string }

export interface AccessRequest {
  /** e.g. `dynamodb:PutItem` */
  readonly action: string
  readonly resource: string
  readonly context: ConditionContext
}

export type Decision =
  | { readonly kind: 'allowed' }
  | {
      readonly kind: 'refused'
      readonly because: 'no policy allows it' | 'a policy denies it'
      readonly policy?: string
    }

export function decide(
  caller: Caller,
  request: AccessRequest,
  identityPolicies: readonly PolicyDocument[],
  resourcePolicies: readonly PolicyDocument[],
): Decision {
  const context = withCaller(request.context, caller)
  const identity = matching(identityPolicies, request, context)
  const resource = matching(resourcePolicies, request, context)
  const denial =
    identity.find(({ statement }) => statement.effect === 'Deny') ??
    resource.find(({ statement }) => statement.effect === 'Deny' && namesCaller(statement, caller))
  if (denial !== undefined) return { kind: 'refused', because: 'a policy denies it', policy: denial.policy }
  if (resource.some(({ statement }) => statement.effect === 'Allow' && namesCaller(statement, caller)))
    return { kind: 'allowed' }
  const delegated =
    !request.action.startsWith('kms:') ||
    resource.some(({ statement }) => statement.effect === 'Allow' && namesAccount(statement, caller.account))
  if (delegated && identity.some(({ statement }) => statement.effect === 'Allow')) return { kind: 'allowed' }
  return { kind: 'refused', because: 'no policy allows it' }
}

function matching(
  policies: readonly PolicyDocument[],
  request: AccessRequest,
  context: ConditionContext,
): readonly { readonly policy: string; readonly statement: Statement }[] {
  const found: { policy: string; statement: Statement }[] = []
  for (const policy of policies) {
    for (const statement of policy.statements) {
      if (applies(statement, request, context)) found.push({ policy: policy.name, statement })
    }
  }
  return found
}

/** Action names are compared without regard to case, resources with it. */
function applies(statement: Statement, request: AccessRequest, context: ConditionContext): boolean {
  const action = request.action.toLowerCase()
  const { actions, resources } = statement
  return (
    actions.patterns.some((pattern) => matchesWildcard(action, pattern.toLowerCase())) !== actions.not &&
    resources.patterns.some((pattern) => matchesWildcard(request.resource, pattern)) !== resources.not &&
    statement.conditions.every((condition) =>
      conditionHolds(condition.operator, condition.key, condition.values, context),
    )
  )
}

/** An account's root in an allow only delegates to identity policies; in a deny it means everybody of the account. */
function namesCaller(statement: Statement, caller: Caller): boolean {
  const { principal } = statement
  if (principal === undefined) return false
  if (principal.kind === 'any') return true
  if (caller.kind === 'service') return principal.services.includes(caller.service)
  return principal.aws.includes(caller.arn) || (statement.effect === 'Deny' && namesAccount(statement, caller.account))
}

function namesAccount(statement: Statement, account: string): boolean {
  const { principal } = statement
  if (principal?.kind !== 'some') return false
  return principal.aws.some((entry) => entry === account || entry === `arn:aws:iam::${account}:root`)
}

/** Local HTTP stands for TLS: a policy that refuses plain HTTP is about the way to AWS, not about the loopback interface. */
function withCaller(context: ConditionContext, caller: Caller): ConditionContext {
  return {
    'aws:securetransport': ['true'],
    's3:tlsversion': ['1.3'],
    'aws:resourceaccount': [caller.account],
    'kms:calleraccount': [caller.account],
    ...(caller.kind === 'role'
      ? { 'aws:principalarn': [caller.arn], 'aws:principalaccount': [caller.account] }
      : { 'aws:sourceaccount': [caller.account] }),
    ...context,
  }
}
