/**
 * All resources of all stacks with names resolved: the evaluator's scope, and typed access to evaluated properties for the
 * readers beside this file.
 */
import type { Assembly, StackTemplate } from './assembly.ts'
import { TemplateError } from './errors.ts'
import { attributeOf, type Identity, identify, inertAttribute, type Naming, type Place } from './identities.ts'
import { conditionHolds, evaluate, type Scope } from './intrinsics.ts'
import { isObject, type JsonObject, objectAt, onlyKeys, optional, stringAt } from './json.ts'
import { isCustom, resourceType } from './resource-types.ts'

export interface Resource {
  /** `Stack/LogicalId` */
  readonly at: string
  readonly logicalId: string
  readonly type: string
  readonly identity: Identity
  /** What a person would call it: the construct's path without its stack and its generated parts. */
  readonly title: string
  /** All properties, evaluated. */
  readonly properties: JsonObject
}

export interface Resources {
  ofType(...types: readonly string[]): readonly Resource[]
  /** Of the types `Custom::…`. */
  custom(): readonly Resource[]
  readonly outputs: Readonly<Record<string, string>>
  readonly inert: readonly { readonly at: string; readonly type: string; readonly reason: string }[]
}

/** The plain text of a secret or a parameter, for `{{resolve:…}}`. */
export type DynamicValues = (service: 'ssm' | 'secretsmanager', id: string, at: string) => string

interface Entry {
  readonly stack: StackTemplate
  readonly naming: Naming
  readonly node: JsonObject
}

export function readResources(
  assembly: Pick<Assembly, 'stacks'>,
  place: Place,
  dynamicValues: DynamicValues,
): Resources {
  const exports = new Map<string, { readonly stack: StackTemplate; readonly value: unknown }>()
  const scopes = new Map<string, Scope>()
  const entries: Entry[] = []
  const inert: { at: string; type: string; reason: string }[] = []

  for (const stack of assembly.stacks) {
    const scope = stackScope(stack, place, exports, scopes, dynamicValues)
    scopes.set(stack.stackName, scope)
  }
  for (const stack of assembly.stacks) {
    const scope = scopes.get(stack.stackName)
    if (scope === undefined) continue
    for (const [name, output] of sectionEntries(stack, 'Outputs')) {
      const exported = objectAt(output, `${stack.stackName}.Outputs.${name}`)
      if (!isObject(exported['Export'])) continue
      const at = `${stack.stackName}.Outputs.${name}`
      const exportName = stringAt(evaluate(exported['Export']['Name'], scope, at), at)
      exports.set(exportName, { stack, value: exported['Value'] })
    }
    for (const [logicalId, value] of sectionEntries(stack, 'Resources')) {
      const at = `${stack.stackName}/${logicalId}`
      const node = objectAt(value, at)
      if (node['Condition'] !== undefined && !conditionHolds({ Condition: node['Condition'] }, scope, at)) continue
      entries.push({ stack, node, naming: namingOf(stack, logicalId, node, scope) })
    }
  }

  const resources = new Map<string, Resource[]>()
  for (const { stack, naming, node } of entries) {
    const at = `${stack.stackName}/${naming.logicalId}`
    const kind = resourceType(naming.type)
    if (kind === undefined) throw new TemplateError(at, `local mode does not know how to run ${naming.type}`)
    if (kind.kind === 'nothing to run') {
      inert.push({ at, type: naming.type, reason: kind.reason })
      continue
    }
    const scope = scopes.get(stack.stackName)
    if (scope === undefined) continue
    const properties = objectAt(evaluate(node['Properties'] ?? {}, scope, at), at)
    if (!isCustom(naming.type)) onlyKeys(properties, [...kind.reads, ...kind.ignores], `${at} (${naming.type})`)
    const title = titleOf(node, naming.logicalId, stack.path)
    const identity = identify(naming, place)
    const list = resources.get(naming.type) ?? []
    list.push({ at, logicalId: naming.logicalId, type: naming.type, identity, title, properties })
    resources.set(naming.type, list)
  }

  const outputs: Record<string, string> = {}
  for (const stack of assembly.stacks) {
    const scope = scopes.get(stack.stackName)
    if (scope === undefined) continue
    for (const [name, output] of sectionEntries(stack, 'Outputs')) {
      const at = `${stack.stackName}.Outputs.${name}`
      const value = evaluate(objectAt(output, at)['Value'], scope, at)
      if (typeof value === 'string') outputs[`${stack.stackName}.${name}`] = value
    }
  }
  return {
    ofType: (...types) => types.flatMap((type) => resources.get(type) ?? []),
    custom: () => [...resources].flatMap(([type, list]) => (isCustom(type) ? list : [])),
    outputs,
    inert,
  }
}

