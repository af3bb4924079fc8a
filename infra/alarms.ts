import { Duration } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, type IMetric, MathExpression, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { Events } from './events.ts'
import { Handler } from './function.ts'
import { ownMetric } from './metric.ts'
import type { Settings } from './settings.ts'

export interface AlarmsProps {
  readonly settings: Settings
  /** Who hears of them; absent: they are only seen in the console. */
  readonly topic?: ITopic | undefined
}

export interface Rule {
  /** Unique in a stage. */
  readonly name: string
  /** Heading of its runbook in docs/operations.md. Default: the name. */
  readonly runbook?: string
  /** What is wrong when it rings. */
  readonly says: string
  readonly metric: IMetric
  /** Rings above it, unless `below`. */
  readonly threshold: number
  readonly below?: true
  /** Periods in a row. Default: one. */
  readonly periods?: number
  /** No figures are a reason to ring as well. */
  readonly silenceRings?: true
}

/** The rules of one part. Each names the entry of the runbook that says what to do. */
export class Alarms extends Construct {
  readonly #settings: Settings
  readonly #topic: ITopic | undefined

  constructor(scope: Construct, id: string, { settings, topic }: AlarmsProps) {
    super(scope, id)
    this.#settings = settings
    this.#topic = topic
  }

  add({ name, runbook, says, metric, threshold, below, periods, silenceRings }: Rule): void {
    const alarm = new Alarm(this, name, {
      alarmName: `holdfast-${this.#settings.stage}-${name}`,
      alarmDescription: `${says} Runbook: docs/operations.md#${runbook ?? name}`,
      metric,
      threshold,
      comparisonOperator: below ? ComparisonOperator.LESS_THAN_THRESHOLD : ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods ?? 1,
      treatMissingData: silenceRings ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    })
    if (this.#topic !== undefined) alarm.addAlarmAction(new SnsAction(this.#topic))
  }
}

/**
 * Each dead letter is somebody's message or change: one is enough to ring.
 *
 * @param queues by the name that the admin API and the runbook give them
 */
export function deadLetterAlarms(alarms: Alarms, queues: Readonly<Record<string, Queue>>): void {
  for (const [name, queue] of Object.entries(queues)) {
    alarms.add({
      name: `dead-letters-${name}`,
      says: `Dead letters in "${name}".`,
      metric: queue.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: 'Maximum' }),
      threshold: 0,
    })
  }
}

/** A metric alarm reads at most ten metrics. */
const metricsPerAlarmMax = 10

/** Errors of all functions below `scope`, ten functions an alarm: `<name>-1` and so on. */
export function functionAlarms(alarms: Alarms, scope: Construct, name: string): void {
  const handlers = scope.node.findAll().filter((node) => node instanceof Handler)
  for (let first = 0; first < handlers.length; first += metricsPerAlarmMax) {
    const some = handlers.slice(first, first + metricsPerAlarmMax)
    const usingMetrics = Object.fromEntries(
      some.map((handler, n) => [`m${n}`, handler.metricErrors({ period: Duration.minutes(5) })]),
    )
    alarms.add({
      name: `${name}-${first / metricsPerAlarmMax + 1}`,
      runbook: 'function-errors',
      says: `Functions failed: ${some.map(({ node }) => node.id).join(', ')}.`,
      metric: new MathExpression({
        expression: `SUM([${Object.keys(usingMetrics).join(', ')}])`,
        usingMetrics,
        period: Duration.minutes(5),
        label: 'Errors',
      }),
      threshold: 0,
      periods: 2,
    })
  }
}

/** What connections and sends go through, whichever part is to blame. */
export function productAlarms(alarms: Alarms, settings: Settings): void {
  const fiveMinutes = Duration.minutes(5)
  alarms.add({
    name: 'connection-alarms',
    says: 'A connection met something that a person must look at; the log lines with the field `alarm` name it.',
    metric: ownMetric(settings, 'Alarms', { period: fiveMinutes }),
    threshold: 0,
  })
  alarms.add({
    name: 'partitions-without-worker',
    says: 'Connections that no worker holds.',
    metric: ownMetric(settings, 'PartitionsWithoutWorker', { statistic: 'Maximum' }),
    threshold: 0,
    periods: 3,
  })
  alarms.add({
    name: 'sends-failing',
    says: 'More than a fifth of the sends failed, of at least twenty.',
    metric: new MathExpression({
      expression: 'IF(sent + failed > 20, 100 * failed / (sent + failed), 0)',
      usingMetrics: {
        sent: ownMetric(settings, 'SendsSent', { period: fiveMinutes }),
        failed: ownMetric(settings, 'SendsFailed', { period: fiveMinutes }),
      },
      period: fiveMinutes,
      label: 'Failed sends, per cent',
    }),
    threshold: 20,
    periods: 2,
  })
}

/** A worker's own health. */
export function workerAlarms(alarms: Alarms, settings: Settings): void {
  alarms.add({
    name: 'no-worker-reports',
    says: 'No worker has written its figures for three minutes.',
    metric: ownMetric(settings, 'Connections', { statistic: 'SampleCount' }),
    threshold: 1,
    below: true,
    periods: 3,
    silenceRings: true,
  })
  alarms.add({
    name: 'workers-full',
    says: 'Workers hold nine tenths of the connections that they accept, and scaling has not helped.',
    metric: ownMetric(settings, 'Connections', { period: Duration.minutes(5) }),
    threshold: 0.9 * settings.maxConnectionsPerWorker,
    periods: 3,
  })
  alarms.add({
    name: 'worker-memory',
    says: 'A worker uses more than 85 per cent of its memory.',
    metric: ownMetric(settings, 'MemoryMegabytes', { statistic: 'Maximum' }),
    threshold: Math.round(0.85 * settings.workerMemoryMiB * 1.048576),
    periods: 5,
  })
  alarms.add({
    name: 'worker-event-loop',
    says: 'The main thread of a worker is late: leases and acknowledgements are at risk.',
    metric: ownMetric(settings, 'EventLoopDelay'),
    threshold: 500,
    periods: 5,
  })
  alarms.add({
    name: 'journal-slow',
    says: 'Appends of auth state take more than a second; every send waits for one.',
    metric: ownMetric(settings, 'JournalAppend'),
    threshold: 1_000,
    periods: 5,
  })
  alarms.add({
    name: 'doorbells-late',
    says: 'Workers take sends and commands late from their queues.',
    metric: ownMetric(settings, 'DoorbellWait'),
    threshold: 10_000,
    periods: 5,
  })
}

/** Events reach those outside in time, and endpoints take them. */
export function eventAlarms(alarms: Alarms, settings: Settings, readers: Events['readers']): void {
  for (const reader of readers) {
    const table = reader.node.id.toLowerCase()
    alarms.add({
      name: `events-late-${table}`,
      runbook: 'events-are-late',
      says: `Events of the table "${table}" leave late.`,
      metric: reader.metric('IteratorAge', { period: Duration.minutes(1), statistic: 'Maximum' }),
      threshold: Duration.minutes(10).toMilliseconds(),
      periods: 5,
    })
  }
  alarms.add({
    name: 'webhooks-paused',
    says: 'An endpoint took nothing and was paused.',
    metric: ownMetric(settings, 'WebhooksPaused', { period: Duration.minutes(5) }),
    threshold: 0,
  })
}
