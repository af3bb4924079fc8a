/** Condition operators and the keys whose values local mode can tell. */
import { matchesWildcard } from './wildcard.ts'

/** A key without a value in a call is absent. Multi-valued keys have several. */
export type ConditionContext = Readonly<Record<string, readonly string[]>>

type Compare = (value: string, expected: string) => boolean

const sameIgnoringCase: Compare = (value, expected) => value.toLowerCase() === expected.toLowerCase()
const number =
  (compare: (value: number, expected: number) => boolean): Compare =>
  (value, expected) =>
    compare(Number(value), Number(expected))

/** A negated operator holds when the value matches none of those given, and when the key is absent. */
const OPERATORS: Readonly<Record<string, { readonly negated: boolean; readonly compare: Compare }>> = {
  StringEquals: { negated: false, compare: (value, expected) => value === expected },
  StringNotEquals: { negated: true, compare: (value, expected) => value === expected },
  StringEqualsIgnoreCase: { negated: false, compare: sameIgnoringCase },
  StringNotEqualsIgnoreCase: { negated: true, compare: sameIgnoringCase },
  StringLike: { negated: false, compare: matchesWildcard },
  StringNotLike: { negated: true, compare: matchesWildcard },
  ArnEquals: { negated: false, compare: matchesWildcard },
  ArnLike: { negated: false, compare: matchesWildcard },
  ArnNotEquals: { negated: true, compare: matchesWildcard },
  ArnNotLike: { negated: true, compare: matchesWildcard },
  Bool: { negated: false, compare: sameIgnoringCase },
  NumericEquals: { negated: false, compare: number((value, expected) => value === expected) },
  NumericNotEquals: { negated: true, compare: number((value, expected) => value === expected) },
  NumericLessThan: { negated: false, compare: number((value, expected) => value < expected) },
  NumericLessThanEquals: { negated: false, compare: number((value, expected) => value <= expected) },
  NumericGreaterThan: { negated: false, compare: number((value, expected) => value > expected) },
  NumericGreaterThanEquals: { negated: false, compare: number((value, expected) => value >= expected) },
}

/** Lower case, as IAM compares condition keys. `dynamodb:attributes` and its like are left out until something uses them. */
const KEYS = [
  'aws:principalarn',
  'aws:principalaccount',
  'aws:requestedregion',
  'aws:resourceaccount',
  'aws:securetransport',
  'aws:sourcearn',
  'aws:sourceaccount',
  'dynamodb:leadingkeys',
  'ecs:cluster',
  'kms:viaservice',
  'kms:calleraccount',
  's3:prefix',
  's3:tlsversion',
]

const SETS = /^(ForAllValues|ForAnyValue):/

export function isKnownOperator(operator: string): boolean {
  return operator === 'Null' || OPERATORS[baseName(operator)] !== undefined
}

export function isKnownConditionKey(key: string): boolean {
  return KEYS.includes(key.toLowerCase())
}

export function conditionHolds(
  operator: string,
  key: string,
  expected: readonly string[],
  context: ConditionContext,
): boolean {
  const values = context[key.toLowerCase()] ?? []
  if (operator === 'Null') return expected.some((entry) => (entry === 'true') === (values.length === 0))
  const rule = OPERATORS[baseName(operator)]
  if (rule === undefined) throw new Error(`unknown condition operator ${operator}`)
  const holds = (value: string): boolean => expected.some((entry) => rule.compare(value, entry)) !== rule.negated
  if (operator.startsWith('ForAllValues:')) return values.every(holds)
  if (operator.startsWith('ForAnyValue:')) return values.some(holds)
  if (values.length === 0) return rule.negated || operator.endsWith('IfExists')
  return values.every(holds)
}

function baseName(operator: string): string {
  return operator.replace(SETS, '').replace(/IfExists$/, '')
}
