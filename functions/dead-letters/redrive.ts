import type { DeadLetterQueueName } from '../../shared/api/dead-letters.ts'
import type { DeadLetter } from '../../shared/aws/dead-letters.ts'
import { parseDoorbell } from '../../shared/aws/doorbells.ts'
import { groupOf, parseWebhookDoorbell } from '../../shared/aws/webhook-doorbells.ts'
import { assertNever } from '../../shared/domain/words.ts'
import { eventsRetrySchema } from '../outward/retries.ts'
import { publishRetrySchema } from '../streams/retry-queue.ts'

export interface RedrivePlaces {
  readonly sendsUrl: string
  readonly sendsFifoUrl: string
  /** This and `partition-<n>.fifo` is the URL of partition n's queue. */
  readonly partitionPrefix: string
  readonly publishRetryUrl: string
  readonly eventsRetryUrl: string
  readonly webhooksUrl: string
}

export interface RedriveTarget {
  readonly url: string
  readonly body: string
  /** Of a FIFO queue. */
  readonly groupId?: string
}

/** Where a dead letter came from. Undefined where that is not known, or where it could not be understood there, either. */
export function redriveTo(
  places: RedrivePlaces,
  queue: DeadLetterQueueName,
  letter: DeadLetter,
): RedriveTarget | undefined {
  switch (queue) {
    case 'sends':
      return { url: places.sendsUrl, body: withKey(letter) }
    case 'sends-fifo':
      return {
        url: places.sendsFifoUrl,
        body: withKey(letter),
        groupId: letter.attributes.groupId ?? letter.groupId ?? letter.id,
      }
    case 'doorbells': {
      const partition = letter.attributes.partition ?? /partition-(\d+)\.fifo$/.exec(letter.sourceArn ?? '')?.[1]
      const parsed = parseDoorbell(letter.body)
      if (partition === undefined || !('doorbell' in parsed)) return undefined
      const { kind, connectionId } = parsed.doorbell
      const groupId = kind === 'send' ? connectionId : `command:${connectionId}`
      return { url: `${places.partitionPrefix}partition-${partition}.fifo`, body: letter.body, groupId }
    }
    case 'publish': {
      // What a stream could not deliver names its records, and the stream forgets them within a day.
      const retry = publishRetrySchema.safeParse(json(letter.body))
      if (!retry.success || retry.data.kind === 'undecodable') return undefined
      return { url: places.publishRetryUrl, body: letter.body }
    }
    case 'events': {
      // As above: what a stream gave up names its records only.
      const retry = eventsRetrySchema.safeParse(json(letter.body))
      if (!retry.success || retry.data.kind === 'undecodable') return undefined
      return { url: places.eventsRetryUrl, body: letter.body }
    }
    case 'webhooks': {
      const doorbell = parseWebhookDoorbell(letter.body)
      if (doorbell === undefined) return undefined
      return { url: places.webhooksUrl, body: letter.body, groupId: groupOf(doorbell) }
    }
    default:
      return assertNever(queue)
  }
}

/** A send without a key is known by its SQS message id, which a redrive would change: the first one becomes its key. */
function withKey({ id, body, attributes }: DeadLetter): string {
  const send = json(body)
  if (typeof send !== 'object' || send === null || Array.isArray(send) || 'idempotencyKey' in send) return body
  return JSON.stringify({ ...send, idempotencyKey: `sqs:${attributes.sourceMessageId ?? id}` })
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
