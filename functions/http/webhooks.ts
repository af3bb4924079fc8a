import { etagOf, versionOf } from '../../shared/api/common.ts'
import { given } from '../../shared/api/connections.ts'
import type { OutwardEvent } from '../../shared/api/events.ts'
import { Problem } from '../../shared/api/problems.ts'
import { replayedMax, type WebhookShown, webhooksMax } from '../../shared/api/webhooks.ts'
import { businessProfiles } from '../../shared/aws/business-profiles.ts'
import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { decodeCursor, encodeCursor } from '../../shared/aws/cursor.ts'
import { newEventId, newWebhookId } from '../../shared/aws/ids.ts'
import { ringWebhooks } from '../../shared/aws/webhook-doorbells.ts'
import { webhookLanes } from '../../shared/aws/webhook-lanes.ts'
import { webhookLog } from '../../shared/aws/webhook-log.ts'
import { type WebhookOutcome, webhookStore } from '../../shared/aws/webhooks.ts'
import { profileLane, type Webhook, type WebhookRef } from '../../shared/domain/webhooks.ts'
import { checkTargetHost, TargetRefused } from '../../shared/net/targets.ts'
import { bounded } from '../bounded.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'
import { isoNow } from '../time.ts'
import { deliver } from '../webhooks/deliver.ts'
import { poster } from '../webhooks/post.ts'
import { rememberedSecrets } from '../webhooks/secrets.ts'
import { newSigningSecret } from '../webhooks/sign.ts'
import { httpHandler } from './stack.ts'

const config = configure(
  'ACCOUNTS_TABLE',
  'WEBHOOKS_TABLE',
  'WEBHOOKS_QUEUE_URL',
  'WEBHOOKS_KEY_ARN',
  'WEBHOOK_TARGETS',
)
const table = { documents: documentClient(), table: config.WEBHOOKS_TABLE }
const webhooks = webhookStore(table)
const profiles = businessProfiles({ documents: table.documents, table: config.ACCOUNTS_TABLE })
const lanes = webhookLanes(table)
const deliveries = webhookLog(table)
const secrets = rememberedSecrets(config.WEBHOOKS_KEY_ARN)
const queues = queueClient()
const ring = (...doorbells: Parameters<typeof ringWebhooks>[2]) =>
  ringWebhooks(queues, config.WEBHOOKS_QUEUE_URL, doorbells)

interface RefCall {
  readonly principal: { readonly businessProfileId: string }
  readonly params: { readonly webhookId: string }
}
const refOf = ({ principal, params }: RefCall): WebhookRef => ({
  businessProfileId: principal.businessProfileId,
  webhookId: params.webhookId,
})

async function webhookAt(ref: WebhookRef): Promise<Webhook> {
  const webhook = await webhooks.get(ref)
  if (webhook === undefined) throw new Problem('webhook_not_found')
  return webhook
}

function written(outcome: WebhookOutcome): Webhook {
  if (outcome.kind === 'not_found') throw new Problem('webhook_not_found')
  if (outcome.kind === 'changed') throw new Problem('precondition_failed')
  return outcome.webhook
}

async function requireCallable(url: string): Promise<void> {
  try {
    await checkTargetHost(new URL(url), config.WEBHOOK_TARGETS)
  } catch (error) {
    if (!(error instanceof TargetRefused)) throw error
    throw new Problem('invalid_request', {
      detail: `url: ${error.message}`,
      errors: [{ field: 'url', message: error.message, expected: 'a public https address' }],
    })
  }
}

function shown(webhook: Webhook): WebhookShown {
  const { webhookId, url, headerNames, state, version, createdAt, updatedAt, events, connectionIds } = webhook
  return {
    webhookId,
    url,
    ...given('label', webhook.label),
    ...given('events', events && [...events]),
    ...given('connectionIds', connectionIds && [...connectionIds]),
    headerNames: [...headerNames],
    state,
    ...given('paused', webhook.paused),
    ...given(
      'failing',
      webhook.failingSince === undefined
        ? undefined
        : { since: webhook.failingSince, error: webhook.lastError ?? 'unknown' },
    ),
    version,
    createdAt,
    updatedAt,
  }
}

