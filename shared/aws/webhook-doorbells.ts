import { randomUUID } from 'node:crypto'
import { SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs'
import type { LaneRef, WebhookRef } from '../domain/webhooks.ts'

/** What the webhooks' queue says. It names rows and carries nothing of any event. */
export type WebhookDoorbell =
  /** Look at this lane. */
  | ({ readonly kind: 'lane' } & LaneRef)
  /** Ring for all open lanes of this webhook: it was resumed. */
  | ({ readonly kind: 'resume' } & WebhookRef)
  /** Remove what is kept of this webhook: it is gone. */
  | ({ readonly kind: 'purge' } & WebhookRef)

/** One lane, one group: its doorbells are answered one at a time, and what waits holds up no other lane. */
export const groupOf = (doorbell: WebhookDoorbell): string =>
  doorbell.kind === 'lane' ? `${doorbell.webhookId}:${doorbell.lane}` : `${doorbell.webhookId}:${doorbell.kind}`

/** SQS's limit. */
const batchMax = 10

/** Rings; a doorbell that rings twice does no harm. @throws where SQS did not take all */
export async function ringWebhooks(
  queues: SQSClient,
  url: string,
  doorbells: readonly WebhookDoorbell[],
): Promise<void> {
  for (let at = 0; at < doorbells.length; at += batchMax) {
    const { Failed = [] } = await queues.send(
      new SendMessageBatchCommand({
        QueueUrl: url,
        Entries: doorbells.slice(at, at + batchMax).map((doorbell, n) => ({
          Id: String(n),
          MessageBody: JSON.stringify(doorbell),
          MessageGroupId: groupOf(doorbell),
          MessageDeduplicationId: randomUUID(),
        })),
      }),
    )
    if (Failed.length > 0) throw new Error(`${Failed.length} doorbells were not taken: ${Failed[0]?.Code}`)
  }
}

const texts = (value: object, names: readonly string[]): boolean =>
  names.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'string')

/** Undefined for what is no doorbell. */
export function parseWebhookDoorbell(body: string): WebhookDoorbell | undefined {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || !texts(value, ['kind', 'businessProfileId', 'webhookId'])) {
    return undefined
  }
  const { kind } = value as { readonly kind: string }
  if (kind === 'lane') return texts(value, ['lane']) ? (value as WebhookDoorbell) : undefined
  return kind === 'resume' || kind === 'purge' ? (value as WebhookDoorbell) : undefined
}
