import { describe, expect, it } from 'vitest'
import { alarmCountingLog } from '../../../connector/metrics/measured.ts'
import { MetricsRecorder } from '../../../connector/metrics/recorder.ts'
import { quietLog } from '../fleet/scenario.ts'

function recorder(random = () => 0) {
  const lines: string[] = []
  const made = new MetricsRecorder(
    'test',
    () => 7,
    random,
    (line) => lines.push(line),
  )
  const flushed = () => {
    made.flush()
    return lines.splice(0).map((line) => JSON.parse(line))
  }
  return { made, flushed }
}

describe("the worker's metrics", () => {
  it('counts are added up until they are written, and begin anew then', () => {
    const { made, flushed } = recorder()
    made.count('Restores', 'open')
    made.count('Restores', 'open')
    made.count('Restores', 'stopped')
    expect(flushed().map(({ Result, Restores }) => [Result, Restores])).toEqual([
      ['open', 2],
      ['stopped', 1],
    ])
    expect(flushed()).toEqual([])
  })

  it('of a gauge the last value is written', () => {
    const { made, flushed } = recorder()
    made.gauge('Connections', 3)
    made.gauge('Connections', 5)
    expect(flushed()).toMatchObject([{ Connections: 5 }])
  })

  it('of many durations a sample of all is written, not the first hundred', () => {
    let draw = 0
    const { made, flushed } = recorder(() => (draw++ % 10) / 10)
    for (let ms = 0; ms < 1_000; ms++) made.duration('JournalAppend', ms)
    const { JournalAppend } = flushed()[0]
    expect(JournalAppend).toHaveLength(100)
    expect(Math.max(...JournalAppend)).toBeGreaterThan(900)
  })

  it('a log line that names an alarm is counted under that name', () => {
    const { made, flushed } = recorder()
    const log = alarmCountingLog(quietLog, made)
    log.child({ connectionId: 'con_1' }).error({ alarm: 'auth_unreadable' }, 'alarm')
    log.error({ other: 'x' }, 'no alarm')
    expect(flushed()).toMatchObject([{ Reason: 'auth_unreadable', Alarms: 1 }])
  })
})
