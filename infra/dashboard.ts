import { Duration } from 'aws-cdk-lib'
import { Dashboard, GraphWidget, type IMetric, Row } from 'aws-cdk-lib/aws-cloudwatch'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { metrics } from '../shared/domain/metrics.ts'
import { ownMetric } from './metric.ts'
import type { Settings } from './settings.ts'

export interface ProductDashboardProps {
  readonly settings: Settings
  /** By name. */
  readonly deadLetters: Readonly<Record<string, Queue>>
}

const width = 8

/** One page for an operator: are connections up, do sends arrive, are the workers well, what is left for a person. */
export class ProductDashboard extends Construct {
  constructor(scope: Construct, id: string, { settings, deadLetters }: ProductDashboardProps) {
    super(scope, id)
    const graph = (title: string, left: readonly IMetric[], stacked = false) =>
      new GraphWidget({ title, left: [...left], width, height: 6, stacked, liveData: true })
    const fleet = { statistic: 'Sum', period: Duration.minutes(1) }
    const own = (...names: readonly (keyof typeof metrics)[]) => names.map((name) => ownMetric(settings, name))
    const inAll = (...names: readonly (keyof typeof metrics)[]) => names.map((name) => ownMetric(settings, name, fleet))

    new Dashboard(this, 'Dashboard', {
      dashboardName: `holdfast-${settings.stage}`,
      defaultInterval: Duration.hours(3),
      widgets: [
        [
          new Row(
            graph('Connections', inAll('ConnectionsOpen', 'ConnectionsTrying', 'ConnectionsStopped'), true),
            graph('Changes of status', own('StatusChanges', 'Reconnects', 'Disconnects')),
            graph('Restores', [...own('Restores'), ...inAll('RestoresPending')]),
          ),
        ],
        [
          new Row(
            graph('Messages', own('SendsSent', 'SendsDelivered', 'SendsFailed', 'MessagesReceived')),
            graph('From acceptance to acknowledgement (ms)', [
              ownMetric(settings, 'SendLatency', { statistic: 'p50' }),
              ownMetric(settings, 'SendLatency', { statistic: 'p95' }),
              ownMetric(settings, 'SendLatency', { statistic: 'p99' }),
            ]),
            graph('Waiting', [...inAll('SendsWaiting'), ...own('DoorbellWait')]),
          ),
        ],
        [
          new Row(
            graph('Connections per worker', [
              ownMetric(settings, 'Connections'),
              ownMetric(settings, 'Connections', { statistic: 'Maximum' }),
            ]),
            graph('Journal and event loop (ms)', own('JournalAppend', 'EventLoopDelay')),
            graph('Memory per worker (MB)', [ownMetric(settings, 'MemoryMegabytes', { statistic: 'Maximum' })]),
          ),
        ],
        [
          new Row(
            graph('For a person', own('Alarms', 'PartitionsWithoutWorker', 'SendsRejected')),
            graph(
              'Dead letters',
              Object.values(deadLetters).map((queue) =>
                queue.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: 'Maximum' }),
              ),
            ),
          ),
        ],
      ],
    })
  }
}
