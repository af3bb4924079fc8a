import { randomUUID } from 'node:crypto'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { given } from '../../shared/api/connections.ts'
import { type DeadLetterQueueName, deadLetterQueueNames } from '../../shared/api/dead-letters.ts'
import { queueClient } from '../../shared/aws/clients.ts'
import { type DeadLetter, deadLetterQueue } from '../../shared/aws/dead-letters.ts'
import { configure } from '../config.ts'
import { redriveTo } from '../dead-letters/redrive.ts'
import { count, log } from '../log.ts'
import { httpHandler } from './stack.ts'

const config = configure(
  'SENDS_DLQ_URL',
  'SENDS_FIFO_DLQ_URL',
  'DOORBELL_DLQ_URL',
  'PUBLISH_DLQ_URL',
  'EVENTS_DLQ_URL',
  'WEBHOOKS_DLQ_URL',
  'SENDS_QUEUE_URL',
  'SENDS_FIFO_QUEUE_URL',
  'PARTITION_QUEUE_PREFIX',
  'PUBLISH_RETRY_QUEUE_URL',
  'EVENTS_RETRY_QUEUE_URL',
  'WEBHOOKS_QUEUE_URL',
)
const queues = queueClient()
const deadLetters = {
  sends: deadLetterQueue(queues, config.SENDS_DLQ_URL),
  'sends-fifo': deadLetterQueue(queues, config.SENDS_FIFO_DLQ_URL),
  doorbells: deadLetterQueue(queues, config.DOORBELL_DLQ_URL),
  publish: deadLetterQueue(queues, config.PUBLISH_DLQ_URL),
  events: deadLetterQueue(queues, config.EVENTS_DLQ_URL),
  webhooks: deadLetterQueue(queues, config.WEBHOOKS_DLQ_URL),
}
const places = {
  sendsUrl: config.SENDS_QUEUE_URL,
  sendsFifoUrl: config.SENDS_FIFO_QUEUE_URL,
  partitionPrefix: config.PARTITION_QUEUE_PREFIX,
  publishRetryUrl: config.PUBLISH_RETRY_QUEUE_URL,
  eventsRetryUrl: config.EVENTS_RETRY_QUEUE_URL,
  webhooksUrl: config.WEBHOOKS_QUEUE_URL,
}

/** What could not be done, for operators: look at it, put it back where it came from, or drop it. */
export const handler = httpHandler({
  listDeadLetterQueues: async () => {
    const counts = await Promise.all(
      deadLetterQueueNames.map(async (queue) => ({ queue, ...(await deadLetters[queue].count()) })),
    )
    return { body: { items: counts } }
  },

  peekDeadLetters: async ({ params, query }) => {
    const letters = await deadLetters[params.queue].peek(query.limit)
    return { body: { items: letters.map((letter) => shown(params.queue, letter)) } }
  },

  redriveDeadLetters: async ({ params, body }) => {
    const unknownPlace = new Set<string>()
    const found = await deadLetters[params.queue].take(body.ids, async (letter) => {
      const target = redriveTo(places, params.queue, letter)
      if (target === undefined) {
        unknownPlace.add(letter.id)
        return 'keep'
      }
      // A crash before it is deleted brings it twice: sends carry a key, doorbells and frames bear repetition.
      await queues.send(
        new SendMessageCommand({
          QueueUrl: target.url,
          MessageBody: target.body,
          ...(target.groupId === undefined
            ? {}
            : { MessageGroupId: target.groupId, MessageDeduplicationId: randomUUID() }),
        }),
      )
      return 'done'
    })
    const outcome = (id: string) =>
      !found.has(id) ? 'not_found' : unknownPlace.has(id) ? 'not_redrivable' : 'redriven'
    return told(params.queue, 'DeadLettersRedriven', body.ids, outcome)
  },

  dropDeadLetters: async ({ params, body }) => {
    const found = await deadLetters[params.queue].take(body.ids, async () => 'done')
    return told(params.queue, 'DeadLettersDropped', body.ids, (id) => (found.has(id) ? 'dropped' : 'not_found'))
  },
})

type Outcome = 'redriven' | 'dropped' | 'not_redrivable' | 'not_found'

function told(
  queue: DeadLetterQueueName,
  metric: 'DeadLettersRedriven' | 'DeadLettersDropped',
  ids: readonly string[],
  outcome: (id: string) => Outcome,
) {
  const items = [...new Set(ids)].map((id) => ({ id, outcome: outcome(id) }))
  const done = items.filter((item) => item.outcome === 'redriven' || item.outcome === 'dropped')
  if (done.length > 0) count(metric, done.length, { queue })
  log.info(metric, { queue, items })
  return { body: { items } }
}

function shown(queue: DeadLetterQueueName, letter: DeadLetter) {
  const { id, sentAtMs, body, attributes } = letter
  return {
    id,
    sentAt: new Date(sentAtMs).toISOString(),
    body,
    ...given('code', attributes.code),
    ...given('reason', attributes.reason),
    redrivable: redriveTo(places, queue, letter) !== undefined,
  }
}
