import type { StackTemplate } from '../../local/engine/template/assembly.ts'

// biome-ignore lint/suspicious/noExplicitAny: a CloudFormation template is JSON of many shapes
type Json = any

export type MutationKind = 'mapping' | 'route' | 'permission' | 'grant' | 'environment'

/** One wire of the synthesized template taken away. */
export interface Mutation {
  readonly kind: MutationKind
  /** Stack, logical id and what of it, e.g. `Holdfast-dev-ControlPlane/LivePublish… LIVE_TABLE`. Of a grant: number of the statement, resource, action. */
  readonly name: string
  apply(stacks: readonly StackTemplate[]): readonly StackTemplate[]
}

const resourceKinds: Readonly<Record<string, MutationKind>> = {
  'AWS::Lambda::EventSourceMapping': 'mapping',
  'AWS::ApiGatewayV2::Route': 'route',
  'AWS::Lambda::Permission': 'permission',
}

/** Where resources say themselves who may use them; each allowing statement is one grant. */
const resourcePolicies: Readonly<Record<string, string>> = {
  'AWS::SQS::QueuePolicy': 'PolicyDocument',
  'AWS::S3::BucketPolicy': 'PolicyDocument',
  'AWS::KMS::Key': 'KeyPolicy',
}

/** The stacks with `change` done to a copy of the named one. */
function changed(stackName: string, change: (resources: Json) => void) {
  return (stacks: readonly StackTemplate[]): readonly StackTemplate[] =>
    stacks.map((stack) => {
      if (stack.stackName !== stackName) return stack
      const template: Json = structuredClone(stack.template)
      change(template.Resources)
      return { ...stack, template }
    })
}

/** Removes the resource and every `DependsOn` that names it. */
function without(logicalId: string) {
  return (resources: Json) => {
    delete resources[logicalId]
    for (const resource of Object.values<Json>(resources)) {
      if (Array.isArray(resource.DependsOn)) {
        resource.DependsOn = resource.DependsOn.filter((name: string) => name !== logicalId)
      }
    }
  }
}

/** A resource of a policy without what every one has; of several the first, and how many more. */
function shown(resource: Json): string {
  if (typeof resource === 'string') return resource
  if (Array.isArray(resource))
    return [shown(resource[0]), ...(resource.length > 1 ? [resource.length - 1] : [])].join('+')
  const [[intrinsic, value]] = Object.entries<Json>(resource) as [[string, Json]]
  switch (intrinsic) {
    case 'Fn::GetAtt':
      return value[0]
    case 'Fn::ImportValue':
      return value.replace(/^.*ExportsOutput(FnGetAtt|Ref)/, '')
    case 'Fn::Join':
      return value[1].map(shown).join(value[0])
    default:
      return String(value)
  }
}

/** Every mapping, route, Lambda permission, granted action and environment entry, each as the mutation that removes it. */
export function mutationsOf(stacks: readonly StackTemplate[]): readonly Mutation[] {
  return stacks.flatMap(({ stackName, template }) =>
    Object.entries<Json>((template as Json).Resources).flatMap(([logicalId, resource]): Mutation[] => {
      const named = (what: string) => `${stackName}/${logicalId}${what}`
      const kind = resourceKinds[resource.Type]
      if (kind !== undefined) {
        const of = resource.Properties.RouteKey ?? resource.Properties.FunctionName?.['Fn::GetAtt']?.[0]
        return [{ kind, name: named(of === undefined ? '' : ` ${of}`), apply: changed(stackName, without(logicalId)) }]
      }
      if (resource.Type === 'AWS::IAM::Policy') {
        return resource.Properties.PolicyDocument.Statement.flatMap((statement: Json, at: number) =>
          [statement.Action].flat().map((action: string) => ({
            kind: 'grant',
            name: named(` ${at} ${shown(statement.Resource)} ${action}`),
            apply: changed(stackName, (resources) => {
              const document = resources[logicalId].Properties.PolicyDocument
              const left = [statement.Action].flat().filter((other: string) => other !== action)
              if (left.length > 0) document.Statement[at].Action = left
              else document.Statement.splice(at, 1)
            }),
          })),
        )
      }
      const ownPolicy = resourcePolicies[resource.Type]
      if (ownPolicy !== undefined) {
        const statements: readonly Json[] = resource.Properties[ownPolicy]?.Statement ?? []
        return statements.flatMap((statement, at): Mutation[] =>
          statement.Effect !== 'Allow'
            ? []
            : [
                {
                  kind: 'grant',
                  name: named(` ${at} ${[statement.Action].flat().join(' ')}`),
                  apply: changed(stackName, (resources) => {
                    resources[logicalId].Properties[ownPolicy].Statement.splice(at, 1)
                  }),
                },
              ],
        )
      }
      if (resource.Type === 'AWS::Lambda::Function') {
        return Object.keys(resource.Properties.Environment?.Variables ?? {}).map((entry) => ({
          kind: 'environment',
          name: named(` ${entry}`),
          apply: changed(stackName, (resources) => {
            delete resources[logicalId].Properties.Environment.Variables[entry]
          }),
        }))
      }
      if (resource.Type === 'AWS::ECS::TaskDefinition') {
        const entries: readonly { Name: string }[] = resource.Properties.ContainerDefinitions[0].Environment
        return entries.map(({ Name }) => ({
          kind: 'environment',
          name: named(` ${Name}`),
          apply: changed(stackName, (resources) => {
            const container = resources[logicalId].Properties.ContainerDefinitions[0]
            container.Environment = container.Environment.filter((entry: { Name: string }) => entry.Name !== Name)
          }),
        }))
      }
      return []
    }),
  )
}
