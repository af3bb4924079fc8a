import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { queueClient } from '../../shared/aws/clients.ts'
import { adminApiKey, type Cloud, startCloud } from './cloud.ts'
import { type RestClient, restClient } from './rest-client.ts'
import { createTenant } from './tenant.ts'

let cloud: Cloud
let call: RestClient

beforeAll(async () => {
  cloud = await startCloud()
  call = await restClient()
})
afterAll(() => cloud?.stop())

const admin = { key: adminApiKey }

async function dead(url: string, body: string, attributes: Record<string, string> = {}): Promise<string> {
  const sent = await queueClient().send(
    new SendMessageCommand({
      QueueUrl: url,
      MessageBody: body,
      ...(url.endsWith('.fifo') ? { MessageGroupId: 'group', MessageDeduplicationId: `${Date.now()}${body}` } : {}),
      MessageAttributes: Object.fromEntries(
        Object.entries(attributes).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
      ),
    }),
  )
  return String(sent.MessageId)
}

const counts = async () => {
  const { json } = await call('GET', '/admin/dead-letters', admin)
  return Object.fromEntries(
    json.items.map(({ queue, messages }: { queue: string; messages: number }) => [queue, messages]),
  )
}

describe('dead letters', () => {
  test('are counted per queue, and looked at without being taken out', async () => {
    const reason = { code: 'connection_not_found', reason: 'Connection not found.', sourceMessageId: 'first' }
    await dead(cloud.urls.sendsDlq, '{"to":"+94714515253"}', reason)
    expect(await counts()).toEqual({ sends: 1, 'sends-fifo': 0, doorbells: 0, publish: 0, events: 0, webhooks: 0 })
    for (const _ of ['once', 'again']) {
      const peeked = await call('GET', '/admin/dead-letters/sends/messages', admin)
      expect(peeked.json.items).toMatchObject([
        {
          body: '{"to":"+94714515253"}',
          code: 'connection_not_found',
          reason: 'Connection not found.',
          redrivable: true,
        },
      ])
    }
    expect(await counts()).toMatchObject({ sends: 1 })
    await cloud.drain(cloud.urls.sendsDlq)
  })

  test('a redriven send goes back under the key that it had first, and no other message is touched', async () => {
    const keep = await dead(cloud.urls.sendsDlq, '{"keep":true}')
    const id = await dead(cloud.urls.sendsDlq, '{"version":1}', { sourceMessageId: 'first' })
    const keyed = await dead(cloud.urls.sendsDlq, '{"version":1,"idempotencyKey":"mine"}')
    const body = { ids: [id, keyed, 'unknown'] }
    const redriven = await call('POST', '/admin/dead-letters/sends/redrive', { ...admin, body })
    expect(redriven.json.items).toEqual([
      { id, outcome: 'redriven' },
      { id: keyed, outcome: 'redriven' },
      { id: 'unknown', outcome: 'not_found' },
    ])
    const back = (await cloud.drain(cloud.urls.sends)).map(({ Body }) => JSON.parse(Body ?? ''))
    expect(back).toEqual(
      expect.arrayContaining([
        { version: 1, idempotencyKey: 'sqs:first' },
        { version: 1, idempotencyKey: 'mine' },
      ]),
    )
    const peeked = await call('GET', '/admin/dead-letters/sends/messages', admin)
    expect(peeked.json.items.map((item: { id: string }) => item.id)).toEqual([keep])
    await cloud.drain(cloud.urls.sendsDlq)
  })

  test('a doorbell goes back to its partition; what nobody can understand stays', async () => {
    const doorbell = {
      kind: 'send',
      businessProfileId: 'bp_1',
      connectionId: 'con_1',
      messageId: 'msg_1',
      generation: 1,
    }
    const good = await dead(cloud.urls.doorbellDlq, JSON.stringify(doorbell), { partition: '1' })
    const redriven = await call('POST', '/admin/dead-letters/doorbells/redrive', { ...admin, body: { ids: [good] } })
    expect(redriven.json.items).toEqual([{ id: good, outcome: 'redriven' }])
    expect(await cloud.doorbells()).toEqual([{ ...doorbell, partition: 1 }])
    const bad = await dead(cloud.urls.doorbellDlq, 'nonsense', { partition: '1' })
    const refused = await call('POST', '/admin/dead-letters/doorbells/redrive', { ...admin, body: { ids: [bad] } })
    expect(refused.json.items).toEqual([{ id: bad, outcome: 'not_redrivable' }])
    const dropped = await call('POST', '/admin/dead-letters/doorbells/drop', { ...admin, body: { ids: [bad] } })
    expect(dropped.json.items).toEqual([{ id: bad, outcome: 'dropped' }])
    expect(await counts()).toMatchObject({ doorbells: 0 })
  })

  test('of what could not be published, retries can be redriven, records of a stream cannot', async () => {
    const retry = JSON.stringify({ kind: 'close', socketIds: ['abc='] })
    await dead(cloud.urls.publishDlq, retry)
    await dead(cloud.urls.publishDlq, '{"DDBStreamBatchInfo":{"shardId":"1"}}')
    const { json } = await call('GET', '/admin/dead-letters/publish/messages', admin)
    const redrivable = json.items.map((item: { body: string; redrivable: boolean }) => [
      item.body === retry,
      item.redrivable,
    ])
    expect(redrivable.sort()).toEqual([
      [false, false],
      [true, true],
    ])
  })

  test('are for the admin key only, and of the four queues', async () => {
    const tenant = await createTenant(call)
    const refused = await call('GET', '/admin/dead-letters', { key: tenant.key })
    expect(refused).toMatchObject({ status: 403, json: { code: 'wrong_scope' } })
    expect((await call('GET', '/admin/dead-letters/others/messages', admin)).status).toBe(400)
    expect((await call('POST', '/admin/dead-letters/sends/drop', { ...admin, body: { ids: [] } })).status).toBe(400)
  })
})
