import { Duration, Fn } from 'aws-cdk-lib'
import { DeduplicationScope, FifoThroughputLimit, Queue, type QueueProps } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { acknowledge } from './acknowledge.ts'
import type { Settings } from './settings.ts'

/** What a failed message's queue is for, so that no queue is without a reason for having no dead-letter queue. */
function deadLetters(scope: Construct, id: string, props: QueueProps = {}): Queue {
  const queue = new Queue(scope, id, { retentionPeriod: Duration.days(14), enforceSSL: true, ...props })
  acknowledge(queue, 'AwsSolutions-SQS3', 'This queue is a dead-letter queue.')
  return queue
}

export const fifo: QueueProps = {
  fifo: true,
  deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
  fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
}

/** Seconds that `dispatch` may take; the visibility timeout is six times that, as Lambda's documentation asks. */
export const dispatchTimeoutSeconds = 30

export class Queues extends Construct {
  /** Other AWS services post sends here. */
  readonly sends: Queue
  readonly sendsFifo: Queue
  readonly sendsDeadLetters: Queue
  readonly sendsFifoDeadLetters: Queue
  /** One FIFO queue per partition: doorbells of sends and commands. */
  readonly partitions: readonly Queue[]
  readonly doorbellDeadLetters: Queue
  /** The URL of partition `n` is this and `partition-<n>.fifo`: one environment entry however many partitions there are. */
  readonly partitionQueueUrlPrefix: string

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id)
    const visibilityTimeout = Duration.seconds(6 * dispatchTimeoutSeconds)

    this.sendsDeadLetters = deadLetters(this, 'SendsDeadLetters')
    this.sends = new Queue(this, 'Sends', {
      visibilityTimeout,
      retentionPeriod: Duration.days(4),
      enforceSSL: true,
      deadLetterQueue: { queue: this.sendsDeadLetters, maxReceiveCount: 5 },
    })
    this.sendsFifoDeadLetters = deadLetters(this, 'SendsFifoDeadLetters', fifo)
    this.sendsFifo = new Queue(this, 'SendsFifo', {
      ...fifo,
      contentBasedDeduplication: true,
      visibilityTimeout,
      retentionPeriod: Duration.days(4),
      enforceSSL: true,
      deadLetterQueue: { queue: this.sendsFifoDeadLetters, maxReceiveCount: 5 },
    })

    this.doorbellDeadLetters = deadLetters(this, 'DoorbellDeadLetters', fifo)
    const namePrefix = `holdfast-${settings.stage}-`
    this.partitions = Array.from(
      { length: settings.partitions },
      (_, partition) =>
        new Queue(this, `Partition${partition}`, {
          ...fifo,
          queueName: `${namePrefix}partition-${partition}.fifo`,
          visibilityTimeout: Duration.seconds(30),
          retentionPeriod: Duration.days(4),
          enforceSSL: true,
          deadLetterQueue: { queue: this.doorbellDeadLetters, maxReceiveCount: 10 },
        }),
    )
    const first = this.partitions[0]
    if (first === undefined) throw new Error('partitions: at least one is needed')
    this.partitionQueueUrlPrefix = Fn.select(0, Fn.split('partition-0.fifo', first.queueUrl))
  }
}

/** A queue for what a stream function could not deliver: retried, then kept for a person. */
export function failureQueue(scope: Construct, id: string): Queue {
  return deadLetters(scope, id)
}

/** The same behind a FIFO queue. */
export function fifoFailureQueue(scope: Construct, id: string): Queue {
  return deadLetters(scope, id, fifo)
}
