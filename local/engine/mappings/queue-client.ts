/** The calls that a queue mapping makes, as the function's own role. */
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import type { QueueMappingSpec } from '../contracts.ts'
import { type QueueRecord, queueRecord } from './queue-records.ts'

export interface MappedQueue {
  visibilityTimeoutSeconds(): Promise<number>
  receive(count: number, waitSeconds: number): Promise<readonly QueueRecord[]>
  /** The message ids that could not be deleted. */
  delete(records: readonly QueueRecord[]): Promise<readonly string[]>
  /** Makes the messages visible at once. */
  handBack(records: readonly QueueRecord[]): Promise<void>
  close(): void
}

/** SQS takes ten entries in a batch call. */
const entriesMax = 10

export function createMappedQueue(spec: QueueMappingSpec): MappedQueue {
  const client = new SQSClient({ ...spec.client })
  const QueueUrl = spec.queueUrl
  return {
    async visibilityTimeoutSeconds() {
      const { Attributes } = await client.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['VisibilityTimeout'] }),
      )
      return Number(Attributes?.VisibilityTimeout ?? 30)
    },
    async receive(count, waitSeconds) {
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: Math.min(count, entriesMax),
          WaitTimeSeconds: waitSeconds,
          MessageSystemAttributeNames: ['All'],
          MessageAttributeNames: ['All'],
        }),
      )
      return Messages.map((message) => queueRecord(message, spec.queueArn))
    },
    async delete(records) {
      const failed: string[] = []
      for (const some of inTens(records)) {
        const Entries = some.map(({ receiptHandle }, index) => ({ Id: String(index), ReceiptHandle: receiptHandle }))
        const answer = await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
        failed.push(...(answer.Failed ?? []).map(({ Id }) => some[Number(Id)]?.messageId ?? ''))
      }
      return failed
    },
    async handBack(records) {
      for (const some of inTens(records)) {
        const Entries = some.map(({ receiptHandle }, index) => ({
          Id: String(index),
          ReceiptHandle: receiptHandle,
          VisibilityTimeout: 0,
        }))
        await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }))
      }
    },
    close: () => client.destroy(),
  }
}

function* inTens(records: readonly QueueRecord[]): Generator<readonly QueueRecord[]> {
  for (let index = 0; index < records.length; index += entriesMax) yield records.slice(index, index + entriesMax)
}
