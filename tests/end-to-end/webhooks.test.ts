import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StackTemplate } from '../../local/engine/template/assembly.ts'
import { type OutwardEvent, outwardEventSchema } from '../../shared/api/events.ts'
import { type Rest, rest } from './callers.ts'
import { Endpoint } from './endpoint.ts'
import { type RunningPlace, startPlace } from './place.ts'

// biome-ignore lint/suspicious/noExplicitAny: a CloudFormation template is JSON of many shapes
type Json = any

/** A service of the same account that subscribes by a rule of its own, and a queue that shows what a rule gives it. */
function withSubscriber(stacks: readonly StackTemplate[]): readonly StackTemplate[] {
  return stacks.map((stack) => {
    const template: Json = structuredClone(stack.template)
    for (const [logicalId, { Type, Properties }] of Object.entries<Json>(template.Resources)) {
      // A function that was killed is missed after this; on AWS after 90 s.
      if (Type === 'AWS::SQS::Queue' && logicalId.startsWith('WebhooksDoorbells')) Properties.VisibilityTimeout = 4
    }
    if (stack.stackName.endsWith('Stateful')) {
      const [bus] =
        Object.entries<Json>(template.Resources).find(([, { Type }]) => Type === 'AWS::Events::EventBus') ?? []
      Object.assign(template.Resources, {
        Subscriber: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'subscriber' } },
        SubscriberPolicy: {
          Type: 'AWS::SQS::QueuePolicy',
          Properties: {
            Queues: [{ Ref: 'Subscriber' }],
            PolicyDocument: {
              Version: '2012-10-17',
              Statement: [
                {
                  Effect: 'Allow',
                  Principal: { Service: 'events.amazonaws.com' },
                  Action: 'sqs:SendMessage',
                  Resource: { 'Fn::GetAtt': ['Subscriber', 'Arn'] },
                },
              ],
            },
          },
        },
        SubscriberRule: {
          Type: 'AWS::Events::Rule',
          Properties: {
            EventBusName: { Ref: bus },
            EventPattern: { source: ['holdfast'] },
            State: 'ENABLED',
            Targets: [{ Arn: { 'Fn::GetAtt': ['Subscriber', 'Arn'] }, Id: 'queue' }],
          },
        },
      })
      template.Outputs.SubscriberUrl = { Value: { Ref: 'Subscriber' } }
    }
    return { ...stack, template }
  })
}

let place: RunningPlace
let tenant: Rest
let queues: SQSClient
const announced: OutwardEvent[] = []

const delivering = 'WebhooksDeliver'

beforeAll(async () => {
  place = await startPlace({
    workers: 0,
    targets: 'any',
    template: withSubscriber,
    environmentOverrides: {
      functions: {
        [delivering]: { WEBHOOK_BACKOFF_BASE_MS: '300', WEBHOOK_BACKOFF_MAX_MS: '1000', WEBHOOK_GIVE_UP_MS: '600000' },
      },
    },
  })
  const admin = rest(place.httpUrl, place.adminApiKey)
  const { body: profile } = await admin.post('/admin/business-profiles', { name: 'Tea House' })
  const keys = `/admin/business-profiles/${profile.businessProfileId}/api-keys`
  tenant = rest(place.httpUrl, (await admin.post(keys, { label: 'shop' })).body.apiKey)
  queues = new SQSClient(place.aws)
})
afterAll(async () => {
  queues?.destroy()
  await place?.stop()
})

async function connection(label: string): Promise<string> {
  const { body } = await tenant.post('/connections', { label, pairing: 'qr' })
  return body.connectionId
}

const patch = (path: string, body: unknown) =>
  tenant.raw('PATCH', path, JSON.stringify(body), { 'content-type': 'application/json' })

async function webhook(endpoint: Endpoint, more: object = {}): Promise<string> {
  const created = await tenant.post('/webhooks', { url: endpoint.url, ...more })
  expect(created).toMatchObject({ status: 201, body: { state: 'active', secret: expect.stringMatching(/^whsec_/) } })
  endpoint.secret = created.body.secret
  return created.body.webhookId
}

const versionsOf = (events: readonly OutwardEvent[] | undefined): number[] =>
  (events ?? []).map(({ version }) => version)
const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1)

/** Everything that the subscriber's queue holds by now. */
async function receiveAnnounced(): Promise<void> {
  const [, QueueUrl] = Object.entries(place.local.outputs).find(([name]) => name.endsWith('SubscriberUrl')) ?? []
  for (;;) {
    const { Messages = [] } = await queues.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }),
    )
    if (Messages.length === 0) return
    for (const { Body, ReceiptHandle } of Messages) {
      await queues.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
      const event = JSON.parse(Body ?? '')
      expect(event).toMatchObject({ source: 'holdfast', 'detail-type': event.detail.event })
      announced.push(outwardEventSchema.parse(event.detail) as OutwardEvent)
    }
  }
}

