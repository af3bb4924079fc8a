import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { buildHoldfast } from '../../infra/build.ts'

/** One statement of a policy of the templates. */
export interface Granted {
  /** Construct path of what it belongs to. */
  readonly at: string
  readonly effect: 'Allow' | 'Deny'
  /** Identity policies say what a role may do; resource policies who may come to a resource. */
  readonly kind: 'identity' | 'resource' | 'trust'
  readonly actions: readonly string[]
  /** As CloudFormation has them: text, or JSON of an intrinsic. */
  readonly resources: readonly string[]
  readonly principal: unknown
  readonly condition: unknown
}

// biome-ignore lint/suspicious/noExplicitAny: CloudFormation properties are whatever the resource says
type Json = any

/** Every statement of every policy in the templates. */
export function grantedStatements(): readonly Granted[] {
  const app = new App({
    outdir: mkdtempSync(join(tmpdir(), 'holdfast-cdk-')),
    context: { 'aws:cdk:bundling-stacks': [] },
  })
  const { stateful, controlPlane, connector } = buildHoldfast(app)
  return [stateful, controlPlane, connector].flatMap((stack) =>
    Object.entries<Json>(Template.fromStack(stack).toJSON().Resources).flatMap(([logicalId, resource]) => {
      const at = `${stack.stackName}/${logicalId}`
      return policiesOf(resource).flatMap(({ kind, document }) =>
        [document.Statement].flat().map((statement: Json) => ({
          at,
          kind,
          effect: statement.Effect,
          actions: [statement.Action].flat(),
          resources: [statement.Resource ?? []].flat().map(text),
          principal: statement.Principal,
          condition: statement.Condition,
        })),
      )
    }),
  )
}

function policiesOf({
  Type,
  Properties,
}: Json): readonly { readonly kind: Granted['kind']; readonly document: Json }[] {
  switch (Type) {
    case 'AWS::IAM::Policy':
    case 'AWS::IAM::ManagedPolicy':
      return [{ kind: 'identity', document: Properties.PolicyDocument }]
    case 'AWS::IAM::Role':
      return [
        { kind: 'trust', document: Properties.AssumeRolePolicyDocument },
        ...(Properties.Policies ?? []).map((policy: Json) => ({ kind: 'identity', document: policy.PolicyDocument })),
      ]
    case 'AWS::SQS::QueuePolicy':
    case 'AWS::S3::BucketPolicy':
    case 'AWS::SNS::TopicPolicy':
      return [{ kind: 'resource', document: Properties.PolicyDocument }]
    case 'AWS::KMS::Key':
      return [{ kind: 'resource', document: Properties.KeyPolicy }]
    default:
      return []
  }
}

function text(value: Json): string {
  if (typeof value === 'string') return value
  const joined = value['Fn::Join']
  if (joined === undefined) return JSON.stringify(value)
  return joined[1].map((part: Json) => (typeof part === 'string' ? part : `<${JSON.stringify(part)}>`)).join(joined[0])
}
