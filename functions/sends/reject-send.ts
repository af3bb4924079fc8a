import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import type { SQSRecord } from 'aws-lambda'
import { count } from '../log.ts'

export interface SendDeadLetters {
  readonly queues: SQSClient
  readonly standardUrl: string
  readonly fifoUrl: string
}

const reasonCharactersMax = 1_000

/** Puts a message as it came into the dead-letter queue of the queue that it came from, with the reason as attributes, and counts it. */
export async function rejectSend(
  { queues, standardUrl, fifoUrl }: SendDeadLetters,
  record: SQSRecord,
  { code, reason }: { readonly code: string; readonly reason: string },
): Promise<void> {
  const group = record.attributes.MessageGroupId
  const fifo = record.eventSourceARN.endsWith('.fifo')
  await queues.send(
    new SendMessageCommand({
      QueueUrl: fifo ? fifoUrl : standardUrl,
      MessageBody: record.body,
      MessageAttributes: {
        code: { DataType: 'String', StringValue: code },
        reason: { DataType: 'String', StringValue: printable(reason) },
        sourceMessageId: { DataType: 'String', StringValue: record.messageId },
        ...(group === undefined ? {} : { groupId: { DataType: 'String', StringValue: group } }),
      },
      // A group of its own, so that whoever looks at one hides no other.
      ...(fifo ? { MessageGroupId: record.messageId, MessageDeduplicationId: record.messageId } : {}),
    }),
  )
  count('SendsRejected', 1, { code, reason: printable(reason), sqsMessageId: record.messageId })
}

/** A field's name is the sender's: SQS takes no control characters. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, reasonCharactersMax)
}
