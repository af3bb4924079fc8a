import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { changeFrameSchema } from '../../shared/api/live.ts'
import { parts } from '../live/pack.ts'

/** What publishing could not do, for `queues/publish-retry`. */
export const publishRetrySchema = z.discriminatedUnion('kind', [
  /** No socket of the business profile has these yet, or only some have. */
  z.strictObject({
    kind: z.literal('frames'),
    businessProfileId: z.string(),
    frames: z.array(changeFrameSchema).min(1),
  }),
  /** These sockets missed a change and could not be closed. */
  z.strictObject({ kind: z.literal('close'), socketIds: z.array(z.string()).min(1) }),
  /** A record that is not a row of ours: for a person, by way of the dead-letter queue. */
  z.strictObject({ kind: z.literal('undecodable'), sequenceNumber: z.string(), keys: z.unknown(), reason: z.string() }),
])
export type PublishRetry = z.infer<typeof publishRetrySchema>

/** SQS takes 256 KiB; envelopes need little of it. */
const frameBytesMax = 200 * 1024

export class RetryQueue {
  readonly #queues: SQSClient
  readonly #url: string

  constructor(queues: SQSClient, url: string) {
    this.#queues = queues
    this.#url = url
  }

  async put(retry: PublishRetry): Promise<void> {
    for (const part of divided(retry)) {
      await this.#queues.send(new SendMessageCommand({ QueueUrl: this.#url, MessageBody: JSON.stringify(part) }))
    }
  }
}

function divided(retry: PublishRetry): readonly PublishRetry[] {
  if (retry.kind !== 'frames') return [retry]
  return parts(retry.frames, frameBytesMax).map((frames) => ({ ...retry, frames: [...frames] }))
}
