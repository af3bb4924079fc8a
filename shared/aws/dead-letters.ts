import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'

export interface DeadLetter {
  /** SQS's id of the message. */
  readonly id: string
  readonly sentAtMs: number
  readonly body: string
  /** Message attributes that are text or numbers. */
  readonly attributes: Readonly<Record<string, string>>
  readonly groupId?: string
  /** ARN of the queue that SQS itself moved it from. */
  readonly sourceArn?: string
  readonly receipt: string
}

/** SQS's limit of a batch and of a receive. */
const batchMax = 10
/** How long what is looked at stays hidden from others who look. */
const hiddenSeconds = 20
/** A queue's servers answer for themselves: an empty answer means little, two in a row enough. */
const emptyAnswersMax = 2
/** Messages that a search looks through. */
const searchedMax = 500

export interface DeadLetterQueue {
  /** Approximate. One request. */
  count(): Promise<{ readonly messages: number; readonly hidden: number }>
  /** Looks at messages and puts them back. */
  peek(limit: number): Promise<readonly DeadLetter[]>
  /** Takes out those of these ids that are found among the first 500; `keep` is called with each and says whether it goes back. */
  take(ids: readonly string[], handle: (letter: DeadLetter) => Promise<'done' | 'keep'>): Promise<ReadonlySet<string>>
}

export function deadLetterQueue(queues: SQSClient, url: string): DeadLetterQueue {
  async function receive(): Promise<readonly DeadLetter[]> {
    const { Messages } = await queues.send(
      new ReceiveMessageCommand({
        QueueUrl: url,
        MaxNumberOfMessages: batchMax,
        VisibilityTimeout: hiddenSeconds,
        WaitTimeSeconds: 1,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      }),
    )
    return (Messages ?? []).map(letterOf)
  }

  async function putBack(letters: readonly DeadLetter[]): Promise<void> {
    for (let at = 0; at < letters.length; at += batchMax) {
      const Entries = letters
        .slice(at, at + batchMax)
        .map(({ receipt }, n) => ({ Id: String(n), ReceiptHandle: receipt, VisibilityTimeout: 0 }))
      // One that cannot be put back comes back by itself.
      await queues.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries }))
    }
  }

  /** Receives until `enough`, until nothing more comes, or up to the bound; what is not wanted is put back in the end. */
  async function look(
    wanted: (letter: DeadLetter) => boolean,
    enough: (found: readonly DeadLetter[]) => boolean,
  ): Promise<readonly DeadLetter[]> {
    const found: DeadLetter[] = []
    const others: DeadLetter[] = []
    try {
      for (let empty = 0; empty < emptyAnswersMax && !enough(found) && found.length + others.length < searchedMax; ) {
        const letters = await receive()
        empty = letters.length === 0 ? empty + 1 : 0
        for (const letter of letters) (wanted(letter) ? found : others).push(letter)
      }
    } finally {
      await putBack(others)
    }
    return found
  }

  return {
    async count() {
      const { Attributes } = await queues.send(
        new GetQueueAttributesCommand({
          QueueUrl: url,
          AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
        }),
      )
      return {
        messages: Number(Attributes?.ApproximateNumberOfMessages ?? 0),
        hidden: Number(Attributes?.ApproximateNumberOfMessagesNotVisible ?? 0),
      }
    },

    async peek(limit) {
      const letters = await look(
        () => true,
        (found) => found.length >= limit,
      )
      await putBack(letters)
      return letters.slice(0, limit)
    },

    async take(ids, handle) {
      const missing = new Set(ids)
      const letters = await look(
        ({ id }) => missing.delete(id),
        () => missing.size === 0,
      )
      const kept: DeadLetter[] = []
      try {
        for (const letter of letters) {
          if ((await handle(letter)) === 'keep') kept.push(letter)
          else await queues.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: letter.receipt }))
        }
      } finally {
        await putBack(kept)
      }
      return new Set(letters.map(({ id }) => id))
    },
  }
}

function letterOf({ MessageId, Body, ReceiptHandle, Attributes, MessageAttributes }: Message): DeadLetter {
  const { MessageGroupId, DeadLetterQueueSourceArn, SentTimestamp } = Attributes ?? {}
  const texts = Object.entries(MessageAttributes ?? {}).flatMap(([name, { StringValue }]) =>
    StringValue === undefined ? [] : [[name, StringValue] as const],
  )
  return {
    id: MessageId ?? '',
    sentAtMs: Number(SentTimestamp ?? 0),
    body: Body ?? '',
    attributes: Object.fromEntries(texts),
    ...(MessageGroupId === undefined ? {} : { groupId: MessageGroupId }),
    ...(DeadLetterQueueSourceArn === undefined ? {} : { sourceArn: DeadLetterQueueSourceArn }),
    receipt: ReceiptHandle ?? '',
  }
}
