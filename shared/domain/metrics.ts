/**
 * Everything that Holdfast itself counts and measures, in CloudWatch's namespace `Holdfast`. Alarms, dashboards and scaling
 * name metrics from here only, so that none of them waits for a figure that nobody writes.
 *
 * Words
 *   count    adds up: the statistic is `Sum`
 *   gauge    how things are, written once a minute by each worker: `Average` is per worker, `Sum` over one minute the fleet's
 *   duration how long something took, in milliseconds: percentiles. Of many in a minute a random hundred are written
 */
export interface Metric {
  readonly kind: 'count' | 'gauge' | 'duration'
  /** CloudWatch's word. */
  readonly unit: 'Count' | 'Milliseconds' | 'Megabytes'
  readonly by: 'connector' | 'functions'
  readonly description: string
  /** Beside the stage. The metric is written without it as well. */
  readonly dimension?: string
}

const count = (by: Metric['by'], description: string, dimension?: string) =>
  ({ kind: 'count', unit: 'Count', by, description, ...(dimension === undefined ? {} : { dimension }) }) as const
const gauge = (description: string, unit: Metric['unit'] = 'Count') =>
  ({ kind: 'gauge', unit, by: 'connector', description }) as const
const duration = (by: Metric['by'], description: string) =>
  ({ kind: 'duration', unit: 'Milliseconds', by, description }) as const

export const metrics = {
  Connections: gauge('Connections that the worker holds, whatever their status'),
  ConnectionsOpen: gauge('Connections with an open socket'),
  ConnectionsTrying: gauge('Connections that are being opened or wait for their next attempt'),
  ConnectionsStopped: gauge('Connections that wait for a person'),
  SendsWaiting: gauge('Sends that workers hold back: for a connection, a time, or their pace'),
  RestoresPending: gauge('Connections of a restore that is under way and not done yet'),
  MemoryMegabytes: gauge('Resident memory of the worker', 'Megabytes'),
  Restores: count('connector', 'First openings of a connection by a worker, however they came out', 'Result'),
  Alarms: count('connector', 'What a person should look at, by the reason that the log line names', 'Reason'),
  EventLoopDelay: duration('connector', 'How late the main thread is, 99th percentile of ten seconds'),
  DoorbellWait: duration('connector', 'How long a send or a command lay in its partition queue'),
  JournalAppend: duration('connector', 'One append of auth state: what a ciphertext waits for before it leaves'),

  StatusChanges: count('functions', 'Connections that came into a status', 'Status'),
  Reconnects: count('functions', 'Connections that lost their socket, by the reason shown', 'Reason'),
  Disconnects: count('functions', 'Connections that stopped, by the reason shown', 'Reason'),
  SendsSent: count('functions', "Sends that WhatsApp's server acknowledged"),
  SendsDelivered: count('functions', 'Sends that a device of the recipient acknowledged'),
  SendsFailed: count('functions', 'Sends that ended without an acknowledgement', 'Code'),
  MessagesReceived: count('functions', 'Inbound messages'),
  SendLatency: duration(
    'functions',
    "From acceptance to the acknowledgement of WhatsApp's server; scheduled sends not counted",
  ),
  SendsRejected: count('functions', 'Messages on the sends queues that became dead letters'),
  DeadLettersRedriven: count('functions', 'Dead letters that an operator put back'),
  DeadLettersDropped: count('functions', 'Dead letters that an operator deleted'),
  AuditEntriesLost: count('functions', 'Changes that were made and could not be noted in the audit log'),
  CallsRefused: count('functions', 'Calls and sends over the limit of their key'),
  WebhooksDelivered: count('functions', 'Events that an endpoint took'),
  WebhooksFailed: count('functions', 'Attempts to deliver an event that failed'),
  WebhooksPaused: count('functions', 'Endpoints that were paused because nothing could be delivered'),
  PartitionsWithoutWorker: count('functions', 'Partitions whose connections nobody holds, each minute'),
} as const satisfies Readonly<Record<string, Metric>>

export type MetricName = keyof typeof metrics

export const metricNamespace = 'Holdfast'

/** CloudWatch takes at most so many values of a metric in one line. */
export const valuesMax = 100

/** One figure, or the durations of a minute. */
export interface Figure {
  readonly name: MetricName
  readonly value: number | readonly number[]
  /** Of the metric's own dimension. */
  readonly of?: string
}

/** Of many figures one each: counts are added, durations put together (at most a hundred, as CloudWatch takes in one line). */
export function foldFigures(figures: readonly Figure[]): readonly Figure[] {
  const alike = Map.groupBy(figures, ({ name, of }) => `${name}#${of ?? ''}`)
  return [...alike.values()].map((same) => {
    const first = same[0] as Figure
    const values = same.flatMap(({ value }) => value)
    if (metrics[first.name].kind === 'duration') return { ...first, value: values.slice(0, valuesMax) }
    return { ...first, value: values.reduce((sum, value) => sum + value, 0) }
  })
}

/**
 * Lines in CloudWatch's embedded metric format, from which the metrics are made without a call
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
 * Figures of one dimension value share a line.
 *
 * @param fields said beside the figures, for whoever reads the line
 */
export function embeddedMetrics(
  stage: string,
  at: number,
  figures: readonly Figure[],
  fields: Readonly<Record<string, unknown>> = {},
): readonly string[] {
  const lines = Map.groupBy(figures, ({ name, of }) => {
    const { dimension } = metrics[name] as Metric
    return dimension === undefined || of === undefined ? '' : `${dimension}=${of}`
  })
  return [...lines.values()].map((together) => {
    const first = together[0] as Figure
    const { dimension } = metrics[first.name] as Metric
    const own = dimension === undefined || first.of === undefined ? {} : { [dimension]: first.of }
    return JSON.stringify({
      ...fields,
      service: 'holdfast',
      Stage: stage,
      ...own,
      ...Object.fromEntries(together.map(({ name, value }) => [name, value])),
      _aws: {
        Timestamp: at,
        CloudWatchMetrics: [
          {
            Namespace: metricNamespace,
            Dimensions: [['Stage'], ...Object.keys(own).map((name) => ['Stage', name])],
            Metrics: together.map(({ name }) => ({ Name: name, Unit: metrics[name].unit })),
          },
        ],
      },
    })
  })
}
