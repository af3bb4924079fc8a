import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { DeleteCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { documentClient, objectClient } from '../../shared/aws/clients.ts'
import type { Item, StoreTable } from '../../shared/aws/requests.ts'
import { type RestoreOutcome, restorableTables, restore } from '../../shared/aws/restoring.ts'
import { tables } from '../../shared/aws/tables.ts'
import { type DynamoLocal, startDynamo, startQueuesAndObjects } from '../adapters/emulators.ts'
import { type RunningPlace, startPlace } from './place.ts'
import { Story } from './story.ts'

/**
 * The procedure of docs/operations.md, "Restoring", as an operator goes through it: tables and bucket are lost, and come back from
 * copies under other names, which is how point-in-time recovery gives them back. The copies lie in emulators of their own.
 */

const customer = '+4915112345678'
const business = '+94714515253'
/** Longer than a worker takes between two raises of its counter. */
const watchMs = 8_000

let place: RunningPlace
let story: Story
let dynamo: DynamoLocal
let aws: Awaited<ReturnType<typeof startQueuesAndObjects>>
let documents: ReturnType<typeof documentClient>
let objects: ReturnType<typeof objectClient>
let live: { readonly tables: Record<keyof typeof tables, string>; readonly authBucket: string }
const backup = new Map<(typeof restorableTables)[number], StoreTable>()
const backupBucket = 'backup'

beforeAll(async () => {
  ;[place, dynamo, aws] = await Promise.all([startPlace(), startDynamo(), startQueuesAndObjects()])
  documents = documentClient(place.aws)
  objects = objectClient(place.aws)
  live = JSON.parse(String(place.local.outputs['Holdfast-dev-Stateful.Stores']))
  story = new Story(place, { stepMs: 60_000 })
  await story.adminCreatesProfileAndKey()
  await story.clientWatches()
  await story.phoneIsLinkedByQr()
  await story.messageReachesThePhone('before the backup', 'order-1')
  await story.inboundTextIsSeen('heard before the backup')
})
afterAll(async () => {
  story?.close()
  documents?.destroy()
  objects?.destroy()
  await Promise.all([place?.stop(), dynamo?.stop(), aws?.stop()])
})

async function itemsOf(from: StoreTable): Promise<readonly Item[]> {
  const { Items = [], LastEvaluatedKey } = await from.documents.send(
    new ScanCommand({ TableName: from.table, ConsistentRead: true }),
  )
  expect(LastEvaluatedKey).toBeUndefined()
  return Items
}
const keysOfSnapshots = async () =>
  ((await objects.send(new ListObjectsV2Command({ Bucket: live.authBucket }))).Contents ?? []).map(({ Key }) => Key)

async function scale(desiredCount: number): Promise<void> {
  const answer = await place.control.post('/services/connector/scale', { desiredCount })
  expect(answer.status).toBe(200)
}

async function backUp(): Promise<void> {
  for (const name of restorableTables) {
    const copy = await dynamo.fresh(name)
    for (const item of await itemsOf({ documents, table: live.tables[name] }))
      await copy.documents.send(new PutCommand({ TableName: copy.table, Item: { ...item } }))
    backup.set(name, copy)
  }
  await aws.bucket(backupBucket)
  for (const Key of await keysOfSnapshots()) {
    const { Body } = await objects.send(new GetObjectCommand({ Bucket: live.authBucket, Key }))
    const bytes = await Body?.transformToByteArray()
    await aws.objects.send(new PutObjectCommand({ Bucket: backupBucket, Key, Body: bytes }))
  }
}

/** What an operator fears: nothing of it is left, of the fleet neither. */
async function loseEverything(): Promise<void> {
  for (const name of [...restorableTables, 'fleet'] as const) {
    const { partitionKey, sortKey } = tables[name]
    for (const item of await itemsOf({ documents, table: live.tables[name] })) {
      const Key = { [partitionKey.name]: item[partitionKey.name], [sortKey.name]: item[sortKey.name] }
      await documents.send(new DeleteCommand({ TableName: live.tables[name], Key }))
    }
  }
  for (const Key of await keysOfSnapshots()) {
    await objects.send(new DeleteObjectCommand({ Bucket: live.authBucket, Key }))
  }
  expect(await keysOfSnapshots()).toEqual([])
}

function run(): Promise<RestoreOutcome> {
  const [first] = backup.values()
  if (first === undefined) throw new Error('expected a backup')
  return restore({
    from: {
      documents: first.documents,
      tables: Object.fromEntries([...backup].map(([name, { table }]) => [name, table])),
      snapshots: { objects: aws.objects, bucket: backupBucket },
    },
    to: { documents, tables: live.tables, snapshots: { objects, bucket: live.authBucket } },
    watchMs,
  })
}

const statusOf = async () => (await story.tenant.get(`/connections/${story.connectionId}`)).body.status

it('what was lost comes back without a scan, decrypts, and goes on', async () => {
  await scale(0)
  await backUp()
  await loseEverything()
  expect((await story.tenant.get(`/connections/${story.connectionId}`)).status).not.toBe(200)
  // While nobody was there, somebody wrote: encrypted to the session that was lost and came back.
  await story.simulatedPhones.send(customer, business, 'written meanwhile')
  const before = await story.simulatedPhones.stats()

  const outcome = await run()
  expect(outcome).toMatchObject({
    kind: 'restored',
    withoutSnapshot: [],
    tables: { auth: { copied: 1, kept: 0 }, connections: { copied: 1, kept: 0 } },
  })
  await scale(1)

  await expect.poll(statusOf, { timeout: 90_000 }).toBe('connected')
  expect((await story.simulatedPhones.stats()).pairings).toEqual(before.pairings)
  const received = async () =>
    (await story.tenant.get(`/connections/${story.connectionId}/messages?direction=inbound`)).body.items.map(
      (message: { readonly text?: { readonly body: string } }) => message.text?.body,
    )
  await expect.poll(received, { timeout: 60_000 }).toContain('written meanwhile')
  expect(await received()).toContain('heard before the backup')
  await story.messageReachesThePhone('after the restore', 'order-2')
  await story.nothingWentWrongAtWhatsApp()
})

it('is refused while a worker is alive', async () => {
  // The command itself, as an operator calls it: it finds the live tables by the stage's parameter.
  const { region, endpoint, credentials } = place.aws
  const command = ['local/restore.ts', '--stage', 'dev', '--region', region, '--table', 'auth=auth-restored']
  const said = spawn(process.execPath, command, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
  })
  const [text, [code]] = await Promise.all([said.stderr.toArray(), once(said, 'exit')])
  expect([code, text.join('')]).toEqual([2, expect.stringContaining('nothing was touched: workers are alive')])
  expect(await statusOf()).toBe('connected')
})

it('an old backup turns nothing back: the ratchet has moved on', async () => {
  await scale(0)
  expect(await run()).toMatchObject({
    kind: 'restored',
    tables: { auth: { copied: 0, kept: 1 }, connections: { copied: 0, kept: 1 } },
  })
  await scale(1)
  await expect.poll(statusOf, { timeout: 90_000 }).toBe('connected')
  await story.messageReachesThePhone('and on it goes', 'order-3')
  await story.nothingWentWrongAtWhatsApp()
})
