/** Sends each new item's key on to the orders queue. */
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'

const client = new SQSClient({})

export async function handler(event: {
  readonly Records: readonly { readonly eventID: string; readonly dynamodb: { readonly Keys: unknown } }[]
}): Promise<{ batchItemFailures: never[] }> {
  for (const record of event.Records) {
    await client.send(
      new SendMessageCommand({
        QueueUrl: process.env['ORDERS_URL'],
        MessageBody: JSON.stringify(record.dynamodb.Keys),
        MessageGroupId: 'changes',
        MessageDeduplicationId: record.eventID,
      }),
    )
  }
  return { batchItemFailures: [] }
}
