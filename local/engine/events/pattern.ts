/**
 * EventBridge patterns, which Lambda's event source filters share. A pattern is compiled once; a malformed one is an error
 * that names the field, as EventBridge refuses it when the rule is put.
 *
 * Rules of matching (EventBridge user guide, "Creating event patterns"):
 * - every field of the pattern must match (AND), any matcher in a field's list may (OR), any branch of `$or` may;
 * - an array in the event stands for each of its elements, and an array of objects must match within one element;
 * - `exists` looks at leaves only: an object and an empty array count as absent.
 */
import type { EventPattern } from '../contracts.ts'
import { addressInBlock, compileWildcard, numericTest } from './operators.ts'

export type Matches = (event: unknown) => boolean

/** The pattern breaks EventBridge's grammar; the message names the field. */
export class PatternError extends Error {
  override readonly name = 'PatternError'
}

/** What one field may hold, leaves only: the scalar itself, or a scalar array's elements. */
type LeafTest = { readonly absentMatches: boolean; readonly test: (leaf: unknown) => boolean }

export function compilePattern(pattern: EventPattern): Matches {
  if (Object.keys(pattern).length === 0) throw new PatternError('the pattern is empty: expected at least one field')
  return compileObject(pattern, '')
}

function compileObject(pattern: Readonly<Record<string, unknown>>, path: string): Matches {
  const fields = Object.entries(pattern).map(([key, expected]) =>
    key === '$or' && isAlternatives(expected)
      ? compileAlternatives(expected, path)
      : compileField(key, expected, path === '' ? key : `${path}.${key}`),
  )
  return (event) => fields.every((matches) => matches(event))
}

/** A field that is really called `$or` holds matchers; only a list of two or more objects is the operator. */
function isAlternatives(expected: unknown): expected is readonly Record<string, unknown>[] {
  return Array.isArray(expected) && expected.length > 1 && expected.every(isObject)
}

function compileAlternatives(branches: readonly Record<string, unknown>[], path: string): Matches {
  const compiled = branches.map((branch) => compileObject(branch, path))
  return (event) => compiled.some((matches) => matches(event))
}

function compileField(key: string, expected: unknown, path: string): Matches {
  if (Array.isArray(expected)) {
    if (expected.length === 0) throw new PatternError(`${path}: an empty list matches nothing`)
    const tests = expected.map((matcher) => compileMatcher(matcher, path))
    return (event) => matchLeaf(isObject(event) ? event[key] : undefined, tests)
  }
  if (isObject(expected)) {
    if (Object.keys(expected).length === 0) throw new PatternError(`${path}: expected at least one field`)
    const nested = compileObject(expected, path)
    return (event) => {
      const value = isObject(event) ? event[key] : undefined
      if (Array.isArray(value)) return value.some((element) => nested(element))
      // An absent object goes on as one without fields, so that `exists: false` below it can match.
      return nested(isObject(value) ? value : {})
    }
  }
  throw new PatternError(`${path}: expected a list of matchers or an object, got ${describe(expected)}`)
}

function matchLeaf(value: unknown, tests: readonly LeafTest[]): boolean {
  const leaves = leavesOf(value)
  return tests.some((test) => (leaves.length === 0 ? test.absentMatches : leaves.some(test.test)))
}

function leavesOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap(leavesOf)
  return value === undefined || isObject(value) ? [] : [value]
}

function leaf(test: (value: unknown) => boolean): LeafTest {
  return { absentMatches: false, test }
}

function compileMatcher(matcher: unknown, path: string): LeafTest {
  if (!isObject(matcher)) {
    if (!isScalar(matcher)) throw new PatternError(`${path}: expected a value or a matcher, got ${describe(matcher)}`)
    return leaf((value) => value === matcher)
  }
  const [entry, ...more] = Object.entries(matcher)
  if (entry === undefined || more.length > 0) throw new PatternError(`${path}: a matcher has exactly one operator`)
  const [operator, operand] = entry
  const at = `${path}: ${operator}`
  switch (operator) {
    case 'exists':
      if (typeof operand !== 'boolean') throw new PatternError(`${at} expects true or false`)
      return { absentMatches: !operand, test: () => operand }
    case 'prefix':
      return leaf(affix(operand, at, (value, part) => value.startsWith(part)))
    case 'suffix':
      return leaf(affix(operand, at, (value, part) => value.endsWith(part)))
    case 'equals-ignore-case': {
      const wanted = text(operand, at).toLowerCase()
      return leaf((value) => typeof value === 'string' && value.toLowerCase() === wanted)
    }
    case 'wildcard': {
      const expression = wildcard(text(operand, at), at)
      return leaf((value) => typeof value === 'string' && expression.test(value))
    }
    case 'numeric': {
      const test = numericTest(operand)
      if (test === undefined) {
        throw new PatternError(`${at} expects pairs of a comparison and a number, such as [">", 0, "<=", 5]`)
      }
      return leaf((value) => typeof value === 'number' && test(value))
    }
    case 'cidr': {
      const inBlock = addressInBlock(text(operand, at))
      if (inBlock === undefined) throw new PatternError(`${at} expects an address block such as 10.0.0.0/24`)
      return leaf((value) => typeof value === 'string' && inBlock(value))
    }
    case 'anything-but':
      return leaf(anythingBut(operand, at))
    default:
      throw new PatternError(`${path}: unknown operator ${operator}`)
  }
}

/** `prefix` and `suffix` take a text, or `{ "equals-ignore-case": text }`. */
function affix(operand: unknown, at: string, holds: (value: string, part: string) => boolean) {
  if (isObject(operand)) {
    const part = text(operand['equals-ignore-case'], `${at} equals-ignore-case`).toLowerCase()
    return (value: unknown) => typeof value === 'string' && holds(value.toLowerCase(), part)
  }
  const part = text(operand, at)
  return (value: unknown) => typeof value === 'string' && holds(value, part)
}

function anythingBut(operand: unknown, at: string): (value: unknown) => boolean {
  if (isObject(operand)) {
    const [entry, ...more] = Object.entries(operand)
    if (entry === undefined || more.length > 0) throw new PatternError(`${at} expects exactly one inner operator`)
    const [inner, parts] = entry
    if (!['prefix', 'suffix', 'equals-ignore-case', 'wildcard'].includes(inner)) {
      throw new PatternError(`${at} does not take ${inner}`)
    }
    const tests = listOf(parts).map((part) => compileMatcher({ [inner]: part }, at))
    return (value) => !tests.some((test) => test.test(value))
  }
  const refused = listOf(operand)
  if (refused.length === 0 || !refused.every((value) => typeof value === 'string' || typeof value === 'number')) {
    throw new PatternError(`${at} expects a text, a number, a list of them or an inner operator`)
  }
  return (value) => !refused.includes(value as string | number)
}

function wildcard(expression: string, at: string): RegExp {
  const compiled = compileWildcard(expression)
  if (compiled === undefined) throw new PatternError(`${at} has two asterisks in a row or a stray backslash`)
  return compiled
}

function text(operand: unknown, at: string): string {
  if (typeof operand !== 'string') throw new PatternError(`${at} expects a text, got ${describe(operand)}`)
  return operand
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value]
}

function isScalar(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function describe(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing'
}
