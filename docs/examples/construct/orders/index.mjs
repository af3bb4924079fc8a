import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'

const queues = new SQSClient()

/** Tells a customer that an order is on its way. The order's id makes it one message, however often this runs. */
export async function handler({ orderId, businessProfileId, connectionId, phoneNumber }) {
  const send = {
    version: 1,
    businessProfileId,
    connectionId,
    to: phoneNumber,
    type: 'text',
    text: { body: `Your order ${orderId} is on its way.` },
    idempotencyKey: `order-${orderId}`,
  }
  await queues.send(
    new SendMessageCommand({ QueueUrl: process.env.SENDS_QUEUE_URL, MessageBody: JSON.stringify(send) }),
  )
}
