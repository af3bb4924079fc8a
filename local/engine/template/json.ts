/**
 * Typed reading of what the template says. Each reader names the place and what was expected there, so that a template
 * that cannot be run is refused with a sentence rather than with a crash three layers later.
 */
import { TemplateError } from './errors.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function objectAt(value: unknown, at: string): JsonObject {
  if (!isObject(value)) throw new TemplateError(at, `expected an object, found ${describe(value)}`)
  return value
}

export function arrayAt(value: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new TemplateError(at, `expected a list, found ${describe(value)}`)
  return value
}

export function stringAt(value: unknown, at: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new TemplateError(at, `expected a string, found ${describe(value)}`)
}

/** CloudFormation takes numbers as strings, too. */
export function numberAt(value: unknown, at: string): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) {
    throw new TemplateError(at, `expected a number, found ${describe(value)}`)
  }
  return number
}

/** CloudFormation takes booleans as `"true"` and `"false"`, too. */
export function booleanAt(value: unknown, at: string): boolean {
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw new TemplateError(at, `expected true or false, found ${describe(value)}`)
}

/** One value or a list of them, as policies and CloudFormation allow in many places. */
export function stringsAt(value: unknown, at: string): readonly string[] {
  return Array.isArray(value) ? value.map((entry, index) => stringAt(entry, `${at}[${index}]`)) : [stringAt(value, at)]
}

export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : read(value)
}

/** Refuses what nobody has decided about: a property that is silently left out is a difference to AWS that nobody sees. */
export function onlyKeys(value: JsonObject, known: readonly string[], at: string): void {
  const unknown = Object.keys(value).filter((key) => !known.includes(key))
  if (unknown.length > 0) {
    throw new TemplateError(
      at,
      `local mode does not know the ${unknown.length > 1 ? 'properties' : 'property'} ${unknown.join(', ')}`,
    )
  }
}

export function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 120 ? `${text.slice(0, 117)}...` : text
}
