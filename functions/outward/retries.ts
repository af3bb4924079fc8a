import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { type OutwardEvent, outwardEventSchema } from '../../shared/api/events.ts'
import { parts } from '../live/pack.ts'

/** What could not be announced, for `queues/events-retry`. */
export const eventsRetrySchema = z.discriminatedUnion('kind', [
  /** Not on the bus yet. */
  z.strictObject({ kind: z.literal('bus'), events: z.array(outwardEventSchema).min(1) }),
  /** A record that is not a row of ours: for a person, by way of the dead-letter queue. */
  z.strictObject({ kind: z.literal('undecodable'), sequenceNumber: z.string(), keys: z.unknown(), reason: z.string() }),
])
export type EventsRetry =
  | { readonly kind: 'bus'; readonly events: readonly OutwardEvent[] }
  | Extract<z.infer<typeof eventsRetrySchema>, { kind: 'undecodable' }>

/** SQS takes 256 KiB; the largest event is smaller than this. */
const messageBytesMax = 230 * 1024

/** Rejects where SQS does not take it. */
export async function putAside(queues: SQSClient, url: string, retry: EventsRetry): Promise<void> {
  const messages: readonly EventsRetry[] =
    retry.kind === 'bus' ? parts(retry.events, messageBytesMax).map((events) => ({ kind: 'bus', events })) : [retry]
  for (const message of messages) {
    await queues.send(new SendMessageCommand({ QueueUrl: url, MessageBody: JSON.stringify(message) }))
  }
}
