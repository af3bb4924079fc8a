import type { SQSClient } from '@aws-sdk/client-sqs'
import type { DoorbellQueue, DoorbellRinger } from '../domain/stores/doorbell.ts'

export interface PartitionQueues {
  readonly queues: SQSClient
  /** `<prefix>partition-<n>.fifo` is the URL of partition n's queue. */
  readonly partitionQueuePrefix: string
}

export function doorbellRinger(_queues: PartitionQueues): DoorbellRinger {
  throw new Error('not written yet')
}

export function doorbellQueue(
  _queues: PartitionQueues & { readonly polling: SQSClient; readonly deadLetterQueueUrl: string },
): DoorbellQueue {
  throw new Error('not written yet')
}
