import { Duration } from 'aws-cdk-lib'
import type { EventBus } from 'aws-cdk-lib/aws-events'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { FilterCriteria, FilterRule, StartingPosition } from 'aws-cdk-lib/aws-lambda'
import { DynamoEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { givenUpTo, Handler } from './function.ts'
import { failureQueue } from './queues.ts'
import type { Settings } from './settings.ts'
import type { Storage } from './storage.ts'
import type { Webhooks } from './webhooks.ts'

export interface EventsProps {
  readonly settings: Settings
  readonly storage: Storage
  readonly bus: EventBus
  readonly webhooks: Webhooks
}

/**
 * Events on their way out: second readers of the streams (a stream allows two), so that a sink that fails delays no browser. They
 * put events on the bus and store them for webhooks.
 */
export class Events extends Construct {
  readonly deadLetters: Queue
  readonly retries: Queue
  /** Readers of the streams: that they keep up is watched. */
  readonly readers: readonly Handler[]

  constructor(scope: Construct, id: string, { settings, storage, bus, webhooks }: EventsProps) {
    super(scope, id)
    const { tables } = storage
    const timeout = Duration.seconds(60)
    this.deadLetters = failureQueue(this, 'DeadLetters')
    this.retries = new Queue(this, 'Retries', {
      enforceSSL: true,
      visibilityTimeout: Duration.seconds(6 * timeout.toSeconds()),
      retentionPeriod: Duration.days(4),
      // With the visibility timeout: an outage of the bus of half a day costs nobody a redrive.
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 120 },
    })

    const allowBus = (fn: Handler) => {
      fn.addEnvironment('EVENT_BUS', bus.eventBusName)
      fn.addToRolePolicy(new PolicyStatement({ actions: ['events:PutEvents'], resources: [bus.eventBusArn] }))
    }
    const announcer = (name: string, handler: string) => {
      const fn = new Handler(this, name, {
        handler,
        settings,
        timeout,
        memoryMiB: 1024,
        environment: {
          WEBHOOKS_TABLE: tables.webhooks.tableName,
          WEBHOOKS_QUEUE_URL: webhooks.queue.queueUrl,
          EVENTS_RETRY_QUEUE_URL: this.retries.queueUrl,
        },
      })
      allowBus(fn)
      fn.allowTable(tables.webhooks, 'Query', 'UpdateItem', 'BatchWriteItem')
      fn.allowSend(webhooks.queue.queueArn, this.retries.queueArn)
      return fn
    }
    const stream = {
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 100,
      bisectBatchOnError: true,
      // What no sink takes is tried for twelve hours of the day that a stream remembers; a record of which no event can be made
      // is put aside by the function itself and blocks nothing.
      retryAttempts: 10_000,
      maxRecordAge: Duration.hours(12),
      reportBatchItemFailures: true,
      onFailure: givenUpTo(this.deadLetters),
    }

    const connections = announcer('Connections', 'streams/events-connections')
    connections.addEventSource(new DynamoEventSource(tables.connections, stream))

    const messages = announcer('Messages', 'streams/events-messages')
    messages.addEventSource(
      new DynamoEventSource(tables.messages, {
        ...stream,
        filters: [
          FilterCriteria.filter({
            eventName: FilterRule.or('INSERT', 'MODIFY'),
            dynamodb: { NewImage: { direction: { S: FilterRule.or('inbound', 'outbound') } } },
          }),
          FilterCriteria.filter({
            eventName: FilterRule.or('INSERT', 'MODIFY'),
            dynamodb: {
              Keys: { key: { S: FilterRule.beginsWith('operation#') } },
              NewImage: { status: { S: FilterRule.or('succeeded', 'failed') } },
            },
          }),
          FilterCriteria.filter({
            eventName: FilterRule.or('INSERT', 'MODIFY'),
            dynamodb: { Keys: { key: { S: FilterRule.beginsWith('presence#') } } },
          }),
        ],
      }),
    )
    this.readers = [connections, messages]

    const retry = new Handler(this, 'Retry', { handler: 'queues/events-retry', settings, timeout, environment: {} })
    allowBus(retry)
    retry.consume(this.retries, { batchSize: 10 })

    // An endpoint that is paused is told of by the function that pauses it.
    allowBus(webhooks.deliver)
    webhooks.deliver.addEnvironment('EVENTS_RETRY_QUEUE_URL', this.retries.queueUrl)
    webhooks.deliver.allowSend(this.retries.queueArn)
  }
}
