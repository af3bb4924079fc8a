/**
 * The evaluator of CloudFormation's intrinsic functions: JSON in, JSON with every intrinsic resolved out.
 *
 * It is pure. What a name stands for comes from the `Scope`; an intrinsic, a reference or a pseudo parameter that nobody
 * knows is an error that names the place and the thing.
 */
import { TemplateError } from './errors.ts'
import { arrayAt, booleanAt, describe, isObject, type JsonObject, numberAt, objectAt, stringAt } from './json.ts'

export interface Scope {
  /** Parameters, pseudo parameters and resources; undefined: there is no such name. */
  ref(name: string, at: string): unknown
  getAtt(logicalId: string, attribute: string, at: string): unknown
  importValue(name: string, at: string): unknown
  mapping(name: string): JsonObject | undefined
  /** The unevaluated condition. */
  condition(name: string): unknown
  availabilityZones(region: string): readonly string[]
  /** `{{resolve:ssm:NAME}}`, `{{resolve:secretsmanager:ID:SecretString:KEY:STAGE:VERSION}}` without the braces and `resolve:`. */
  dynamicReference(reference: string, at: string): string
}

/** What `Ref: AWS::NoValue` comes to: the property or list entry is left out. */
const NO_VALUE = Symbol('AWS::NoValue')

/** undefined when the whole node is `AWS::NoValue`. */
export function evaluate(node: unknown, scope: Scope, at: string): unknown {
  const value = evaluateNode(node, scope, at)
  return value === NO_VALUE ? undefined : value
}

function evaluateNode(node: unknown, scope: Scope, at: string): unknown {
  if (typeof node === 'string') return dynamicReferences(node, scope, at)
  if (Array.isArray(node)) {
    return node
      .map((entry, index) => evaluateNode(entry, scope, `${at}[${index}]`))
      .filter((entry) => entry !== NO_VALUE)
  }
  if (!isObject(node)) return node
  const keys = Object.keys(node)
  const [only] = keys
  if (keys.length === 1 && only !== undefined && isIntrinsic(only)) {
    return callIntrinsic(only, node[only], scope, at)
  }
  const result: Record<string, unknown> = {}
  for (const [key, entry] of Object.entries(node)) {
    const value = evaluateNode(entry, scope, `${at}.${key}`)
    if (value !== NO_VALUE) result[key] = value
  }
  return result
}

/** `Condition` alone is an intrinsic only inside `Fn::And` and its like: a policy statement has a key of that name, too. */
function isIntrinsic(key: string): boolean {
  return key === 'Ref' || key.startsWith('Fn::')
}

function callIntrinsic(name: string, argument: unknown, scope: Scope, at: string): unknown {
  const place = `${at}.${name}`
  const text = (value: unknown, what = ''): string => stringAt(evaluateNode(value, scope, place + what), place + what)
  const list = (value: unknown): readonly unknown[] => arrayAt(evaluateNode(value, scope, place), place)
  const parts = (length: number): readonly unknown[] => {
    const entries = arrayAt(argument, place)
    if (entries.length !== length) throw new TemplateError(place, `takes ${length} arguments, found ${entries.length}`)
    return entries
  }
  switch (name) {
    case 'Ref':
      return reference(stringAt(argument, place), scope, place)
    case 'Fn::GetAtt': {
      const [id, ...attribute] = typeof argument === 'string' ? argument.split('.') : arrayAt(argument, place)
      return scope.getAtt(stringAt(id, place), attribute.map((part) => text(part)).join('.'), place)
    }
    case 'Fn::Sub':
      return substitute(argument, scope, place)
    case 'Fn::Join': {
      const [separator, entries] = parts(2)
      return list(entries)
        .map((entry, index) => stringAt(entry, `${place}[${index}]`))
        .join(stringAt(separator, place))
    }
    case 'Fn::Select': {
      const [index, entries] = parts(2)
      const chosen = list(entries)[numberAt(evaluateNode(index, scope, place), place)]
      if (chosen === undefined) throw new TemplateError(place, `there is no entry ${describe(index)} in the list`)
      return chosen
    }
    case 'Fn::Split': {
      const [separator, source] = parts(2)
      return text(source).split(stringAt(separator, place))
    }
    case 'Fn::ImportValue':
      return scope.importValue(text(argument), place)
    case 'Fn::FindInMap': {
      const [map, top, second] = arrayAt(argument, place).map((entry) => text(entry))
      const row = scope.mapping(map ?? '')?.[top ?? '']
      const found = isObject(row) ? row[second ?? ''] : undefined
      if (found === undefined) throw new TemplateError(place, `there is no mapping ${map} / ${top} / ${second}`)
      return found
    }
    case 'Fn::If': {
      const [condition, yes, no] = parts(3)
      return evaluateNode(holds(stringAt(condition, place), scope, place) ? yes : no, scope, place)
    }
    case 'Fn::Base64':
      return Buffer.from(text(argument)).toString('base64')
    case 'Fn::GetAZs': {
      const region = text(argument)
      return scope.availabilityZones(region === '' ? stringAt(reference('AWS::Region', scope, place), place) : region)
    }
    case 'Fn::Cidr':
      return cidrBlocks(
        arrayAt(argument, place).map((entry) => text(entry)),
        place,
      )
    case 'Fn::Length':
      return list(argument).length
    case 'Fn::ToJsonString':
      return JSON.stringify(evaluateNode(argument, scope, place))
    case 'Fn::Equals':
    case 'Fn::Not':
    case 'Fn::And':
    case 'Fn::Or':
      return conditionHolds({ [name]: argument }, scope, place)
    default:
      throw new TemplateError(at, `local mode does not know the intrinsic ${name}`)
  }
}