describe('events on their way out', () => {
  test('an endpoint that fails, functions that are killed: every event, in the order of its connection, and signed', async () => {
    const endpoint = await Endpoint.open()
    const webhookId = await webhook(endpoint, { headers: { authorization: 'Bearer of-the-shop' } })
    const changes = 12
    const [one, other] = await Promise.all([connection('One'), connection('Other')])
    endpoint.mood = 'failing'
    for (let change = 0; change < changes; change += 1) {
      for (const connectionId of [one, other]) {
        const changed = await patch(`/connections/${connectionId}`, { label: `Change ${change}` })
        expect(changed.status).toBe(200)
      }
      // Both the readers of the streams and what posts are killed in the middle of it.
      if (change === 4) await place.local.killFunctions('Events')
      if (change === 8) await place.local.killFunctions(delivering)
    }
    await endpoint.until503s(8)
    expect((await tenant.get(`/webhooks/${webhookId}`)).body).toMatchObject({
      state: 'active',
      failing: { error: 'The endpoint answered 503.' },
    })
    // Now it hangs, and who waits for it dies.
    const refused = endpoint.refused
    endpoint.mood = 'hanging'
    await endpoint.until503s(refused + 1)
    expect(await place.local.killFunctions(delivering)).toBeGreaterThan(0)
    endpoint.mood = 'well'
    const last = changes + 1
    await endpoint.until('all events', (taken) =>
      [one, other].every((id) => taken.some((event) => event.connectionId === id && event.version >= last)),
    )
    expect(endpoint.invalid).toEqual([])
    const byConnection = endpoint.byConnection()
    for (const connectionId of [one, other]) {
      expect(versionsOf(byConnection.get(connectionId))).toEqual(upTo(last))
      expect(byConnection.get(connectionId)?.[0]?.event).toBe('connection-created')
    }
    expect(endpoint.headers.at(-1)).toMatchObject({ authorization: 'Bearer of-the-shop' })

    const { body: log } = await tenant.get(`/webhooks/${webhookId}/deliveries?limit=100`)
    expect(log.items.filter((item: { delivered: boolean }) => item.delivered).length).toBeGreaterThanOrEqual(2 * last)
    expect(log.items).toContainEqual(expect.objectContaining({ delivered: false, statusCode: 503, attempt: 2 }))
    expect((await tenant.get(`/webhooks/${webhookId}`)).body).not.toHaveProperty('failing')

    await receiveAnnounced()
    const ids = (events: readonly OutwardEvent[]) => [...new Set(events.map(({ id }) => id))].sort()
    expect(ids(announced)).toEqual(ids(endpoint.taken))
    await tenant.delete(`/webhooks/${webhookId}`)
    await endpoint.close()
  })

  test('filters choose; a paused endpoint gets what it missed, in order; a rotated secret signs beside the old one', async () => {
    const [all, some] = [await Endpoint.open(), await Endpoint.open()]
    const connectionId = await connection('Quiet')
    const noisy = await connection('Noisy')
    const allId = await webhook(all, { connectionIds: [connectionId] })
    const someId = await webhook(some, { events: ['connection-updated'], connectionIds: [connectionId] })
    expect((await patch(`/webhooks/${allId}`, { state: 'paused' })).body).toMatchObject({
      state: 'paused',
      paused: { reason: 'requested' },
    })
    await patch(`/connections/${noisy}`, { label: 'Not for them' })
    await patch(`/connections/${connectionId}`, { label: 'Second' })
    await patch(`/connections/${connectionId}`, { label: 'Third' })
    await some.until('both changes', (taken) => taken.some(({ version }) => version === 3))
    // That the connection was made may reach an endpoint that was there a moment later.
    const changes = () => all.taken.filter(({ version }) => version !== 1)
    expect(changes()).toEqual([])
    const rotated = await tenant.post(`/webhooks/${allId}/secret`, { overlapHours: 1 })
    expect(rotated).toMatchObject({ status: 201, body: { secret: expect.stringMatching(/^whsec_/) } })
    expect((await patch(`/webhooks/${allId}`, { state: 'active' })).body).toMatchObject({ state: 'active' })
    await all.until('what it missed', (taken) => taken.some(({ version }) => version === 3))
    expect(versionsOf(changes())).toEqual([2, 3])
    expect(all.byConnection().size).toBe(1)
    expect(some.byConnection().size).toBe(1)
    // Verified with the old secret until here; the new one knows the same request.
    expect(String(all.headers.at(-1)?.['webhook-signature']).split(' ')).toHaveLength(2)
    all.secret = rotated.body.secret
    const tested = await tenant.post(`/webhooks/${allId}/test`)
    expect(tested).toMatchObject({ status: 200, body: { delivered: true, statusCode: 204 } })
    expect(all.taken.at(-1)).toMatchObject({ event: 'webhook-test', id: tested.body.eventId })
    expect([...all.invalid, ...some.invalid]).toEqual([])
    for (const id of [allId, someId]) expect((await tenant.delete(`/webhooks/${id}`)).status).toBe(204)
    await Promise.all([all.close(), some.close()])
  })

  test('an endpoint that says it is gone is paused, and others hear of it', async () => {
    const [gone, watching] = [await Endpoint.open(), await Endpoint.open()]
    const connectionId = await connection('Gone')
    const goneId = await webhook(gone, { connectionIds: [connectionId] })
    const watchingId = await webhook(watching, { events: ['webhook-paused'] })
    gone.mood = 'gone'
    await patch(`/connections/${connectionId}`, { label: 'Anybody there?' })
    await watching.until('the pause', (taken) => taken.length > 0)
    expect(watching.taken[0]).toMatchObject({
      event: 'webhook-paused',
      connectionId: null,
      data: { webhookId: goneId, reason: 'gone' },
    })
    expect((await tenant.get(`/webhooks/${goneId}`)).body).toMatchObject({
      state: 'paused',
      paused: { reason: 'gone' },
    })
    // What its alarm watches.
    const paused = () => place.local.metrics().some(({ name }) => name === 'WebhooksPaused')
    await expect.poll(paused, { timeout: 30_000 }).toBe(true)
    gone.mood = 'redirecting'
    expect((await tenant.post(`/webhooks/${goneId}/test`)).body).toMatchObject({
      delivered: false,
      statusCode: 302,
      error: 'The endpoint answered 302; redirects are not followed.',
    })
    expect(gone.taken).toEqual([])
    for (const id of [goneId, watchingId]) await tenant.delete(`/webhooks/${id}`)
    await Promise.all([gone.close(), watching.close()])
  })
})
