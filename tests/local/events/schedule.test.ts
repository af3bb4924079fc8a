import { describe, expect, it } from 'vitest'
import { nextFireTime, parseSchedule } from '../../../local/engine/events/schedule.ts'

const times = (expression: string, from: string, count = 1): (string | undefined)[] => {
  const schedule = parseSchedule(expression, 'sweep')
  const found: (string | undefined)[] = []
  let at: number | undefined = Date.parse(from)
  for (let index = 0; index < count && at !== undefined; index += 1) {
    at = nextFireTime(schedule, at)
    found.push(at === undefined ? undefined : new Date(at).toISOString())
  }
  return found
}

describe('a schedule', () => {
  it.each([
    ['rate(1 minute)', '2026-01-01T00:00:30Z', ['2026-01-01T00:01:30.000Z', '2026-01-01T00:02:30.000Z']],
    ['rate(5 minutes)', '2026-01-01T00:00:00Z', ['2026-01-01T00:05:00.000Z']],
    ['rate(2 hours)', '2026-01-01T00:00:00Z', ['2026-01-01T02:00:00.000Z']],
    ['rate(1 day)', '2026-01-01T00:00:00Z', ['2026-01-02T00:00:00.000Z']],
    ['cron(0 10 * * ? *)', '2026-01-01T10:00:00Z', ['2026-01-02T10:00:00.000Z']],
    ['cron(0/15 * * * ? *)', '2026-01-01T23:50:01Z', ['2026-01-02T00:00:00.000Z', '2026-01-02T00:15:00.000Z']],
    ['cron(30 8 ? * MON-FRI *)', '2026-01-02T09:00:00Z', ['2026-01-05T08:30:00.000Z']],
    ['cron(0 0 29 2 ? *)', '2026-01-01T00:00:00Z', ['2028-02-29T00:00:00.000Z']],
    ['cron(0 8,20 1 JAN,JUL ? *)', '2026-01-01T09:00:00Z', ['2026-01-01T20:00:00.000Z', '2026-07-01T08:00:00.000Z']],
    ['cron(0 0 1 1 ? 2020)', '2026-01-01T00:00:00Z', [undefined]],
  ])('%s after %s', (expression, from, expected) => {
    expect(times(expression, from, expected.length)).toEqual(expected)
  })

  it.each([
    'rate(0 minutes)',
    'rate(1 minutes)',
    'rate(5 minute)',
    'rate(30 seconds)',
    'at(2026-01-01T00:00:00)',
    'cron(0 10 * * * *)',
    'cron(0 10 ? * ? *)',
    'cron(0 10 * *)',
    'cron(0 10 L * ? *)',
    'cron(0 10 ? * 2#1 *)',
    'cron(61 10 * * ? *)',
    'cron(0/0 10 * * ? *)',
  ])('%s is refused with the name of the rule', (expression) => {
    expect(() => parseSchedule(expression, 'sweep')).toThrow(/rule sweep: /)
  })
})
