import { newDeliveryId } from '../../shared/aws/ids.ts'
import type { PendingEvent } from '../../shared/aws/webhook-lanes.ts'
import type { LoggedDelivery, WebhookLog } from '../../shared/aws/webhook-log.ts'
import type { SecretSeal } from '../../shared/aws/webhook-secrets.ts'
import type { Attempt, Webhook } from '../../shared/domain/webhooks.ts'
import { count, log } from '../log.ts'
import type { Poster } from './post.ts'
import { signedHeaders } from './sign.ts'

export interface DeliverPorts {
  readonly secrets: Pick<SecretSeal, 'open'>
  readonly log: Pick<WebhookLog, 'add'>
}

/** One attempt to deliver one event, signed, and noted in the endpoint's log. Rejects only where the secrets cannot be read. */
export async function deliver(
  ports: DeliverPorts,
  poster: Poster,
  webhook: Webhook,
  event: Pick<PendingEvent, 'eventId' | 'event' | 'body'>,
  connectionId: string | null,
  attempt: number,
): Promise<Attempt & { readonly deliveryId: string }> {
  const secrets = await ports.secrets.open(webhook, webhook.sealed)
  const nowMs = Date.now()
  const { eventId, body } = event
  const signed = signedHeaders(secrets, eventId, Math.floor(nowMs / 1000), body)
  const outcome = await poster.post(webhook.url, { ...secrets.headers, ...signed }, body)
  const deliveryId = newDeliveryId()
  const { statusCode, durationMs } = outcome
  count(outcome.kind === 'delivered' ? 'WebhooksDelivered' : 'WebhooksFailed', 1, { webhookId: webhook.webhookId })
  try {
    const entry: LoggedDelivery = {
      deliveryId,
      at: new Date(nowMs).toISOString(),
      eventId,
      event: event.event,
      connectionId,
      attempt,
      delivered: outcome.kind === 'delivered',
      ...(statusCode === undefined ? {} : { statusCode }),
      durationMs,
      ...(outcome.kind === 'failed' ? { error: outcome.error } : {}),
    }
    await ports.log.add(webhook, entry, webhook.eventsDays)
  } catch (error) {
    // The log is for people; the event goes its way without.
    log.warn('a delivery could not be noted', { webhookId: webhook.webhookId, error: error as Error })
  }
  return { ...outcome, deliveryId }
}
