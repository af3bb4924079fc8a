/**
 * What CloudWatch would make of log lines in its embedded metric format: the metrics that a run really wrote. The lines
 * themselves are for a machine and are kept out of the log.
 */
import type { RingLog } from './engine-log.ts'
import { isObject, type JsonObject } from './template/json.ts'

export interface EmittedMetric {
  readonly namespace: string
  readonly name: string
  readonly unit: string
  /** Values of the dimensions it was written under, e.g. `{ Stage: 'dev' }`. */
  readonly dimensions: Readonly<Record<string, string>>
  readonly samples: number
  readonly sum: number
  readonly max: number
  readonly last: number
  /** ISO 8601. */
  readonly lastAt: string
}

export interface EmittedMetrics {
  list(): readonly EmittedMetric[]
}

/** A line of the embedded metric format begins or ends like that; parsing every line would cost more than the metrics. */
const MARK = '"_aws"'

/** Wraps the log, so that every part's lines pass here first. */
export function collectMetrics(log: RingLog): { readonly log: RingLog; readonly metrics: EmittedMetrics } {
  const found = new Map<string, EmittedMetric>()
  const take = (line: string): boolean => {
    const document = line.includes(MARK) ? parsed(line) : undefined
    if (document === undefined) return false
    for (const metric of metricsOf(document)) {
      const key = JSON.stringify([metric.namespace, metric.name, metric.dimensions])
      const before = found.get(key)
      found.set(key, {
        ...metric,
        samples: metric.samples + (before?.samples ?? 0),
        sum: metric.sum + (before?.sum ?? 0),
        max: Math.max(metric.max, before?.max ?? metric.max),
      })
    }
    return true
  }
  return {
    log: {
      ...log,
      info: (part, message) => {
        if (!take(message)) log.info(part, message)
      },
    },
    metrics: { list: () => [...found.values()] },
  }
}

function parsed(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) && isObject(value['_aws']) ? value : undefined
  } catch {
    return undefined
  }
}

function* metricsOf(document: JsonObject): Generator<EmittedMetric> {
  const { Timestamp, CloudWatchMetrics } = document['_aws'] as unknown as {
    Timestamp: number
    CloudWatchMetrics: Directive[]
  }
  for (const directive of CloudWatchMetrics) {
    for (const names of directive.Dimensions) {
      const dimensions = Object.fromEntries(names.map((name) => [name, String(document[name])]))
      for (const { Name, Unit } of directive.Metrics) {
        const values = [document[Name]].flat().filter((value) => typeof value === 'number')
        const last = values.at(-1)
        if (last === undefined) continue
        yield {
          namespace: directive.Namespace,
          name: Name,
          unit: Unit,
          dimensions,
          samples: values.length,
          sum: values.reduce((sum, value) => sum + value, 0),
          max: Math.max(...values),
          last,
          lastAt: new Date(Timestamp).toISOString(),
        }
      }
    }
  }
}

interface Directive {
  readonly Namespace: string
  readonly Dimensions: readonly (readonly string[])[]
  readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[]
}
