import { createHash, randomUUID } from 'node:crypto'
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import { z } from 'zod'
import type { Doorbell, DoorbellQueue, DoorbellRinger, ReceivedDoorbell } from '../domain/stores/doorbell.ts'
import { assertNever, chatPresences, commandKinds, type PartitionId } from '../domain/words.ts'
import type { QueueSender } from './direct-queues.ts'

export interface PartitionQueues {
  readonly queues: QueueSender
  /** `<prefix>partition-<n>.fifo` is the URL of partition n's queue. */
  readonly partitionQueuePrefix: string
}

const ref = { businessProfileId: z.string().min(1), connectionId: z.string().min(1) }
/** Fields that a newer ringer may add are left out: during a deploy both are running. */
const body = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('send'),
    ...ref,
    messageId: z.string().min(1),
    generation: z.number().int().nonnegative(),
  }),
  z.object({ kind: z.literal('settings'), ...ref, version: z.number().int().nonnegative() }),
  z.object({
    kind: z.literal('gesture'),
    ...ref,
    gestureId: z.string().min(1),
    gesture: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('read'), messageId: z.string().min(1) }),
      z.object({ kind: z.literal('presence'), chat: z.string().min(1), presence: z.enum(chatPresences) }),
    ]),
  }),
  z.object({ kind: z.literal('operation'), ...ref, operationId: z.string().min(1), ringId: z.string().min(1) }),
  z.object({ kind: z.literal('command'), ...ref, command: z.enum(commandKinds), commandId: z.string().min(1) }),
])

const queueUrl = (prefix: string, partition: PartitionId): string => `${prefix}partition-${partition}.fifo`

/** Commands have groups of their own, so that one overtakes the sends that wait; so have operations. */
function groupOf({ kind, connectionId }: Doorbell): string {
  if (kind === 'send') return connectionId
  return `${kind === 'operation' ? kind : 'command'}:${connectionId}`
}

/** A generation per ring, so that a second ring within the five minutes of deduplication is not swallowed. */
function deduplicationId(doorbell: Doorbell): string {
  switch (doorbell.kind) {
    case 'send':
      return `${doorbell.messageId}:${doorbell.generation}`
    case 'settings':
      return `${doorbell.connectionId}:${doorbell.version}`
    case 'gesture':
      return doorbell.gestureId
    case 'operation':
      return doorbell.ringId
    case 'command':
      return doorbell.commandId
    default:
      return assertNever(doorbell)
  }
}

/** One request a ring. */
export function doorbellRinger({ queues, partitionQueuePrefix }: PartitionQueues): DoorbellRinger {
  return {
    async ring(partition, doorbell, trace) {
      await queues.send(
        new SendMessageCommand({
          QueueUrl: queueUrl(partitionQueuePrefix, partition),
          MessageBody: JSON.stringify(doorbell),
          MessageGroupId: groupOf(doorbell),
          MessageDeduplicationId: deduplicationId(doorbell),
          ...(trace === undefined
            ? {}
            : { MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: trace } } }),
        }),
      )
    },
  }
}

/** Never throws: a body that is no doorbell is the sender's mistake, and must block nothing. */
export function parseDoorbell(text: string): { readonly doorbell: Doorbell } | { readonly problem: string } {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return { problem: 'body: expected JSON' }
  }
  const parsed = body.safeParse(json)
  if (parsed.success) return { doorbell: parsed.data }
  const [issue] = parsed.error.issues
  return { problem: `${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'expected a doorbell'}` }
}

function receivedOf(text: string, receipt: string, sentAt: number): ReceivedDoorbell {
  return { receipt, body: text, ...(Number.isNaN(sentAt) ? {} : { sentAt }), ...parseDoorbell(text) }
}

/** SQS's limit of a batch and of a receive. */
const batchMax = 10

interface BatchFailure {
  readonly Id: string | undefined
  readonly SenderFault: boolean | undefined
  readonly Code: string | undefined
}

/**
 * @param polling a client with as many sockets as there are partitions to poll (`pollingQueueClient`).
 * @param deadLetterQueueUrl a FIFO queue.
 */
export function doorbellQueue({
  queues,
  polling,
  partitionQueuePrefix,
  deadLetterQueueUrl,
}: PartitionQueues & { readonly polling: QueueSender; readonly deadLetterQueueUrl: string }): DoorbellQueue {
  /**
   * A receipt that SQS no longer knows is no failure: its message went to another poll, and the row decides there. What
   * SQS itself could not do is asked for once more.
   */
  async function inBatches(
    receipts: readonly string[],
    send: (entries: { Id: string; ReceiptHandle: string }[]) => Promise<readonly BatchFailure[]>,
  ): Promise<void> {
    for (let i = 0; i < receipts.length; i += batchMax) {
      const entries = receipts.slice(i, i + batchMax).map((receipt, n) => ({ Id: String(n), ReceiptHandle: receipt }))
      const failed = (await send(entries)).filter((failure) => failure.SenderFault !== true)
      if (failed.length === 0) continue
      const ids = new Set(failed.map((failure) => failure.Id))
      const again = (await send(entries.filter((entry) => ids.has(entry.Id)))).find((f) => f.SenderFault !== true)
      if (again !== undefined) throw new Error(`${ids.size} messages could not be settled: ${again.Code}`)
    }
  }

  const done: DoorbellQueue['done'] = (partition, receipts) =>
    inBatches(receipts, async (Entries) => {
      const QueueUrl = queueUrl(partitionQueuePrefix, partition)
      const { Failed } = await queues.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
      return (Failed ?? []) as BatchFailure[]
    })

  return {
    done,

    async receive(partition, waitSeconds) {
      const { Messages } = await polling.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl(partitionQueuePrefix, partition),
          MaxNumberOfMessages: batchMax,
          WaitTimeSeconds: waitSeconds,
          MessageSystemAttributeNames: ['SentTimestamp'],
          // A retry after a lost answer gets the same messages; without it their groups stand still for the visibility timeout.
          ReceiveRequestAttemptId: randomUUID(),
        }),
      )
      return (Messages ?? []).map(({ Body, ReceiptHandle, Attributes }) =>
        receivedOf(Body ?? '', ReceiptHandle ?? '', Number.parseInt(Attributes?.SentTimestamp ?? '', 10)),
      )
    },

    handBack: (partition, receipts) =>
      inBatches(receipts, async (entries) => {
        const QueueUrl = queueUrl(partitionQueuePrefix, partition)
        const Entries = entries.map((entry) => ({ ...entry, VisibilityTimeout: 0 }))
        const { Failed } = await queues.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }))
        return (Failed ?? []) as BatchFailure[]
      }),

    async reject(partition, message) {
      const hash = createHash('sha256').update(`${partition}\n${message.body}`).digest('hex')
      await queues.send(
        new SendMessageCommand({
          QueueUrl: deadLetterQueueUrl,
          MessageBody: message.body,
          // A group of its own, so that whoever looks at one hides no other.
          MessageGroupId: hash,
          // A crash before the deletion below brings the message again: the same text is put aside once.
          MessageDeduplicationId: hash,
          MessageAttributes: {
            reason: { DataType: 'String', StringValue: message.problem ?? 'rejected' },
            partition: { DataType: 'Number', StringValue: String(partition) },
          },
        }),
      )
      await done(partition, [message.receipt])
    },
  }
}
