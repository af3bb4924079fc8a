import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { type ClientOptions, pollingQueueClient, queueClient } from './clients.ts'
import { DirectPosts } from './direct-posts.ts'

export type QueueSender = Pick<SQSClient, 'send'>

/**
 * What a connector asks of its partition's queue again and again, directly first. The SDK besides compares the MD5 of
 * received bodies, which answers that came whole over TLS do not need.
 */
const operations = new Map<unknown, string>([
  [ReceiveMessageCommand, 'ReceiveMessage'],
  [DeleteMessageBatchCommand, 'DeleteMessageBatch'],
  [ChangeMessageVisibilityBatchCommand, 'ChangeMessageVisibilityBatch'],
])

/** As {@link queueClient}. */
export function directQueueClient(options: ClientOptions = {}): QueueSender {
  return direct(queueClient({ ...options, attempts: 3 }), { ...options, silenceMs: 5_000 })
}

/** As {@link pollingQueueClient}. */
export function directPollingClient(options: ClientOptions & { readonly sockets: number }): QueueSender {
  return direct(pollingQueueClient({ ...options, attempts: 1 }), { ...options, silenceMs: 25_000 })
}

function direct(sdk: SQSClient, options: ClientOptions & { readonly silenceMs: number }): QueueSender {
  const posts = new DirectPosts(sdk, { ...options, service: 'sqs' })
  async function send(command: { readonly input: { readonly QueueUrl?: string } }): Promise<object> {
    const operation = operations.get(command.constructor)
    if (operation !== undefined) {
      const write = () => JSON.stringify(command.input)
      const output = await posts.post(`AmazonSQS.${operation}`, write, JSON.parse, command.input.QueueUrl)
      if (output !== undefined) return output
    }
    return sdk.send(command as never)
  }
  return { send: send as SQSClient['send'] }
}
