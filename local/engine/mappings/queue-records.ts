/** SQS messages as Lambda shows them to a function. */
import type { Message } from '@aws-sdk/client-sqs'

/** One of `Records` in the event of an SQS event source mapping. */
export interface QueueRecord {
  readonly messageId: string
  readonly receiptHandle: string
  readonly body: string
  readonly attributes: Readonly<Record<string, string>>
  readonly messageAttributes: Readonly<Record<string, QueueMessageAttribute>>
  readonly md5OfBody: string
  readonly md5OfMessageAttributes?: string
  readonly eventSource: 'aws:sqs'
  readonly eventSourceARN: string
  readonly awsRegion: string
}

export interface QueueMessageAttribute {
  readonly stringValue?: string
  /** Base64. */
  readonly binaryValue?: string
  readonly stringListValues: readonly string[]
  readonly binaryListValues: readonly string[]
  readonly dataType: string
}

export function queueRecord(message: Message, queueArn: string): QueueRecord {
  const [, , , region = ''] = queueArn.split(':')
  const md5OfMessageAttributes = message.MD5OfMessageAttributes
  return {
    messageId: message.MessageId ?? '',
    receiptHandle: message.ReceiptHandle ?? '',
    body: message.Body ?? '',
    attributes: message.Attributes ?? {},
    messageAttributes: messageAttributes(message),
    md5OfBody: message.MD5OfBody ?? '',
    ...(md5OfMessageAttributes === undefined ? {} : { md5OfMessageAttributes }),
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: region,
  }
}

function messageAttributes(message: Message): Readonly<Record<string, QueueMessageAttribute>> {
  const shown: Record<string, QueueMessageAttribute> = {}
  for (const [name, attribute] of Object.entries(message.MessageAttributes ?? {})) {
    const { StringValue, BinaryValue, DataType } = attribute
    shown[name] = {
      ...(StringValue === undefined ? {} : { stringValue: StringValue }),
      ...(BinaryValue === undefined ? {} : { binaryValue: Buffer.from(BinaryValue).toString('base64') }),
      stringListValues: [],
      binaryListValues: [],
      dataType: DataType ?? 'String',
    }
  }
  return shown
}

/**
 * What may be deleted after the function reported `failed` message ids. In a FIFO queue what follows a failed message of its
 * group stays too, or the group's order would be lost; `outOfOrder` counts those that the function did not report itself.
 */
export function finishedRecords(
  records: readonly QueueRecord[],
  failed: ReadonlySet<string>,
  fifo: boolean,
): { readonly finished: readonly QueueRecord[]; readonly outOfOrder: number } {
  const stuckGroups = new Set<string>()
  const finished: QueueRecord[] = []
  let outOfOrder = 0
  for (const record of records) {
    const group = record.attributes.MessageGroupId ?? ''
    if (failed.has(record.messageId)) {
      stuckGroups.add(group)
    } else if (fifo && stuckGroups.has(group)) {
      outOfOrder += 1
    } else {
      finished.push(record)
    }
  }
  return { finished, outOfOrder }
}
