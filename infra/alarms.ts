import { Duration } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { Settings } from './settings.ts'

export interface DeadLetterAlarmsProps {
  readonly settings: Settings
  /** By the name that the admin API and the runbook give it. */
  readonly queues: Readonly<Record<string, Queue>>
}

/** Each dead letter is somebody's message or change: one is enough to ring. */
export class DeadLetterAlarms extends Construct {
  constructor(scope: Construct, id: string, { settings, queues }: DeadLetterAlarmsProps) {
    super(scope, id)
    for (const [name, queue] of Object.entries(queues)) {
      new Alarm(this, name, {
        alarmName: `holdfast-${settings.stage}-dead-letters-${name}`,
        alarmDescription: `Dead letters in "${name}". Runbook: docs/operations.md#dead-letters-${name}`,
        metric: queue.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: 'Maximum' }),
        threshold: 0,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: 1,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      })
    }
  }
}
