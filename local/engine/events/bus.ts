/** Which rules an event on a bus reaches. Patterns are compiled once; a malformed one is an error that names its rule. */
import type { BusEvent, EventRuleSpec } from '../contracts.ts'
import { compilePattern, type Matches } from './pattern.ts'

export interface Buses {
  /** The enabled rules of the bus whose pattern the event matches. */
  rulesFor(busName: string, event: BusEvent): readonly EventRuleSpec[]
}

interface CompiledRule {
  readonly rule: EventRuleSpec
  readonly matches: Matches
}

/** @throws {Error} naming the rule whose pattern is malformed */
export function createBuses(rules: readonly EventRuleSpec[]): Buses {
  const byBus = new Map<string, CompiledRule[]>()
  for (const rule of rules) {
    if (!rule.enabled || rule.pattern === undefined) continue
    const compiled = byBus.get(rule.busName) ?? []
    compiled.push({ rule, matches: compileRule(rule, rule.pattern) })
    byBus.set(rule.busName, compiled)
  }
  return {
    rulesFor: (busName, event) =>
      (byBus.get(busName) ?? []).filter(({ matches }) => matches(event)).map(({ rule }) => rule),
  }
}

function compileRule(rule: EventRuleSpec, pattern: NonNullable<EventRuleSpec['pattern']>): Matches {
  try {
    return compilePattern(pattern)
  } catch (error) {
    throw new Error(`rule ${rule.ruleName}: event pattern: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