function stackScope(
  stack: StackTemplate,
  place: Place,
  exports: ReadonlyMap<string, { readonly stack: StackTemplate; readonly value: unknown }>,
  scopes: ReadonlyMap<string, Scope>,
  dynamicValues: DynamicValues,
): Scope {
  const section = (name: string): JsonObject => (isObject(stack.template[name]) ? stack.template[name] : {})
  const resource = (logicalId: string): JsonObject | undefined =>
    optional(section('Resources')[logicalId], (node) => objectAt(node, logicalId))
  const pseudo: Readonly<Record<string, unknown>> = {
    'AWS::AccountId': place.account,
    'AWS::Region': place.region,
    'AWS::Partition': 'aws',
    'AWS::URLSuffix': 'amazonaws.com',
    'AWS::StackName': stack.stackName,
    'AWS::StackId': `arn:aws:cloudformation:${place.region}:${place.account}:stack/${stack.stackName}/local`,
    'AWS::NotificationARNs': [],
  }
  const scope: Scope = {
    ref(name, at) {
      if (name in pseudo) return pseudo[name]
      const parameter = section('Parameters')[name]
      if (parameter !== undefined) return parameterDefault(objectAt(parameter, name), name, at)
      const node = resource(name)
      return node === undefined ? undefined : identify(namingOf(stack, name, node, scope), place).ref
    },
    getAtt(logicalId, attribute, at) {
      const node = resource(logicalId)
      if (node === undefined) throw new TemplateError(at, `refers to ${logicalId}, which does not exist`)
      const naming = namingOf(stack, logicalId, node, scope)
      const kind = resourceType(naming.type)
      const identity = identify(naming, place)
      if (kind?.kind === 'nothing to run' && identity.attributes[attribute] === undefined)
        return inertAttribute(naming, attribute)
      return attributeOf(identity, naming, attribute, at)
    },
    importValue(name, at) {
      const exported = exports.get(name)
      if (exported === undefined) throw new TemplateError(at, `imports ${name}, which no stack exports`)
      const exporter = scopes.get(exported.stack.stackName)
      if (exporter === undefined) throw new TemplateError(at, `imports ${name} of an unknown stack`)
      return evaluate(exported.value, exporter, `export ${name}`)
    },
    mapping: (name) => optional(section('Mappings')[name], (value) => objectAt(value, name)),
    condition: (name) => section('Conditions')[name],
    availabilityZones: (region) => ['a', 'b', 'c'].map((zone) => region + zone),
    dynamicReference(reference, at) {
      const [service, ...rest] = reference.split(':')
      if (service === 'ssm') return dynamicValues('ssm', rest[0] ?? '', at)
      if (service === 'secretsmanager') return secretPart(rest.join(':'), dynamicValues, at)
      throw new TemplateError(at, `local mode does not know the dynamic reference ${service}`)
    },
  }
  return scope
}

/** `ID:SecretString:JSON_KEY:STAGE:VERSION`, where ID may be an ARN. */
function secretPart(reference: string, dynamicValues: DynamicValues, at: string): string {
  const [id = '', rest = ''] = reference.split(':SecretString')
  const value = dynamicValues('secretsmanager', id, at)
  const key = rest.split(':')[1] ?? ''
  if (key === '') return value
  const fields: unknown = JSON.parse(value)
  return stringAt(objectAt(fields, at)[key], `${at} ${key}`)
}

function parameterDefault(parameter: JsonObject, name: string, at: string): unknown {
  const value = parameter['Default']
  if (value === undefined)
    throw new TemplateError(at, `the parameter ${name} has no default, and local mode asks for none`)
  const type = stringAt(parameter['Type'] ?? 'String', at)
  if (type === 'CommaDelimitedList' || type.startsWith('List<')) return stringAt(value, at).split(',')
  return value
}

function namingOf(stack: StackTemplate, logicalId: string, node: JsonObject, scope: Scope): Naming {
  const properties = isObject(node['Properties']) ? node['Properties'] : {}
  return {
    stackName: stack.stackName,
    logicalId,
    type: stringAt(node['Type'], `${stack.stackName}/${logicalId}.Type`),
    property(name) {
      if (properties[name] === undefined) return undefined
      const at = `${stack.stackName}/${logicalId}.${name}`
      const value = evaluate(properties[name], scope, at)
      return value === undefined ? undefined : stringAt(value, at)
    },
  }
}

/** From `aws:cdk:path`: `Stack/Live/Publish/Resource` is `Live/Publish`. */
function titleOf(node: JsonObject, logicalId: string, stackPath: string): string {
  const path = isObject(node['Metadata']) ? node['Metadata']['aws:cdk:path'] : undefined
  if (typeof path !== 'string') return logicalId.replace(/[0-9A-F]{8}$/, '')
  const parts = path
    .split('/')
    .slice(stackPath.split('/').length)
    .filter((part) => part !== 'Resource' && part !== 'Service' && part !== 'Default')
  return parts.join('/') || logicalId
}

function sectionEntries(stack: StackTemplate, name: string): readonly (readonly [string, unknown])[] {
  const section = stack.template[name]
  return isObject(section) ? Object.entries(section) : []
}
