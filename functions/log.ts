import { Logger } from '@aws-lambda-powertools/logger'
import { logLevel } from './config.ts'

/** Structured logs of all functions. They name ids and outcomes; never bodies, keys or tickets. */
export const log = new Logger({ serviceName: 'holdfast', logLevel })

/**
 * Counts something: a line in CloudWatch's embedded metric format, from which the metric is made without a call. It is written
 * whatever the log level is.
 *
 * @param fields said beside the figure, for whoever reads the line
 */
export function count(metric: string, value: number, fields: Readonly<Record<string, unknown>> = {}): void {
  if (logLevel === 'SILENT') return
  const line = {
    ...fields,
    service: 'holdfast',
    message: metric,
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [{ Namespace: 'Holdfast', Dimensions: [[]], Metrics: [{ Name: metric, Unit: 'Count' }] }],
    },
    [metric]: value,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
