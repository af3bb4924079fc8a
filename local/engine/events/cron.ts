/** EventBridge cron expressions: `minutes hours day-of-month month day-of-week year`, with `* , - / ?` and names. */

export interface CronFields {
  readonly minutes: ReadonlySet<number>
  readonly hours: ReadonlySet<number>
  /** `undefined` for `?`: the other day field decides. */
  readonly daysOfMonth: ReadonlySet<number> | undefined
  readonly months: ReadonlySet<number>
  /** 1 is Sunday, as EventBridge counts. */
  readonly daysOfWeek: ReadonlySet<number> | undefined
  readonly years: ReadonlySet<number>
}

const monthNames = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']
const dayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']

const fieldSpecs = [
  { name: 'minutes', from: 0, to: 59, names: [] },
  { name: 'hours', from: 0, to: 23, names: [] },
  { name: 'day-of-month', from: 1, to: 31, names: [] },
  { name: 'month', from: 1, to: 12, names: monthNames },
  { name: 'day-of-week', from: 1, to: 7, names: dayNames },
  { name: 'year', from: 1970, to: 2199, names: [] },
] as const

type FieldSpec = (typeof fieldSpecs)[number]

/** The fields, or a sentence that says what is wrong. */
export function parseCron(expression: string): CronFields | string {
  const parts = expression.trim().split(/\s+/)
  if (parts.length !== 6) return `expected six fields, got ${parts.length}`
  const sets: (ReadonlySet<number> | undefined)[] = []
  for (const [index, spec] of fieldSpecs.entries()) {
    const part = parts[index] ?? ''
    if (part === '?' && (spec.name === 'day-of-month' || spec.name === 'day-of-week')) {
      sets.push(undefined)
      continue
    }
    const values = parseField(part, spec)
    if (typeof values === 'string') return values
    sets.push(values)
  }
  const [minutes, hours, daysOfMonth, months, daysOfWeek, years] = sets
  if (minutes === undefined || hours === undefined || months === undefined || years === undefined) {
    return 'only a day field may be ?'
  }
  if ((daysOfMonth === undefined) === (daysOfWeek === undefined)) {
    return 'exactly one of day-of-month and day-of-week must be ?'
  }
  return { minutes, hours, daysOfMonth, months, daysOfWeek, years }
}

function parseField(field: string, spec: FieldSpec): ReadonlySet<number> | string {
  const values = new Set<number>()
  for (const item of field.split(',')) {
    const [, range = '', step] = /^([^/]+)(?:\/(\d+))?$/.exec(item) ?? []
    const [low = '', high] = range.split('-')
    const from = low === '*' ? spec.from : fieldValue(low, spec)
    const to = low === '*' || (step !== undefined && high === undefined) ? spec.to : fieldValue(high ?? low, spec)
    const by = step === undefined ? 1 : Number(step)
    if (from === undefined || to === undefined || from > to || by === 0) {
      return `${spec.name}: ${item} is not supported: expected ${spec.from}-${spec.to} with * , - /`
    }
    for (let value = from; value <= to; value += by) values.add(value)
  }
  return values
}

function fieldValue(word: string, spec: FieldSpec): number | undefined {
  const named = (spec.names as readonly string[]).indexOf(word.toUpperCase())
  if (named >= 0) return spec.from + named
  const value = Number(word)
  return /^\d+$/.test(word) && value >= spec.from && value <= spec.to ? value : undefined
}

const dayMs = 86_400_000

/** The first minute after `afterMs` that the fields name, milliseconds UTC; `undefined` when the years are over. */
export function nextCronTime(fields: CronFields, afterMs: number): number | undefined {
  const firstMinute = Math.floor(afterMs / 60_000) * 60_000 + 60_000
  const firstDay = Math.floor(firstMinute / dayMs) * dayMs
  const lastDay = Date.UTC(Math.max(...fields.years), 11, 31)
  for (let day = firstDay; day <= lastDay; day += dayMs) {
    if (!isDay(fields, new Date(day))) continue
    for (const hour of [...fields.hours].sort((a, b) => a - b)) {
      for (const minute of [...fields.minutes].sort((a, b) => a - b)) {
        const time = day + hour * 3_600_000 + minute * 60_000
        if (time >= firstMinute) return time
      }
    }
  }
  return undefined
}

function isDay(fields: CronFields, date: Date): boolean {
  return (
    fields.years.has(date.getUTCFullYear()) &&
    fields.months.has(date.getUTCMonth() + 1) &&
    (fields.daysOfMonth?.has(date.getUTCDate()) ?? true) &&
    (fields.daysOfWeek?.has(date.getUTCDay() + 1) ?? true)
  )
}
