import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  NotFound,
  S3Client,
} from '@aws-sdk/client-s3'
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { authStore } from '../../shared/aws/auth.ts'
import { fleetStore } from '../../shared/aws/fleet.ts'
import type { Item, StoreTable } from '../../shared/aws/requests.ts'
import { type RestoreOutcome, restorableTables, restore } from '../../shared/aws/restoring.ts'
import { bringBackSnapshot } from '../../shared/aws/snapshots-restoring.ts'
import type { WorkerRow } from '../../shared/domain/stores/fleet.ts'
import { type DynamoLocal, startQueuesAndObjects } from './emulators.ts'
import { sharedDynamo } from './shared-dynamo.ts'

const ref = { businessProfileId: 'bp_1', connectionId: 'con_1' }
const key = 'bp_1#con_1'

let dynamo: DynamoLocal
let aws: Awaited<ReturnType<typeof startQueuesAndObjects>>
let live: Record<(typeof restorableTables)[number] | 'fleet', StoreTable>
let backup: Record<'auth' | 'connections' | 'accounts', StoreTable>
let buckets = 0
let bucket: string
let backupBucket: string

beforeAll(async () => {
  dynamo = sharedDynamo()
  aws = await startQueuesAndObjects()
})
afterAll(async () => {
  await aws?.stop()
  await dynamo?.stop()
})
beforeEach(async () => {
  const fresh = async <Name extends Parameters<DynamoLocal['fresh']>[0]>(names: readonly Name[]) =>
    Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await dynamo.fresh(name)] as const)),
    ) as Record<Name, StoreTable>
  live = await fresh([...restorableTables, 'fleet'])
  backup = await fresh(['auth', 'connections', 'accounts'])
  bucket = await aws.bucket(`live-${++buckets}`)
  backupBucket = await aws.bucket(`backup-${buckets}`)
})

const namesOf = <Name extends string>(tables: Record<Name, StoreTable>) =>
  Object.fromEntries(Object.entries<StoreTable>(tables).map(([name, { table }]) => [name, table])) as Record<
    Name,
    string
  >

function run(watchMs = 1): Promise<RestoreOutcome> {
  const { documents } = live.auth
  const at = (name: string) => ({ objects: aws.objects, bucket: name })
  return restore({
    from: { documents, tables: namesOf(backup), snapshots: at(backupBucket) },
    to: { documents, tables: namesOf(live), snapshots: at(bucket) },
    watchMs,
  })
}

const put = ({ documents, table }: StoreTable, item: Item) =>
  documents.send(new PutCommand({ TableName: table, Item: { ...item } }))
const get = async ({ documents, table }: StoreTable, itemKey: Record<string, string>) =>
  (await documents.send(new GetCommand({ TableName: table, Key: itemKey, ConsistentRead: true }))).Item

/** An auth state with a snapshot and one entry after it. */
async function linked(where: StoreTable, bucketName: string, epoch: number, seq: number): Promise<void> {
  const store = authStore({ ...where, objects: aws.objects, bucket: bucketName })
  await store.claim(ref, epoch)
  const snapshot = await store.writeSnapshot(
    ref,
    epoch,
    seq - 1,
    `n${epoch}-${seq}`,
    Buffer.from(`state ${epoch}.${seq}`),
  )
  await store.commitSnapshot(ref, epoch, snapshot, 'linked')
  await store.append(ref, { seq, nonce: `e${epoch}-${seq}`, epoch, data: Buffer.from(`entry ${seq}`) })
}

const worker: WorkerRow = {
  workerId: 'w1',
  counter: 5,
  state: 'live',
  taskArn: 'arn',
  deployment: '1',
  maxConnections: 10,
  connections: 1,
  startedAt: '2026-01-31T00:00:00Z',
}

it('touches nothing while a worker raises its counter', async () => {
  const fleet = fleetStore(live.fleet)
  await fleet.register(worker)
  await linked(backup.auth, backupBucket, 3, 7)
  let counter = worker.counter
  const renewing = setInterval(() => void fleet.renew('w1', ++counter, { connections: 1, state: 'live' }), 20)
  const outcome = await run(2_000)
  clearInterval(renewing)
  expect(outcome).toEqual({ kind: 'workers_alive', workers: ['w1'] })
  expect(await get(live.auth, { connectionKey: key, item: 'head' })).toBeUndefined()
  expect((await fleet.view()).workers[0]?.state).toBe('live')
})

