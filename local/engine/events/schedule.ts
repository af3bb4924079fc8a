/**
 * When a scheduled rule fires: `rate(…)` and `cron(…)` as EventBridge writes them. Times are UTC, milliseconds since 1970.
 * What local mode can't run (`L`, `W`, `#`) is an error that names the rule, never a rule that silently does not fire.
 */
import { type CronFields, nextCronTime, parseCron } from './cron.ts'

export type Schedule =
  | { readonly kind: 'rate'; readonly everyMs: number }
  | { readonly kind: 'cron'; readonly fields: CronFields }

export class ScheduleError extends Error {
  override readonly name = 'ScheduleError'
}

const unitMs: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

/** @throws {ScheduleError} naming the rule and what was expected */
export function parseSchedule(expression: string, ruleName: string): Schedule {
  const [, kind, inner = ''] = /^(rate|cron)\((.*)\)$/.exec(expression) ?? []
  switch (kind) {
    case 'rate':
      return { kind: 'rate', everyMs: rateMs(inner, expression, ruleName) }
    case 'cron': {
      const fields = parseCron(inner)
      if (typeof fields === 'string') throw new ScheduleError(`rule ${ruleName}: ${expression}: ${fields}`)
      return { kind: 'cron', fields }
    }
    default:
      throw new ScheduleError(`rule ${ruleName}: ${expression}: expected rate(…) or cron(…)`)
  }
}

function rateMs(inner: string, expression: string, ruleName: string): number {
  const [, digits = '', unit = '', plural] = /^(\d+) (minute|hour|day)(s?)$/.exec(inner) ?? []
  const count = Number(digits)
  const each = unitMs[unit]
  // EventBridge itself refuses `rate(1 minutes)` and `rate(5 minute)`.
  if (each === undefined || count === 0 || (count === 1) !== (plural === '')) {
    throw new ScheduleError(`rule ${ruleName}: ${expression}: expected such as rate(1 minute) or rate(5 minutes)`)
  }
  return count * each
}

/** The first time after `afterMs` at which the schedule fires; `undefined` when it never does again. */
export function nextFireTime(schedule: Schedule, afterMs: number): number | undefined {
  return schedule.kind === 'rate' ? afterMs + schedule.everyMs : nextCronTime(schedule.fields, afterMs)
}
