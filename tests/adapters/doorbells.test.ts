import { randomUUID } from 'node:crypto'
import { ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll } from 'vitest'
import { doorbellQueue, doorbellRinger } from '../../shared/aws/doorbells.ts'
import { doorbellContract } from '../contracts/doorbells.ts'
import { startQueuesAndObjects } from './emulators.ts'

let emulator: Awaited<ReturnType<typeof startQueuesAndObjects>>
beforeAll(async () => {
  emulator = await startQueuesAndObjects()
})
afterAll(() => emulator?.stop())

let queues = 0
doorbellContract('SQS', async () => {
  const stem = `q${++queues}-`
  const deadLetterQueueUrl = await emulator.queue(`${stem}doorbell-dlq.fifo`)
  const urls = [await emulator.queue(`${stem}partition-0.fifo`), await emulator.queue(`${stem}partition-1.fifo`)]
  const partitionQueuePrefix = urls[0]!.slice(0, -'partition-0.fifo'.length)
  const places = { queues: emulator.queues, partitionQueuePrefix }
  return {
    ringer: doorbellRinger(places),
    queue: doorbellQueue({ ...places, polling: emulator.polling, deadLetterQueueUrl }),
    async post(partition, body) {
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
})
