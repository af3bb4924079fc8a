import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { GetCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import type { DynamoDBRecord } from 'aws-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LanePorts } from '../../functions/webhooks/lane-run.ts'
import type { OutwardEvent } from '../../shared/api/events.ts'
import { objectClient, queueClient } from '../../shared/aws/clients.ts'
import { mediaObjectKey } from '../../shared/aws/media-objects.ts'
import { webhookLanes } from '../../shared/aws/webhook-lanes.ts'
import { webhookLog } from '../../shared/aws/webhook-log.ts'
import { webhookStore } from '../../shared/aws/webhooks.ts'
import { mediumExpiry } from '../../shared/domain/media.ts'
import { auditDaysDefault, eventsDaysDefault } from '../../shared/domain/tenancy.ts'
import { profileLane, type Webhook } from '../../shared/domain/webhooks.ts'
import { adminApiKey, type Cloud, lambdaContext, startCloud } from './cloud.ts'
import { type RestClient, restClient } from './rest-client.ts'
import { createTenant } from './tenant.ts'

/** What a business profile says of the time that its things are kept, on what is written from then on. */

let cloud: Cloud
let call: RestClient

beforeAll(async () => {
  cloud = await startCloud()
  call = await restClient()
})
afterAll(() => cloud?.stop())

/** Whole days from now, of every item of the table that `matches`. */
async function daysOf(
  table: 'accounts' | 'webhooks' | 'media',
  matches: (item: Record<string, unknown>) => boolean,
): Promise<number[]> {
  const store = cloud.tables[table]
  const { Items = [] } = await store.documents.send(new ScanCommand({ TableName: store.table, ConsistentRead: true }))
  return Items.filter(matches).map(({ expireAt }) => Math.round((Number(expireAt) - Date.now() / 1_000) / 86_400))
}

const keep = (businessProfileId: string, retention: object) =>
  call('PATCH', `/admin/business-profiles/${businessProfileId}`, { key: adminApiKey, body: { retention } })

describe('the audit log', () => {
  test('is kept as the profile says, whoever calls', async () => {
    const { businessProfileId, key } = await createTenant(call)
    const trail = `audit#${businessProfileId}`
    expect(await daysOf('accounts', ({ pk }) => pk === trail)).toEqual([auditDaysDefault])
    await keep(businessProfileId, { auditDays: 7 })
    await call('POST', '/connections', { key, body: { label: 'Shop' } })
    const path = `/admin/business-profiles/${businessProfileId}/api-keys`
    await call('POST', path, { key: adminApiKey })
    expect((await daysOf('accounts', ({ pk }) => pk === trail)).sort()).toEqual([auditDaysDefault, 7, 7, 7].sort())
  })
})

describe('events', () => {
  const event = (businessProfileId: string) =>
    ({ event: 'webhook-test', connectionId: null, businessProfileId }) as OutwardEvent

  async function told(businessProfileId: string): Promise<void> {
    const { intoOutbox } = await import('../../functions/outward/outbox.ts')
    const ports = {
      webhooks: webhookStore(cloud.tables.webhooks),
      lanes: webhookLanes(cloud.tables.webhooks),
      queues: queueClient(),
      queueUrl: cloud.urls.webhooks,
    }
    const at = new Date().toISOString()
    const placed = ['1', '2'].map((order) => ({
      event: { ...event(businessProfileId), id: `evt_${order}`, at },
      order,
    }))
    await intoOutbox(ports, businessProfileId, placed, Date.now())
  }
  /** What waits is tried for the last time, against an endpoint that refuses it. */
  async function attempted(webhook: Webhook): Promise<void> {
    const { runLane } = await import('../../functions/webhooks/lane-run.ts')
    const { newSigningSecret } = await import('../../functions/webhooks/sign.ts')
    const lanes = webhookLanes(cloud.tables.webhooks)
    const ports: LanePorts = {
      webhooks: webhookStore(cloud.tables.webhooks),
      lanes,
      log: webhookLog(cloud.tables.webhooks),
      secrets: { open: async () => ({ signing: [{ secret: newSigningSecret() }], headers: {} }) },
      openPoster: () => ({
        post: async () => ({ kind: 'failed', statusCode: 500, durationMs: 1, error: 'The endpoint answered 500.' }),
        close: () => undefined,
      }),
      announcePause: async () => undefined,
    }
    // Their time is over at once.
    const settings = { backoffBaseMs: 1, backoffMaxMs: 1, giveUpMs: 0, lanesAtOnce: 1, runMs: 10_000 }
    await runLane(ports, settings, { ...webhook, lane: profileLane })
  }
  const ofWebhook = (webhookId: string, kind: string) => (item: Record<string, unknown>) =>
    String(item.pk).startsWith(`${kind}#`) && String(item.pk).includes(webhookId)

  test.each([
    ['a fortnight where the profile says nothing', undefined, eventsDaysDefault],
    ['as it says where the webhook is older than that', 'later', 3],
    ['as it says where the webhook is younger', 'before', 3],
  ])('wait %s; so do those that were not taken, and the log', async (_what, when, days) => {
    const { businessProfileId, key } = await createTenant(call)
    if (when === 'before') await keep(businessProfileId, { eventsDays: 3 })
    const made = await call('POST', '/webhooks', { key, body: { url: 'https://93.184.215.14/hooks' } })
    const { webhookId } = made.json
    if (when === 'later') await keep(businessProfileId, { eventsDays: 3 })
    expect((await call('GET', `/webhooks/${webhookId}`, { key })).json).not.toHaveProperty('eventsDays')
    await told(businessProfileId)
    expect(await daysOf('webhooks', ofWebhook(webhookId, 'lane'))).toEqual([days, days])
    const [webhook] = await webhookStore(cloud.tables.webhooks).list(businessProfileId)
    if (webhook === undefined) throw new Error('expected a webhook')
    await attempted(webhook)
    expect(await daysOf('webhooks', ofWebhook(webhookId, 'log'))).toEqual([days, days])
    expect(await daysOf('webhooks', ofWebhook(webhookId, 'dead'))).toEqual([days, days])
    await call('POST', `/webhooks/${webhookId}/replay`, { key })
    expect(await daysOf('webhooks', ofWebhook(webhookId, 'lane'))).toEqual([days, days])
  })
})

describe('media', () => {
  test('are kept as the profile says, and not longer than the bucket keeps them', async () => {
    const { businessProfileId, key } = await createTenant(call)
    const medium = async () =>
      (await call('POST', '/media', { key, body: { contentType: 'image/png', size: 10 } })).json.mediaId
    const first = await medium()
    expect(await keep(businessProfileId, { mediaDays: 31 })).toMatchObject({
      status: 400,
      json: { code: 'invalid_request', errors: [{ field: 'retention.mediaDays', expected: 'at most 30' }] },
    })
    expect((await keep(businessProfileId, { mediaDays: 2 })).status).toBe(200)
    const other = await call('POST', `/admin/business-profiles/${businessProfileId}/api-keys`, { key: adminApiKey })
    // What is remembered of the first key may be half a minute old; another key is not remembered yet.
    const { mediaId } = (
      await call('POST', '/media', { key: other.json.apiKey, body: { contentType: 'image/png', size: 10 } })
    ).json
    expect(await daysOf('media', (row) => row.mediaId === first)).toEqual([30])
    expect(await daysOf('media', (row) => row.mediaId === mediaId)).toEqual([2])
  })

  test('of received messages and links too: the shorter of both times', () => {
    const dayMs = 86_400_000
    expect(mediumExpiry(0, 30 * dayMs)).toBe(30 * 86_400)
    expect(mediumExpiry(0, 30 * dayMs, 2)).toBe(2 * 86_400)
    expect(mediumExpiry(0, 30 * dayMs, 90)).toBe(30 * 86_400)
  })

  test('an object goes with its row, unless that is there again', async () => {
    const { handler } = await import('../../functions/streams/end-of-media.ts')
    const { businessProfileId, key } = await createTenant(call)
    const objects = objectClient()
    const stored = async () => {
      const { json } = await call('POST', '/media', { key, body: { contentType: 'image/png', size: 5 } })
      const Key = mediaObjectKey(businessProfileId, json.mediaId)
      await objects.send(new PutObjectCommand({ Bucket: process.env.MEDIA_BUCKET, Key, Body: 'bytes' }))
      return String(json.mediaId)
    }
    const isStored = (mediaId: string) =>
      objects
        .send(
          new HeadObjectCommand({ Bucket: process.env.MEDIA_BUCKET, Key: mediaObjectKey(businessProfileId, mediaId) }),
        )
        .then(
          () => true,
          () => false,
        )
    const [gone, back] = [await stored(), await stored()]
    const { documents, table } = cloud.tables.media
    const removed = (mediaId: string, sequence: string) =>
      ({
        eventName: 'REMOVE',
        dynamodb: {
          SequenceNumber: sequence,
          Keys: { businessProfileId: { S: businessProfileId }, mediaId: { S: mediaId } },
        },
      }) as DynamoDBRecord
    const { mediaStore } = await import('../../shared/aws/media.ts')
    await mediaStore(cloud.tables.media).remove(businessProfileId, gone)
    expect(
      (await documents.send(new GetCommand({ TableName: table, Key: { businessProfileId, mediaId: gone } }))).Item,
    ).toBe(undefined)
    const answer = await handler({ Records: [removed(gone, '1'), removed(back, '2')] }, lambdaContext)
    expect(answer).toEqual({ batchItemFailures: [] })
    expect([await isStored(gone), await isStored(back)]).toEqual([false, true])
  })
})
