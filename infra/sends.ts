import { Duration } from 'aws-cdk-lib'
import { Construct } from 'constructs'
import { Handler } from './function.ts'
import { dispatchTimeoutSeconds, type Queues } from './queues.ts'
import type { Settings } from './settings.ts'
import type { Storage } from './storage.ts'

export interface SendsProps {
  readonly settings: Settings
  readonly storage: Storage
  readonly queues: Queues
}

/** The way in for other AWS services: two queues, one function that accepts what they hold. */
export class Sends extends Construct {
  constructor(scope: Construct, id: string, { settings, storage, queues }: SendsProps) {
    super(scope, id)
    const { tables } = storage
    const dispatch = new Handler(this, 'Dispatch', {
      handler: 'queues/dispatch',
      settings,
      timeout: Duration.seconds(dispatchTimeoutSeconds),
      environment: {
        ACCOUNTS_TABLE: tables.accounts.tableName,
        CONNECTIONS_TABLE: tables.connections.tableName,
        MESSAGES_TABLE: tables.messages.tableName,
        MESSAGE_RETENTION_DAYS: String(settings.messageRetentionDays),
        PARTITION_QUEUE_PREFIX: queues.partitionQueueUrlPrefix,
        SENDS_DLQ_URL: queues.sendsDeadLetters.queueUrl,
        SENDS_FIFO_DLQ_URL: queues.sendsFifoDeadLetters.queueUrl,
      },
    })
    dispatch.allowTable(tables.connections, 'GetItem')
    dispatch.allowItems(tables.accounts, ['usage#*'], 'UpdateItem')
    dispatch.allowTable(tables.messages, 'GetItem', 'PutItem', 'UpdateItem')
    dispatch.allowIndex(tables.messages, 'waiting')
    dispatch.allowSend(
      queues.sendsDeadLetters.queueArn,
      queues.sendsFifoDeadLetters.queueArn,
      ...queues.partitions.map((queue) => queue.queueArn),
    )
    dispatch.consume(queues.sends, { batchSize: 10 })
    dispatch.consume(queues.sendsFifo, { batchSize: 10 })
  }
}
