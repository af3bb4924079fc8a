import { Duration } from 'aws-cdk-lib'
import { Metric } from 'aws-cdk-lib/aws-cloudwatch'
import { type Metric as Meaning, type MetricName, metricNamespace, metrics } from '../shared/domain/metrics.ts'
import type { Settings } from './settings.ts'

export interface Reading {
  /** Default: counts are added up, of gauges the average over workers is taken, of durations the 95th percentile. */
  readonly statistic?: string
  /** Default: one minute. */
  readonly period?: Duration
  /** Value of the metric's own dimension; absent: all of them together. */
  readonly of?: string
}

const statisticOf = { count: 'Sum', gauge: 'Average', duration: 'p95' } as const

/** One of Holdfast's own metrics, as it is written: alarms, dashboards and scaling read no other. */
export function ownMetric(settings: Settings, name: MetricName, reading: Reading = {}): Metric {
  const meaning: Meaning = metrics[name]
  if (reading.of !== undefined && meaning.dimension === undefined)
    throw new Error(`${name} has no dimension of its own`)
  return new Metric({
    namespace: metricNamespace,
    metricName: name,
    dimensionsMap: {
      Stage: settings.stage,
      ...(meaning.dimension === undefined || reading.of === undefined ? {} : { [meaning.dimension]: reading.of }),
    },
    statistic: reading.statistic ?? statisticOf[meaning.kind],
    period: reading.period ?? Duration.minutes(1),
    label: reading.of === undefined ? name : `${name} ${reading.of}`,
  })
}
