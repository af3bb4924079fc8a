import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { webhookLanes } from '../../shared/aws/webhook-lanes.ts'
import { webhookStore } from '../../shared/aws/webhooks.ts'
import { configure } from '../config.ts'

/** A bus that hangs must not hold a batch up for long: what it does not take waits in a queue. */
export const eventBus = (): EventBridgeClient =>
  new EventBridgeClient({
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 3_000, throwOnRequestTimeout: true },
  })

/** What both streams' functions need. */
export function announcingPorts() {
  const config = configure('WEBHOOKS_TABLE', 'WEBHOOKS_QUEUE_URL', 'EVENT_BUS', 'EVENTS_RETRY_QUEUE_URL')
  const table = { documents: documentClient(), table: config.WEBHOOKS_TABLE }
  return {
    outbox: {
      webhooks: webhookStore(table),
      lanes: webhookLanes(table),
      queues: queueClient(),
      queueUrl: config.WEBHOOKS_QUEUE_URL,
    },
    bus: eventBus(),
    busName: config.EVENT_BUS,
    retriesUrl: config.EVENTS_RETRY_QUEUE_URL,
  }
}