it('brings back what was lost, and a frozen worker from before can write nothing any more', async () => {
  const fleet = fleetStore(live.fleet)
  await fleet.register(worker)
  await put(live.fleet, { kind: 'partition', id: '0', partition: 0, epoch: 2, owner: 'w1', connections: 1 })
  await linked(backup.auth, backupBucket, 3, 7)
  await put(backup.connections, { ...ref, partition: 4, epoch: 9, version: 2, label: 'Primary Device' })
  await put(backup.accounts, { pk: 'profile#bp_1', sk: 'profile', name: 'as it was' })
  await put(live.accounts, { pk: 'profile#bp_1', sk: 'profile', name: 'as it is' })

  const outcome = await run()

  expect(outcome).toEqual({
    kind: 'restored',
    epoch: 10,
    withoutSnapshot: [],
    tables: {
      accounts: { copied: 0, kept: 1 },
      auth: { copied: 1, kept: 0 },
      connections: { copied: 1, kept: 0 },
    },
  })
  expect(await get(live.accounts, { pk: 'profile#bp_1', sk: 'profile' })).toMatchObject({ name: 'as it is' })
  const { workers, partitions } = await fleet.view()
  expect(workers[0]?.state).toBe('dead')
  expect(partitions).toEqual([
    { partition: 0, epoch: 10, connections: 0 },
    { partition: 4, epoch: 10, connections: 0 },
  ])
  // The next owner has the epoch after that, and reads what was written last.
  const store = authStore({ ...live.auth, objects: aws.objects, bucket })
  const claimed = await store.claim(ref, 11)
  if (claimed.kind !== 'claimed' || claimed.head.snapshot === undefined)
    throw new Error('expected a head with a snapshot')
  expect(Buffer.from(await store.readSnapshot(claimed.head.snapshot)).toString()).toBe('state 3.7')
  expect((await store.readJournal(ref, 6)).map(({ nonce }) => nonce)).toEqual(['e3-7'])
})

it.each([
  ['a later owner', 4, 2],
  ['the same owner, further on', 3, 8],
  ['the same', 3, 7],
])('keeps auth state that lives: %s', async (_, epoch, seq) => {
  await linked(live.auth, bucket, epoch, seq)
  await linked(backup.auth, backupBucket, 3, 7)
  const before = await get(live.auth, { connectionKey: key, item: 'head' })
  expect(await run()).toMatchObject({ tables: { auth: { copied: 0, kept: 1 } } })
  expect(await get(live.auth, { connectionKey: key, item: 'head' })).toEqual(before)
})

it('takes a copy that is ahead of what lives, as a whole', async () => {
  await linked(live.auth, bucket, 3, 5)
  await linked(backup.auth, backupBucket, 3, 7)
  expect(await run()).toMatchObject({ tables: { auth: { copied: 1, kept: 0 } } })
  const store = authStore({ ...live.auth, objects: aws.objects, bucket })
  expect((await store.readJournal(ref, 6)).map(({ nonce }) => nonce)).toEqual(['e3-7'])
})

it('says which connections have no snapshot anywhere', async () => {
  await linked(backup.auth, bucket, 3, 7)
  const head = await get(backup.auth, { connectionKey: key, item: 'head' })
  await put(backup.auth, { ...head, snapshot: { ...head?.['snapshot'], key: 'bp_1/con_1/lost' } })
  expect(await run()).toMatchObject({ kind: 'restored', withoutSnapshot: [key] })
})

it('a deleted snapshot comes back from under the mark of its deletion', async () => {
  const snapshot = { key: 'bp_1/con_1/3-6-n', seq: 6, checksum: '00', bytes: 1 }
  const s3 = mockClient(S3Client)
  s3.on(HeadObjectCommand).rejects(new NotFound({ message: 'gone', $metadata: {} }))
  s3.on(ListObjectVersionsCommand).resolves({
    Versions: [{ Key: snapshot.key, VersionId: 'v1' }],
    DeleteMarkers: [
      { Key: snapshot.key, VersionId: 'mark' },
      { Key: `${snapshot.key}-other`, VersionId: 'other' },
    ],
  })
  s3.on(DeleteObjectCommand).resolves({})
  const there = await bringBackSnapshot(snapshot, { objects: new S3Client({ region: 'eu-west-1' }), bucket: 'auth' })
  const marks = s3.commandCalls(DeleteObjectCommand).map(({ args }) => args[0].input)
  s3.restore()
  expect(there).toBe(true)
  expect(marks).toEqual([{ Bucket: 'auth', Key: snapshot.key, VersionId: 'mark' }])
})