function reference(name: string, scope: Scope, at: string): unknown {
  if (name === 'AWS::NoValue') return NO_VALUE
  const value = scope.ref(name, at)
  if (value === undefined) throw new TemplateError(at, `refers to ${name}, which does not exist`)
  return value
}

/** `${Name}`, `${Name.Attribute}`, `${!Literal}`, with or without a map of variables. */
function substitute(argument: unknown, scope: Scope, at: string): string {
  const [template, variables] = Array.isArray(argument) ? argument : [argument, {}]
  const own = objectAt(variables ?? {}, at)
  const filled = stringAt(template, at).replace(/\$\{([^}]*)\}/g, (_, inner: string) => {
    if (inner.startsWith('!')) return `\${${inner.slice(1)}}`
    const name = inner.trim()
    if (name in own) return stringAt(evaluateNode(own[name], scope, `${at}.${name}`), `${at}.${name}`)
    const dot = name.indexOf('.')
    const value = dot > 0 ? scope.getAtt(name.slice(0, dot), name.slice(dot + 1), at) : reference(name, scope, at)
    return stringAt(value, `${at} \${${name}}`)
  })
  return dynamicReferences(filled, scope, at)
}

function dynamicReferences(text: string, scope: Scope, at: string): string {
  if (!text.includes('{{resolve:')) return text
  return text.replace(/\{\{resolve:([^}]+)\}\}/g, (_, inner: string) => scope.dynamicReference(inner, at))
}

function holds(name: string, scope: Scope, at: string): boolean {
  const condition = scope.condition(name)
  if (condition === undefined) throw new TemplateError(at, `there is no condition ${name}`)
  return conditionHolds(condition, scope, `Conditions.${name}`)
}

export function conditionHolds(node: unknown, scope: Scope, at: string): boolean {
  if (typeof node === 'boolean' || typeof node === 'string') return booleanAt(node, at)
  const entries = Object.entries(objectAt(node, at))
  const [name, argument] = entries[0] ?? ['', undefined]
  const all = (): readonly unknown[] => arrayAt(argument, at)
  switch (name) {
    case 'Condition':
      return holds(stringAt(argument, at), scope, at)
    case 'Fn::Equals': {
      const [left, right] = all().map((entry) => evaluateNode(entry, scope, at))
      return JSON.stringify(left) === JSON.stringify(right)
    }
    case 'Fn::Not':
      return !conditionHolds(all()[0], scope, at)
    case 'Fn::And':
      return all().every((entry) => conditionHolds(entry, scope, at))
    case 'Fn::Or':
      return all().some((entry) => conditionHolds(entry, scope, at))
    default:
      throw new TemplateError(at, `local mode does not know the condition function ${name}`)
  }
}

/** `[ipBlock, count, hostBits]`: `count` blocks of 2^hostBits addresses each, from the start of the block. IPv4 only. */
function cidrBlocks([block, count, hostBits]: readonly string[], at: string): readonly string[] {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(block ?? '')
  if (match === null) throw new TemplateError(at, `expected an IPv4 block, found ${block}`)
  const start = match.slice(1, 5).reduce((sum, octet) => sum * 256 + Number(octet), 0)
  const size = 2 ** numberAt(hostBits, at)
  return Array.from({ length: numberAt(count, at) }, (_, index) => {
    const address = start + index * size
    const octets = [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256)
    return `${octets.join('.')}/${32 - Number(hostBits)}`
  })
}
