import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuthFenced, authStore } from '../../shared/aws/auth.ts'
import { SnapshotUnreadable } from '../../shared/domain/stores/auth.ts'
import { authStoreContract } from '../contracts/auth-store.ts'
import { type DynamoLocal, startQueuesAndObjects } from './emulators.ts'
import { sharedDynamo } from './shared-dynamo.ts'

const bucket = 'auth'
let dynamo: DynamoLocal
let emulator: Awaited<ReturnType<typeof startQueuesAndObjects>>
beforeAll(async () => {
  ;[dynamo, emulator] = await Promise.all([sharedDynamo(), startQueuesAndObjects()])
  await emulator.bucket(bucket)
})
afterAll(() => Promise.all([dynamo?.stop(), emulator?.stop()]))

async function fresh() {
  const { objects } = emulator
  const store = authStore({ ...(await dynamo.fresh('auth')), objects, bucket })
  return {
    store,
    put: (key: string, text: string) =>
      objects.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from(text) })),
    remove: (key: string) => objects.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })),
    keys: async (prefix: string) =>
      ((await objects.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }))).Contents ?? []).map(
        (o) => o.Key,
      ),
  }
}

authStoreContract('DynamoDB and S3', async () => {
  const { store, put, remove } = await fresh()
  return {
    store,
    damageSnapshot: async (key) => void (await put(key, 'some bytez')),
    removeSnapshot: async (key) => void (await remove(key)),
  }
})

let connections = 0
const newRef = () => ({ businessProfileId: 'bp_1', connectionId: `con_${++connections}` })
const prefixOf = (ref: ReturnType<typeof newRef>) => `${ref.businessProfileId}/${ref.connectionId}/`

test('of owners that claim at the same time only the newest may append', async () => {
  const { store } = await fresh()
  const ref = newRef()
  await Promise.all([3, 1, 4, 2, 5].map((epoch) => store.claim(ref, epoch)))
  const outcomes = await Promise.all(
    [1, 2, 3, 4, 5].map((epoch) =>
      store.append(ref, { seq: 1, epoch, nonce: `n${epoch}`, data: new Uint8Array([epoch]) }),
    ),
  )
  expect(outcomes.map((outcome) => outcome.kind)).toEqual(['fenced', 'fenced', 'fenced', 'fenced', 'appended'])
})

test('of two writers with the same epoch one gets the place in the journal', async () => {
  const { store } = await fresh()
  const ref = newRef()
  await store.claim(ref, 1)
  const outcomes = await Promise.all(
    Array.from({ length: 10 }, (_, i) =>
      store.append(ref, { seq: 1, epoch: 1, nonce: `n${i}`, data: new Uint8Array(1) }),
    ),
  )
  expect(outcomes.filter((outcome) => outcome.kind === 'appended')).toHaveLength(1)
  expect(outcomes.filter((outcome) => outcome.kind === 'exists')).toHaveLength(9)
})

test('an append without a claim is fenced', async () => {
  const { store } = await fresh()
  const entry = { seq: 1, epoch: 1, nonce: 'n', data: new Uint8Array(1) }
  expect(await store.append(newRef(), entry)).toEqual({ kind: 'fenced' })
})

test('a journal larger than a page is read, and trimmed, whole', async () => {
  const { store } = await fresh()
  const ref = newRef()
  await store.claim(ref, 1)
  const data = Buffer.alloc(200 * 1024, 1)
  for (let seq = 1; seq <= 12; seq++) await store.append(ref, { seq, epoch: 1, nonce: `n${seq}`, data })
  expect((await store.readJournal(ref, 0)).map((entry) => entry.seq)).toEqual(
    Array.from({ length: 12 }, (_, i) => i + 1),
  )
  await store.trimJournal(ref, 11)
  expect((await store.readJournal(ref, 0)).map((entry) => entry.seq)).toEqual([12])
})

test('an object that is longer or shorter than what was written is unreadable', async () => {
  const { store, put } = await fresh()
  const ref = newRef()
  const snapshot = await store.writeSnapshot(ref, 1, 1, 'n', Buffer.from('some bytes'))
  for (const text of ['', 'some byte', 'some bytes more']) {
    await put(snapshot.key, text)
    await expect(store.readSnapshot(snapshot)).rejects.toThrow(SnapshotUnreadable)
  }
})

test('a bucket that cannot be read is no unreadable snapshot: the caller may try again', async () => {
  const { store } = await fresh()
  const snapshot = await store.writeSnapshot(newRef(), 1, 1, 'n', Buffer.from('bytes'))
  const elsewhere = authStore({ ...(await dynamo.fresh('auth')), objects: emulator.objects, bucket: 'not-there' })
  const failure = await elsewhere.readSnapshot(snapshot).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(Error)
  expect(failure).not.toBeInstanceOf(SnapshotUnreadable)
})

test('a commit lets the snapshot before the previous one go', async () => {
  const { store, keys } = await fresh()
  const ref = newRef()
  await store.claim(ref, 1)
  const written = []
  for (let seq = 1; seq <= 3; seq++) {
    const snapshot = await store.writeSnapshot(ref, 1, seq, `n${seq}`, Buffer.from(`snapshot ${seq}`))
    await store.commitSnapshot(ref, 1, snapshot, 'linked')
    written.push(snapshot.key)
  }
  expect(await keys(prefixOf(ref))).toEqual(written.slice(1))
})

test('erasing takes snapshots along that no head ever pointed to, and can be repeated', async () => {
  const { store, keys } = await fresh()
  const ref = newRef()
  await store.claim(ref, 1)
  await store.writeSnapshot(ref, 1, 1, 'orphan', Buffer.from('x'))
  const committed = await store.writeSnapshot(ref, 1, 2, 'n', Buffer.from('y'))
  await store.commitSnapshot(ref, 1, committed, 'linked')
  await store.erase(ref, 1)
  await store.erase(ref, 1)
  expect(await keys(prefixOf(ref))).toEqual([])
})

test("a connection whose id begins with another's keeps its snapshots when that one is erased", async () => {
  const { store, keys } = await fresh()
  const short = { businessProfileId: 'bp_1', connectionId: 'con_x' }
  const long = { businessProfileId: 'bp_1', connectionId: 'con_xy' }
  await store.claim(short, 1)
  await store.writeSnapshot(long, 1, 1, 'n', Buffer.from('y'))
  await store.erase(short, 1)
  expect(await keys('bp_1/con_xy/')).toHaveLength(1)
})

test('erasing by an older owner fails and touches nothing', async () => {
  const { store, keys } = await fresh()
  const ref = newRef()
  await store.claim(ref, 1)
  await store.append(ref, { seq: 1, epoch: 1, nonce: 'n', data: new Uint8Array(1) })
  const snapshot = await store.writeSnapshot(ref, 1, 1, 'n', Buffer.from('y'))
  await store.commitSnapshot(ref, 1, snapshot, 'linked')
  await store.claim(ref, 2)
  await expect(store.erase(ref, 1)).rejects.toThrow(AuthFenced)
  expect(await store.claim(ref, 2)).toMatchObject({ head: { identity: 'linked', snapshot } })
  expect(await store.readJournal(ref, 0)).toHaveLength(1)
  expect(await keys(prefixOf(ref))).toHaveLength(1)
})
