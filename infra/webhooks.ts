import { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { Handler } from './function.ts'
import { fifo, fifoFailureQueue } from './queues.ts'
import type { Settings } from './settings.ts'
import type { Storage } from './storage.ts'

export interface WebhooksProps {
  readonly settings: Settings
  readonly storage: Storage
}

/** Events to the endpoints of business profiles: rows are the truth, the FIFO queue rings for lanes of them. */
export class Webhooks extends Construct {
  /** Doorbells; a group for each webhook and connection. */
  readonly queue: Queue
  readonly deadLetters: Queue
  readonly deliver: Handler
  readonly http: Handler

  constructor(scope: Construct, id: string, { settings, storage }: WebhooksProps) {
    super(scope, id)
    const { webhooks } = storage.tables
    // A run begins nothing after 25 s, and a call takes 12 s at most.
    const timeout = Duration.seconds(45)
    this.deadLetters = fifoFailureQueue(this, 'DeadLetters')
    this.queue = new Queue(this, 'Doorbells', {
      ...fifo,
      enforceSSL: true,
      // One doorbell an invocation: a function that died is missed after this, and two are never at one lane.
      visibilityTimeout: Duration.seconds(2 * timeout.toSeconds()),
      retentionPeriod: Duration.days(4),
      // Waiting is receiving: a doorbell that comes often is replaced long before this.
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 1000 },
    })
    const environment = { WEBHOOKS_TABLE: webhooks.tableName, WEBHOOKS_QUEUE_URL: this.queue.queueUrl }
    const sealed = { ...environment, WEBHOOKS_KEY_ARN: storage.webhookKey.keyArn }
    const allowKey = (fn: Handler, ...actions: string[]) =>
      fn.addToRolePolicy(
        new PolicyStatement({ actions: actions.map((a) => `kms:${a}`), resources: [storage.webhookKey.keyArn] }),
      )

    this.deliver = new Handler(this, 'Deliver', {
      handler: 'queues/deliver-webhooks',
      settings,
      timeout,
      environment: sealed,
    })
    const { deliver } = this
    deliver.allowTable(webhooks, 'GetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem')
    allowKey(deliver, 'Decrypt')
    deliver.allowSend(this.queue.queueArn)
    // What hangs holds up its own lane and nothing that came with it.
    deliver.consume(this.queue, { batchSize: 1, maxConcurrency: settings.webhookConcurrency })
    // It hides a doorbell until its lane may be tried again.
    deliver.addToRolePolicy(
      new PolicyStatement({ actions: ['sqs:ChangeMessageVisibility'], resources: [this.queue.queueArn] }),
    )

    const sweep = new Handler(this, 'Sweep', {
      handler: 'schedule/webhooks-sweep',
      settings,
      timeout: Duration.seconds(50),
      environment,
    })
    sweep.allowTable(webhooks, 'UpdateItem')
    sweep.allowIndex(webhooks, 'due')
    sweep.allowSend(this.queue.queueArn)
    new Rule(this, 'SweepRule', {
      description: 'Lanes of webhooks whose doorbell was lost are rung for again',
      schedule: Schedule.rate(Duration.minutes(1)),
      targets: [new LambdaFunction(sweep)],
    })

    this.http = new Handler(this, 'Http', {
      handler: 'http/webhooks',
      settings,
      // A test delivery waits for the endpoint.
      timeout: Duration.seconds(29),
      environment: sealed,
    })
    this.http.allowTable(webhooks, 'GetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem')
    allowKey(this.http, 'Encrypt', 'Decrypt')
    this.http.allowSend(this.queue.queueArn)
  }
}
