/**
 * Event source filters: a record passes when any of the patterns matches it. For queues a pattern over `body` as an object
 * means the body parsed as JSON; a body that is none does not pass, nor does JSON where the pattern wants plain text.
 */
import type { EventPattern } from '../contracts.ts'
import { compilePattern, type Matches } from '../events/pattern.ts'

/** Without patterns everything passes. @throws {PatternError} naming the field that is malformed */
export function compileRecordFilter(filters: readonly EventPattern[]): Matches {
  if (filters.length === 0) return () => true
  const compiled = filters.map((filter) => compilePattern(filter))
  return (record) => compiled.some((matches) => matches(record))
}

/** @throws {PatternError} naming the field that is malformed */
export function compileQueueFilter(filters: readonly EventPattern[]): (record: { readonly body: string }) => boolean {
  if (filters.length === 0) return () => true
  const compiled = filters.map(compileQueuePattern)
  return (record) => {
    const parsed = parseJson(record.body)
    return compiled.some((matches) => matches(record, parsed))
  }
}

type QueueMatches = (record: { readonly body: string }, parsed: unknown) => boolean

function compileQueuePattern(pattern: EventPattern): QueueMatches {
  const matches = compilePattern(pattern)
  if (!('body' in pattern)) return (record) => matches(record)
  if (Array.isArray(pattern.body)) {
    return (record, parsed) => (typeof parsed !== 'object' || parsed === null) && matches(record)
  }
  return (record, parsed) => typeof parsed === 'object' && parsed !== null && matches({ ...record, body: parsed })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
