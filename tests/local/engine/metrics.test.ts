import { expect, it } from 'vitest'
import { createRingLog } from '../../../local/engine/engine-log.ts'
import { collectMetrics } from '../../../local/engine/metrics.ts'
import { embeddedMetrics } from '../../../shared/domain/metrics.ts'

it('metric lines become metrics and do not reach the log; other lines do', () => {
  const { log, metrics } = collectMetrics(createRingLog(() => undefined))
  const lines = [
    ...embeddedMetrics('dev', 0, [{ name: 'Alarms', value: 1, of: 'quarantined' }]),
    ...embeddedMetrics('dev', 60_000, [{ name: 'Alarms', value: 2, of: 'quarantined' }]),
    'a line that says "_aws" and is no JSON',
  ]
  for (const line of lines) log.info('connector', line)
  expect(log.lines().map(({ message }) => message)).toEqual(lines.slice(2))
  const expected = { namespace: 'Holdfast', name: 'Alarms', unit: 'Count', samples: 2, sum: 3, max: 2, last: 2 }
  expect(metrics.list()).toEqual([
    { ...expected, dimensions: { Stage: 'dev' }, lastAt: '1970-01-01T00:01:00.000Z' },
    { ...expected, dimensions: { Stage: 'dev', Reason: 'quarantined' }, lastAt: '1970-01-01T00:01:00.000Z' },
  ])
})
