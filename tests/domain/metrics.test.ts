import { describe, expect, it } from 'vitest'
import { embeddedMetrics, foldFigures } from '../../shared/domain/metrics.ts'

const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line))

describe('figures in the embedded metric format', () => {
  it('those without a dimension of their own share a line under the stage', () => {
    const [line, ...more] = parsed(
      embeddedMetrics('dev', 1_700_000_000_000, [
        { name: 'SendsSent', value: 3 },
        { name: 'SendLatency', value: [12, 40] },
      ]),
    )
    expect(more).toEqual([])
    expect(line).toMatchObject({ Stage: 'dev', SendsSent: 3, SendLatency: [12, 40] })
    expect(line._aws).toEqual({
      Timestamp: 1_700_000_000_000,
      CloudWatchMetrics: [
        {
          Namespace: 'Holdfast',
          Dimensions: [['Stage']],
          Metrics: [
            { Name: 'SendsSent', Unit: 'Count' },
            { Name: 'SendLatency', Unit: 'Milliseconds' },
          ],
        },
      ],
    })
  })

  it('one with a dimension is written with it and without it', () => {
    const lines = parsed(
      embeddedMetrics('dev', 0, [
        { name: 'Reconnects', value: 2, of: 'connection_lost' },
        { name: 'Reconnects', value: 1, of: 'replaced' },
      ]),
    )
    expect(lines.map(({ Reason, Reconnects }) => [Reason, Reconnects])).toEqual([
      ['connection_lost', 2],
      ['replaced', 1],
    ])
    expect(lines[0]._aws.CloudWatchMetrics[0].Dimensions).toEqual([['Stage'], ['Stage', 'Reason']])
  })

  it('alike ones are folded: counts are added, durations put together up to a hundred', () => {
    const many = Array.from({ length: 120 }, (_, ms) => ({ name: 'SendLatency', value: ms }) as const)
    const folded = foldFigures([
      { name: 'SendsFailed', value: 1, of: 'expired' },
      { name: 'SendsFailed', value: 2, of: 'expired' },
      { name: 'SendsFailed', value: 1, of: 'unconfirmed' },
      ...many,
    ])
    expect(folded.slice(0, 2)).toEqual([
      { name: 'SendsFailed', value: 3, of: 'expired' },
      { name: 'SendsFailed', value: 1, of: 'unconfirmed' },
    ])
    expect(folded[2]?.value).toHaveLength(100)
  })
})
