import { Logger } from '@aws-lambda-powertools/logger'
import { embeddedMetrics, type Figure } from '../shared/domain/metrics.ts'
import { logLevel, stage } from './config.ts'

/** Structured logs of all functions. They name ids and outcomes; never bodies, keys or tickets. */
export const log = new Logger({ serviceName: 'holdfast', logLevel })

/** Writes figures, whatever the log level is, unless it is silent. */
export function measure(figures: readonly Figure[], fields: Readonly<Record<string, unknown>> = {}): void {
  if (logLevel === 'SILENT') return
  for (const line of embeddedMetrics(stage(), Date.now(), figures, fields)) process.stdout.write(`${line}\n`)
}

/**
 * Counts something.
 *
 * @param fields said beside the figure, for whoever reads the line
 */
export function count(name: Figure['name'], value: number, fields: Readonly<Record<string, unknown>> = {}): void {
  measure([{ name, value }], { message: name, ...fields })
}
