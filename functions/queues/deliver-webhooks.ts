import { ChangeMessageVisibilityCommand, type SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { OutwardEvent } from '../../shared/api/events.ts'
import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { eventIdOf } from '../../shared/aws/ids.ts'
import { parseWebhookDoorbell, ringWebhooks, type WebhookDoorbell } from '../../shared/aws/webhook-doorbells.ts'
import { webhookLanes } from '../../shared/aws/webhook-lanes.ts'
import { webhookLog } from '../../shared/aws/webhook-log.ts'
import { webhookStore } from '../../shared/aws/webhooks.ts'
import { assertNever } from '../../shared/domain/words.ts'
import { configure } from '../config.ts'
import { count, log } from '../log.ts'
import { putOnBus } from '../outward/bus.ts'
import { intoOutbox } from '../outward/outbox.ts'
import { eventBus } from '../outward/ports.ts'
import { putAside } from '../outward/retries.ts'
import { isoNow } from '../time.ts'
import { type LanePorts, runLane } from '../webhooks/lane-run.ts'
import { poster } from '../webhooks/post.ts'
import { rememberedSecrets } from '../webhooks/secrets.ts'

const config = configure(
  'WEBHOOKS_TABLE',
  'WEBHOOKS_QUEUE_URL',
  'WEBHOOKS_KEY_ARN',
  'WEBHOOK_TARGETS',
  'WEBHOOK_BACKOFF_BASE_MS',
  'WEBHOOK_BACKOFF_MAX_MS',
  'WEBHOOK_GIVE_UP_MS',
  'WEBHOOK_LANES_AT_ONCE',
  'EVENT_BUS',
  'EVENTS_RETRY_QUEUE_URL',
)
const table = { documents: documentClient(), table: config.WEBHOOKS_TABLE }
const queues: SQSClient = queueClient()
const bus = eventBus()
const webhooks = webhookStore(table)
const lanes = webhookLanes(table)

const ports: LanePorts = {
  webhooks,
  lanes,
  log: webhookLog(table),
  secrets: rememberedSecrets(config.WEBHOOKS_KEY_ARN),
  openPoster: () => poster(config.WEBHOOK_TARGETS),
  async announcePause({ businessProfileId, webhookId, url, version }, { reason, message }) {
    count('WebhooksPaused', 1, { webhookId, reason })
    const event: OutwardEvent = {
      id: eventIdOf(businessProfileId, webhookId, version + 1, 'webhook-paused'),
      event: 'webhook-paused',
      at: isoNow(),
      businessProfileId,
      connectionId: null,
      version: version + 1,
      data: { webhookId, url, reason, message },
    }
    const left = await putOnBus(bus, config.EVENT_BUS, [event])
    if (left.length > 0) await putAside(queues, config.EVENTS_RETRY_QUEUE_URL, { kind: 'bus', events: left })
    const outbox = { webhooks, lanes, queues, queueUrl: config.WEBHOOKS_QUEUE_URL }
    await intoOutbox(outbox, businessProfileId, [{ event, order: `${event.at}#${event.id}` }], Date.now())
  },
}
const settings = {
  backoffBaseMs: config.WEBHOOK_BACKOFF_BASE_MS,
  backoffMaxMs: config.WEBHOOK_BACKOFF_MAX_MS,
  giveUpMs: config.WEBHOOK_GIVE_UP_MS,
  lanesAtOnce: config.WEBHOOK_LANES_AT_ONCE,
  // With the longest call behind it this stays below the function's timeout.
  runMs: 25_000,
}

/** A doorbell that was received this often is replaced by a new one: SQS counts, and moves away what comes too often. */
const receivesMax = 200

/** Answers the doorbells of webhooks. One that must come again is hidden until its time; its group waits with it, no other does. */
export const handler = middy<SQSEvent, SQSBatchResponse>().handler(async (event) => {
  log.resetKeys()
  const outcomes = await Promise.all(
    event.Records.map(async (record) => ({ itemIdentifier: record.messageId, done: await answer(record) })),
  )
  return { batchItemFailures: outcomes.filter(({ done }) => !done).map(({ itemIdentifier }) => ({ itemIdentifier })) }
})

/** False: it comes again. */
async function answer(record: SQSRecord): Promise<boolean> {
  const doorbell = parseWebhookDoorbell(record.body)
  if (doorbell === undefined) {
    log.error('not a doorbell', { sqsMessageId: record.messageId })
    return false
  }
  try {
    return await act(doorbell, record)
  } catch (error) {
    log.warn('a doorbell was not answered; it comes again', { kind: doorbell.kind, error: error as Error })
    return false
  }
}

async function act(doorbell: WebhookDoorbell, record: SQSRecord): Promise<boolean> {
  switch (doorbell.kind) {
    case 'lane': {
      const { kind: _, ...ref } = doorbell
      const outcome = await runLane(ports, settings, ref)
      if (outcome.kind === 'answered') return true
      if (outcome.kind === 'more' || Number(record.attributes.ApproximateReceiveCount) >= receivesMax) {
        await ring(doorbell)
        await lanes.rung(ref, outcome.kind === 'more' ? Date.now() : outcome.atMs)
        return true
      }
      await hide(record, outcome.atMs)
      return false
    }
    case 'resume': {
      const open = await lanes.openLanes(doorbell)
      await ring(...open.map((lane) => ({ kind: 'lane' as const, ...lane })))
      for (const lane of open) await lanes.rung(lane, Date.now())
      return true
    }
    case 'purge':
      if (!(await lanes.purge(doorbell))) await ring(doorbell)
      return true
    default:
      return assertNever(doorbell)
  }
}

const ring = (...doorbells: readonly WebhookDoorbell[]): Promise<void> =>
  ringWebhooks(queues, config.WEBHOOKS_QUEUE_URL, doorbells)

/** SQS counts whole seconds, at most twelve hours. */
async function hide({ receiptHandle }: SQSRecord, untilMs: number): Promise<void> {
  const seconds = Math.min(43_200, Math.max(1, Math.ceil((untilMs - Date.now()) / 1000)))
  await queues.send(
    new ChangeMessageVisibilityCommand({
      QueueUrl: config.WEBHOOKS_QUEUE_URL,
      ReceiptHandle: receiptHandle,
      VisibilityTimeout: seconds,
    }),
  )
}
