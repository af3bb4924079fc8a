/** Many doorbells at once, ten in a request: the callers that ring one by one are elsewhere, and have cores of their own. */
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import type { PartitionQueues } from '../../shared/aws/doorbells.ts'
import type { Doorbell } from '../../shared/domain/stores/doorbell.ts'
import type { PartitionId } from '../../shared/domain/words.ts'

const batchMax = 10

export async function ringAll(
  { queues, partitionQueuePrefix }: PartitionQueues,
  rings: readonly { readonly partition: PartitionId; readonly doorbell: Doorbell }[],
): Promise<void> {
  const byPartition = Map.groupBy(rings, ({ partition }) => partition)
  await Promise.all(
    [...byPartition].map(async ([partition, of]) => {
      for (let at = 0; at < of.length; at += batchMax) {
        const Entries = of.slice(at, at + batchMax).map(({ doorbell }, i) => {
          if (doorbell.kind !== 'send') throw new Error(`doorbell: expected one of a send, got ${doorbell.kind}`)
          return {
            Id: String(i),
            MessageBody: JSON.stringify(doorbell),
            MessageGroupId: doorbell.connectionId,
            MessageDeduplicationId: `${doorbell.messageId}:${doorbell.generation}`,
          }
        })
        const QueueUrl = `${partitionQueuePrefix}partition-${partition}.fifo`
        const { Failed = [] } = await queues.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
        if (Failed.length > 0) throw new Error(`${Failed.length} doorbells did not ring: ${Failed[0]?.Message}`)
      }
    }),
  )
}
