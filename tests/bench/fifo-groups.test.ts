import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startQueuesAndObjects } from '../adapters/emulators.ts'
import { fillAnswersFromGroups } from './fifo-groups.ts'

let emulator: Awaited<ReturnType<typeof startQueuesAndObjects>>
beforeAll(async () => {
  await fillAnswersFromGroups()
  emulator = await startQueuesAndObjects()
})
afterAll(() => emulator.stop())

test('an answer has ten messages of one group in their order, and none of a group of which some are on their way', async () => {
  const { queues } = emulator
  const { QueueUrl } = await queues.send(
    new CreateQueueCommand({ QueueName: 'groups.fifo', Attributes: { FifoQueue: 'true' } }),
  )
  const send = (group: string, n: number) =>
    queues.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody: `${group}${n}`,
        MessageGroupId: group,
        MessageDeduplicationId: `${group}${n}`,
      }),
    )
  const receive = async () =>
    (await queues.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }))).Messages ?? []
  for (let n = 0; n < 12; n++) await send('a', n)
  const first = await receive()
  expect(first.map(({ Body }) => Body)).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8', 'a9'])
  await send('b', 0)
  expect((await receive()).map(({ Body }) => Body)).toEqual(['b0'])
  const entries = first.map(({ ReceiptHandle }, n) => ({ Id: String(n), ReceiptHandle }))
  await queues.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: entries.slice(0, 9) }))
  expect(await receive()).toEqual([])
  await queues.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: entries.slice(9) }))
  expect((await receive()).map(({ Body }) => Body)).toEqual(['a10', 'a11'])
})
