import type { SQSClient } from '@aws-sdk/client-sqs'
import type { OutwardEvent } from '../../shared/api/events.ts'
import { ringWebhooks } from '../../shared/aws/webhook-doorbells.ts'
import type { PendingEvent, WebhookLanes } from '../../shared/aws/webhook-lanes.ts'
import type { Webhooks } from '../../shared/aws/webhooks.ts'
import { type LaneRef, profileLane, wants } from '../../shared/domain/webhooks.ts'
import type { BusinessProfileId } from '../../shared/domain/words.ts'
import { bounded } from '../bounded.ts'
import { log } from '../log.ts'

/** An event and its place among those of its connection. */
export interface PlacedEvent {
  readonly event: OutwardEvent
  readonly order: string
}

export interface OutboxPorts {
  readonly webhooks: Pick<Webhooks, 'list'>
  readonly lanes: Pick<WebhookLanes, 'enqueue' | 'rung'>
  readonly queues: SQSClient
  readonly queueUrl: string
}

const lanesAtOnce = 8

/**
 * Stores events for every webhook of the business profile that wants them, and rings. Rejects where they could not be stored;
 * a doorbell that could not be rung is the sweep's.
 */
export async function intoOutbox(
  { webhooks, lanes, queues, queueUrl }: OutboxPorts,
  businessProfileId: BusinessProfileId,
  events: readonly PlacedEvent[],
  nowMs: number,
): Promise<void> {
  const endpoints = await webhooks.list(businessProfileId)
  const waitingSince = new Date(nowMs).toISOString()
  const ways = endpoints.flatMap((webhook) => {
    const wanted = events.filter(({ event }) => wants(webhook, event))
    const byLane = Map.groupBy(wanted, ({ event }) => event.connectionId ?? profileLane)
    return [...byLane].map(([lane, placed]) => ({
      ref: { businessProfileId, webhookId: webhook.webhookId, lane } satisfies LaneRef,
      paused: webhook.state === 'paused',
      keptDays: webhook.eventsDays,
      pending: placed.map(({ event, order }) => pendingEvent(event, order, waitingSince)),
    }))
  })
  const toRing: LaneRef[] = []
  await bounded(ways, lanesAtOnce, async ({ ref, paused, pending, keptDays }) => {
    const { ring } = await lanes.enqueue(ref, pending, nowMs, keptDays)
    // Should it be resumed at this moment, the sweep rings for what came meanwhile.
    if (ring && !paused) toRing.push(ref)
  })
  if (toRing.length === 0) return
  try {
    await ringWebhooks(
      queues,
      queueUrl,
      toRing.map((lane) => ({ kind: 'lane', ...lane })),
    )
    await bounded(toRing, lanesAtOnce, (lane) => lanes.rung(lane, nowMs))
  } catch (error) {
    log.warn('webhooks were not rung for; the sweep will', { lanes: toRing.length, error: error as Error })
  }
}

export const pendingEvent = (event: OutwardEvent, order: string, waitingSince: string): PendingEvent => ({
  order,
  eventId: event.id,
  event: event.event,
  at: event.at,
  body: JSON.stringify(event),
  waitingSince,
})
