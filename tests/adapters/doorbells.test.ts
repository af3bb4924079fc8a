import { randomUUID } from 'node:crypto'
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { directPollingClient, directQueueClient, type QueueSender } from '../../shared/aws/direct-queues.ts'
import { doorbellQueue, doorbellRinger } from '../../shared/aws/doorbells.ts'
import { doorbellContract } from '../contracts/doorbells.ts'
import { startQueuesAndObjects } from './emulators.ts'

let emulator: Awaited<ReturnType<typeof startQueuesAndObjects>>
beforeAll(async () => {
  emulator = await startQueuesAndObjects()
})
afterAll(() => emulator?.stop())

let stems = 0
const inSqs = (clients: () => { readonly queues: QueueSender; readonly polling: QueueSender }) => async () => {
  const stem = `q${++stems}-`
  const deadLetterQueueUrl = await emulator.queue(`${stem}doorbell-dlq.fifo`)
  const urls = [await emulator.queue(`${stem}partition-0.fifo`), await emulator.queue(`${stem}partition-1.fifo`)]
  const partitionQueuePrefix = urls[0]!.slice(0, -'partition-0.fifo'.length)
  const { queues, polling } = clients()
  return {
    ringer: doorbellRinger({ queues, partitionQueuePrefix }),
    queue: doorbellQueue({ queues, polling, partitionQueuePrefix, deadLetterQueueUrl }),
    async post(partition: number, body: string) {
      await emulator.queues.send(
        new SendMessageCommand({
          QueueUrl: urls[partition],
          MessageBody: body,
          MessageGroupId: 'con_1',
          MessageDeduplicationId: randomUUID(),
        }),
      )
    },
    async rejected() {
      const { Messages } = await emulator.queues.send(
        new ReceiveMessageCommand({
          QueueUrl: deadLetterQueueUrl,
          MaxNumberOfMessages: 10,
          MessageAttributeNames: ['All'],
        }),
      )
      return (Messages ?? []).map(({ Body, MessageAttributes }) => ({
        body: Body ?? '',
        reason: MessageAttributes?.reason?.StringValue,
      }))
    },
  }
}
doorbellContract(
  'SQS',
  inSqs(() => emulator),
)
doorbellContract(
  'SQS, asked directly',
  inSqs(() => ({
    queues: directQueueClient(emulator.options),
    polling: directPollingClient({ ...emulator.options, sockets: 2 }),
  })),
)

test('a trace goes beside the message, where X-Ray and the next reader look for it', async () => {
  // The emulator drops system attributes.
  const sqs = mockClient(SQSClient)
  sqs.on(SendMessageCommand).resolves({})
  const ringer = doorbellRinger({
    queues: new SQSClient({ region: 'eu-west-1' }),
    partitionQueuePrefix: 'https://sqs/',
  })
  const doorbell = { kind: 'send', businessProfileId: 'b', connectionId: 'c', messageId: 'm', generation: 1 } as const
  await ringer.ring(0, doorbell, 'Root=1')
  await ringer.ring(0, doorbell)
  const [traced, plain] = sqs.commandCalls(SendMessageCommand).map(({ args }) => args[0].input)
  sqs.restore()
  expect(traced?.MessageSystemAttributes).toEqual({ AWSTraceHeader: { DataType: 'String', StringValue: 'Root=1' } })
  expect(traced?.MessageBody).not.toContain('Root')
  expect(plain?.MessageSystemAttributes).toBeUndefined()
})
