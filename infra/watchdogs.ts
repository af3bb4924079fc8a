import { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { acknowledge, allObjectsFinding } from './acknowledge.ts'
import { Handler } from './function.ts'
import type { Queues } from './queues.ts'
import type { Settings } from './settings.ts'
import type { Storage } from './storage.ts'

export interface WatchdogsProps {
  readonly settings: Settings
  readonly storage: Storage
  readonly queues: Queues
}

/** What must happen although nobody calls: forgotten sends are rung for again, connections without a worker are marked, erasures go on. */
export class Watchdogs extends Construct {
  constructor(scope: Construct, id: string, { settings, storage, queues }: WatchdogsProps) {
    super(scope, id)
    const { tables } = storage
    const everyMinute = Schedule.rate(Duration.minutes(1))

    const sweep = new Handler(this, 'Sweep', {
      handler: 'schedule/sweep',
      settings,
      timeout: Duration.seconds(50),
      environment: {
        MESSAGES_TABLE: tables.messages.tableName,
        PARTITION_QUEUE_PREFIX: queues.partitionQueueUrlPrefix,
        PARTITION_COUNT: String(settings.partitions),
      },
    })
    sweep.allowTable(tables.messages, 'UpdateItem')
    sweep.allowIndex(tables.messages, 'waiting')
    sweep.allowSend(...queues.partitions.map((queue) => queue.queueArn))
    new Rule(this, 'SweepRule', { schedule: everyMinute, targets: [new LambdaFunction(sweep)] })

    const noWorker = new Handler(this, 'NoWorker', {
      handler: 'schedule/no-worker',
      settings,
      timeout: Duration.seconds(50),
      environment: {
        CONNECTIONS_TABLE: tables.connections.tableName,
        FLEET_TABLE: tables.fleet.tableName,
        PARTITION_COUNT: String(settings.partitions),
      },
    })
    noWorker.allowTable(tables.connections, 'UpdateItem')
    noWorker.allowIndex(tables.connections, 'byPartition')
    noWorker.allowTable(tables.fleet, 'Query')
    new Rule(this, 'NoWorkerRule', { schedule: everyMinute, targets: [new LambdaFunction(noWorker)] })

    const erase = new Handler(this, 'Erase', {
      handler: 'schedule/erase',
      settings,
      timeout: Duration.seconds(58),
      environment: {
        ACCOUNTS_TABLE: tables.accounts.tableName,
        CONNECTIONS_TABLE: tables.connections.tableName,
        MESSAGES_TABLE: tables.messages.tableName,
        LIVE_TABLE: tables.live.tableName,
        MEDIA_TABLE: tables.media.tableName,
        MEDIA_BUCKET: storage.mediaBucket.bucketName,
        WEBHOOKS_TABLE: tables.webhooks.tableName,
        PARTITION_QUEUE_PREFIX: queues.partitionQueueUrlPrefix,
      },
    })
    erase.allowTable(tables.accounts, 'GetItem', 'Query', 'UpdateItem', 'DeleteItem')
    erase.allowTable(tables.connections, 'GetItem', 'Query', 'UpdateItem')
    erase.allowTable(tables.messages, 'Query', 'BatchWriteItem')
    erase.allowIndex(tables.messages, 'byChat')
    erase.allowTable(tables.live, 'Query', 'DeleteItem', 'BatchWriteItem')
    erase.allowTable(tables.webhooks, 'Query', 'DeleteItem', 'BatchWriteItem')
    erase.allowTable(tables.media, 'Query', 'BatchWriteItem')
    erase.addToRolePolicy(
      new PolicyStatement({
        actions: ['s3:DeleteObject'],
        resources: [storage.mediaBucket.arnForObjects('media/*')],
      }),
    )
    erase.addToRolePolicy(
      new PolicyStatement({ actions: ['s3:ListBucket'], resources: [storage.mediaBucket.bucketArn] }),
    )
    acknowledge(
      erase.role ?? erase,
      allObjectsFinding(this, storage.mediaBucket, 'media/'),
      'Media are objects of all business profiles, named at run time; the role names the folder that holds nothing else.',
    )
    erase.allowSend(...queues.partitions.map((queue) => queue.queueArn))
    new Rule(this, 'EraseRule', { schedule: everyMinute, targets: [new LambdaFunction(erase)] })
  }
}
