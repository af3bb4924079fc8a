/**
 * IAM policy documents as the template has them, read strictly: an element, an operator or a condition key that the
 * evaluator does not know is an error when the template is read, never a wrong answer when a call is judged.
 *
 * Source: the IAM JSON policy reference (elements, condition operators, global condition keys).
 */
import { TemplateError } from '../template/errors.ts'
import { arrayAt, isObject, objectAt, onlyKeys, stringAt, stringsAt } from '../template/json.ts'
import { isKnownConditionKey, isKnownOperator } from './conditions.ts'

export type Principal =
  | { readonly kind: 'any' }
  | { readonly kind: 'some'; readonly aws: readonly string[]; readonly services: readonly string[] }

export interface Condition {
  readonly operator: string
  readonly key: string
  readonly values: readonly string[]
}

export interface Statement {
  readonly sid?: string
  readonly effect: 'Allow' | 'Deny'
  readonly actions: { readonly not: boolean; readonly patterns: readonly string[] }
  readonly resources: { readonly not: boolean; readonly patterns: readonly string[] }
  /** Resource policies only. */
  readonly principal?: Principal
  readonly conditions: readonly Condition[]
}

export interface PolicyDocument {
  readonly name: string
  readonly statements: readonly Statement[]
}

/** `kind` says whether statements must name a principal (resource policies) or must not (identity policies). */
export function readPolicy(document: unknown, name: string, kind: 'identity' | 'resource', at: string): PolicyDocument {
  const policy = objectAt(document, at)
  onlyKeys(policy, ['Version', 'Id', 'Statement'], at)
  const statements = Array.isArray(policy['Statement']) ? policy['Statement'] : [policy['Statement']]
  return {
    name,
    statements: arrayAt(statements, at).map((entry, index) => readStatement(entry, kind, `${at}.Statement[${index}]`)),
  }
}

const STATEMENT_KEYS = ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Principal', 'Condition']

function readStatement(entry: unknown, kind: 'identity' | 'resource', at: string): Statement {
  const statement = objectAt(entry, at)
  onlyKeys(statement, STATEMENT_KEYS, at)
  const effect = statement['Effect']
  if (effect !== 'Allow' && effect !== 'Deny') throw new TemplateError(at, 'expected Effect Allow or Deny')
  const either = (name: string): { not: boolean; patterns: readonly string[] } => {
    const not = statement[`Not${name}`] !== undefined
    const value = not ? statement[`Not${name}`] : statement[name]
    if (value === undefined) throw new TemplateError(at, `expected ${name} or Not${name}`)
    return { not, patterns: stringsAt(value, `${at}.${name}`) }
  }
  if (kind === 'resource' && statement['Principal'] === undefined) throw new TemplateError(at, 'expected a Principal')
  if (kind === 'identity' && statement['Principal'] !== undefined)
    throw new TemplateError(at, 'may not have a Principal')
  return {
    ...(statement['Sid'] === undefined ? {} : { sid: stringAt(statement['Sid'], at) }),
    effect,
    actions: either('Action'),
    resources: either('Resource'),
    ...(kind === 'resource' ? { principal: readPrincipal(statement['Principal'], `${at}.Principal`) } : {}),
    conditions: readConditions(statement['Condition'], `${at}.Condition`),
  }
}

function readPrincipal(value: unknown, at: string): Principal {
  if (value === '*') return { kind: 'any' }
  const principal = objectAt(value, at)
  onlyKeys(principal, ['AWS', 'Service'], at)
  const aws = principal['AWS'] === undefined ? [] : stringsAt(principal['AWS'], `${at}.AWS`)
  if (aws.includes('*')) return { kind: 'any' }
  return { kind: 'some', aws, services: principal['Service'] === undefined ? [] : stringsAt(principal['Service'], at) }
}

function readConditions(value: unknown, at: string): readonly Condition[] {
  if (value === undefined) return []
  const conditions: Condition[] = []
  for (const [operator, keys] of Object.entries(objectAt(value, at))) {
    if (!isKnownOperator(operator))
      throw new TemplateError(at, `local mode does not know the condition operator ${operator}`)
    if (!isObject(keys)) throw new TemplateError(at, `expected an object under ${operator}`)
    for (const [key, values] of Object.entries(keys)) {
      if (!isKnownConditionKey(key)) throw new TemplateError(at, `local mode does not know the condition key ${key}`)
      conditions.push({ operator, key, values: stringsAt(values, `${at}.${operator}.${key}`) })
    }
  }
  return conditions
}