const answer = (webhook: Webhook) => ({ body: shown(webhook), headers: { etag: etagOf(webhook) } })
const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
const seenVersion = (etag: string | undefined): number | undefined => (etag === undefined ? undefined : versionOf(etag))

export const handler = httpHandler({
  createWebhook: async ({ principal, body }) => {
    const { businessProfileId } = principal
    await requireCallable(body.url)
    if ((await webhooks.list(businessProfileId)).length >= webhooksMax) {
      throw new Problem('too_many_webhooks', { detail: `A business profile has at most ${webhooksMax}.` })
    }
    const profile = await profiles.getBusinessProfile(businessProfileId)
    const ref = { businessProfileId, webhookId: newWebhookId() }
    const secret = newSigningSecret()
    const headers = lowerCased(body.headers ?? {})
    const now = isoNow()
    const webhook: Webhook = {
      ...ref,
      url: body.url,
      ...given('label', body.label),
      ...given('events', body.events),
      ...given('connectionIds', body.connectionIds),
      headerNames: Object.keys(headers),
      sealed: await secrets.seal(ref, { signing: [{ secret }], headers }),
      state: 'active',
      ...given('eventsDays', profile?.retention.eventsDays),
      version: 1,
      createdAt: now,
      updatedAt: now,
    }
    const created = await webhooks.create(webhook)
    if (created.kind === 'exists') throw new Error('a fresh webhook id is taken')
    log.info('webhook created', { webhookId: ref.webhookId })
    const location = `/webhooks/${ref.webhookId}`
    return { body: { ...shown(webhook), secret }, headers: { location, etag: etagOf(webhook) } }
  },

  listWebhooks: async ({ principal }) => ({
    body: { items: (await webhooks.list(principal.businessProfileId)).map(shown) },
  }),

  getWebhook: async (call) => answer(await webhookAt(refOf(call))),

  updateWebhook: async (call) => {
    const ref = refOf(call)
    const { url, label, events, connectionIds, headers, state } = call.body
    if (url !== undefined) await requireCallable(url)
    let seen = seenVersion(call.headers['if-match'])
    let webhook = await webhookAt(ref)
    if (seen !== undefined && seen !== webhook.version) throw new Problem('precondition_failed')
    const change = {
      ...given('url', url),
      ...given('label', label),
      ...given('events', events),
      ...given('connectionIds', connectionIds),
    }
    if (headers !== undefined || Object.keys(change).length > 0) {
      let sealed = {}
      if (headers !== undefined) {
        const values = lowerCased(headers ?? {})
        const { signing } = await secrets.open(ref, webhook.sealed)
        // What was opened must be what is replaced: a secret that is rotated at the same moment is not lost.
        seen = webhook.version
        sealed = { sealed: await secrets.seal(ref, { signing, headers: values }), headerNames: Object.keys(values) }
      }
      webhook = written(await webhooks.change(ref, { ...change, ...sealed }, isoNow(), seen))
      seen = undefined
    }
    if (state === 'paused' && webhook.state === 'active') {
      webhook = written(await webhooks.pause(ref, 'requested', 'Paused by its owner.', isoNow(), seen))
    }
    if (state === 'active') {
      if (webhook.state === 'paused') webhook = written(await webhooks.resume(ref, isoNow(), seen))
      // Also where it was active: the doorbell of an earlier call may be lost.
      await ring({ kind: 'resume', ...ref })
    }
    log.info('webhook changed', { webhookId: ref.webhookId, state: webhook.state })
    return answer(webhook)
  },

  deleteWebhook: async (call) => {
    const ref = refOf(call)
    const removed = await webhooks.remove(ref)
    if (removed.kind === 'not_found') throw new Problem('webhook_not_found')
    // What waits can no longer be delivered; should this be lost, it goes by age.
    await ring({ kind: 'purge', ...ref })
    log.info('webhook deleted', { webhookId: ref.webhookId })
    return { body: undefined }
  },

  rotateWebhookSecret: async (call) => {
    const ref = refOf(call)
    const webhook = await webhookAt(ref)
    const { signing, headers } = await secrets.open(ref, webhook.sealed)
    const secret = newSigningSecret()
    const { overlapHours } = call.body
    const previousUntil = overlapHours === 0 ? undefined : isoNow(overlapHours * 3_600_000)
    const previous = signing[0]
    const sealed = await secrets.seal(ref, {
      signing: [
        { secret },
        ...(previous === undefined || previousUntil === undefined
          ? []
          : [{ secret: previous.secret, until: previousUntil }]),
      ],
      headers,
    })
    written(await webhooks.change(ref, { sealed }, isoNow(), webhook.version))
    log.info('webhook secret rotated', { webhookId: ref.webhookId })
    return { body: { secret, ...given('previousUntil', previousUntil) } }
  },

  testWebhook: async (call) => {
    const ref = refOf(call)
    const webhook = await webhookAt(ref)
    const event: OutwardEvent = {
      id: newEventId(),
      event: 'webhook-test',
      at: isoNow(),
      businessProfileId: ref.businessProfileId,
      connectionId: null,
      version: webhook.version,
      data: { webhookId: ref.webhookId, url: webhook.url, message: 'This is a test.' },
    }
    const once = poster(config.WEBHOOK_TARGETS)
    try {
      const sent = { eventId: event.id, event: event.event, body: JSON.stringify(event) }
      const outcome = await deliver({ secrets, log: deliveries }, once, webhook, sent, null, 1)
      const { deliveryId, durationMs, statusCode } = outcome
      return {
        body: {
          deliveryId,
          eventId: event.id,
          delivered: outcome.kind === 'delivered',
          ...given('statusCode', statusCode),
          durationMs,
          ...given('error', outcome.kind === 'failed' ? outcome.error : undefined),
        },
      }
    } finally {
      once.close()
    }
  },

  listWebhookDeliveries: async (call) => {
    const ref = refOf(call)
    await webhookAt(ref)
    const page = await deliveries.list(ref, call.query.limit, placeOf(call.query.next))
    return { body: { items: [...page.items], ...given('next', cursorOf(page.next)) } }
  },

  listWebhookDeadLetters: async (call) => {
    const ref = refOf(call)
    await webhookAt(ref)
    const { limit, next, from, to } = call.query
    const page = await lanes.dead(ref, { ...given('from', from), ...given('to', to) }, limit, placeOf(next))
    const items = page.items.map(({ eventId, event, lane, at, diedAt, attempts, error }) => ({
      eventId,
      event,
      connectionId: lane === profileLane ? null : lane,
      at,
      diedAt,
      attempts,
      error,
    }))
    return { body: { items, ...given('next', cursorOf(page.next)) } }
  },

  replayWebhook: async (call) => {
    const ref = refOf(call)
    const { eventsDays } = await webhookAt(ref)
    const { from, to } = call.body
    const { items, next } = await lanes.dead(ref, { ...given('from', from), ...given('to', to) }, replayedMax)
    const byLane = Map.groupBy(items, ({ lane }) => lane)
    await bounded([...byLane], 10, async ([lane, dead]) => {
      const laneRef = { ...ref, lane }
      for (const event of dead) await lanes.revive(laneRef, event, Date.now(), eventsDays)
      await lanes.enqueue(laneRef, [], Date.now(), eventsDays)
      await ring({ kind: 'lane', ...laneRef })
      await lanes.rung(laneRef, Date.now())
    })
    log.info('dead letters are replayed', { webhookId: ref.webhookId, events: items.length })
    return { body: { replayed: items.length, more: next !== undefined } }
  },
})

const cursorOf = (place: string | undefined): string | undefined =>
  place === undefined ? undefined : encodeCursor({ place })
const placeOf = (next: string | undefined): string | undefined =>
  next === undefined ? undefined : decodeCursor(next, ['place']).place
