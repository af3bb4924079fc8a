import { inspect } from 'node:util'
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { authStore } from '../../shared/aws/auth.ts'
import { apiConnections, workerConnections } from '../../shared/aws/connections.ts'
import { fleetStore } from '../../shared/aws/fleet.ts'
import { apiMessages, workerMessages } from '../../shared/aws/messages.ts'
import { isTransient, transaction } from '../../shared/aws/requests.ts'
import type { TableName } from '../../shared/aws/tables.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import { ref, send } from '../contracts/message-rows.ts'
import { type DynamoLocal, startQueuesAndObjects } from './emulators.ts'
import { type FailingClient, failingClient } from './failing-client.ts'
import { sharedDynamo } from './shared-dynamo.ts'

let dynamo: DynamoLocal
let objects: Awaited<ReturnType<typeof startQueuesAndObjects>>
beforeAll(async () => {
  ;[dynamo, objects] = await Promise.all([sharedDynamo(), startQueuesAndObjects()])
})
afterAll(() => Promise.all([dynamo?.stop(), objects?.stop()]))

let patient: FailingClient
let impatient: FailingClient
beforeEach(() => {
  patient = failingClient({ ...dynamo.options, attempts: 3 })
  impatient = failingClient({ ...dynamo.options, attempts: 1 })
})
afterEach(() => {
  patient.documents.destroy()
  impatient.documents.destroy()
})

const over = async ({ documents }: FailingClient, name: TableName) => ({
  documents,
  table: (await dynamo.fresh(name)).table,
})

const now = '2026-01-31T12:00:00.000Z'

const connection: ConnectionRow = {
  ...ref,
  label: 'Primary Device',
  pairing: 'qr',
  partition: 0,
  epoch: 0,
  version: 1,
  createdAt: now,
  updatedAt: now,
  status: 'disconnected',
  reason: 'no_session',
  message: 'Never linked.',
}

describe('a write that meets a transaction', () => {
  test('of one item is tried again until it lands', async () => {
    const store = await over(patient, 'connections')
    await apiConnections(store).create(connection)
    patient.next('UpdateItemCommand', 'conflict', 'conflict', 'conflict', 'conflict')
    expect(await workerConnections(store).update(ref, 1, { label: 'a' }, now)).toEqual({ kind: 'written' })
    expect(patient.attempts('UpdateItemCommand')).toBe(5)
  })

  test('or is throttled, as a transaction, is tried again until it lands', async () => {
    const store = await over(patient, 'messages')
    const outcome = await apiMessages(store).accept(send())
    if (outcome.kind !== 'created') throw new Error(`expected created, got ${outcome.kind}`)
    patient.next('TransactWriteItemsCommand', 'conflict', 'throttled', 'conflict')
    const step = { status: 'sent', at: now } as const
    expect(await workerMessages(store).step(ref, outcome.row.whatsappId, 1, step)).toEqual({ kind: 'written' })
    expect(patient.attempts('TransactWriteItemsCommand')).toBe(4)
  })

  test('is given up after eight times, as a failure that may pass', async () => {
    const store = await over(patient, 'connections')
    await apiConnections(store).create(connection)
    patient.next('UpdateItemCommand', ...Array.from({ length: 20 }, () => 'conflict' as const))
    const failure = await workerConnections(store)
      .update(ref, 1, { label: 'a' }, now)
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'TransactionConflictException' })
    expect(isTransient(failure)).toBe(true)
    expect(patient.attempts('UpdateItemCommand')).toBe(8)
  })
})

describe('an answer that is lost', () => {
  test('to an accepted send gives one row, created', async () => {
    const store = await over(patient, 'messages')
    patient.next('PutItemCommand', 'answer lost')
    expect(await apiMessages(store).accept(send())).toMatchObject({ kind: 'created', row: { seq: 1 } })
    expect(patient.attempts('PutItemCommand')).toBe(2)
    expect(await apiMessages(store).list(ref, 10)).toMatchObject({ items: [{ seq: 1 }] })
  })

  test('to the counter leaves a gap and a place taken, which a recount frees', async () => {
    const store = await over(patient, 'messages')
    const api = apiMessages(store, { waitingMax: 2 })
    patient.next('UpdateItemCommand', 'answer lost')
    expect(await api.accept(send())).toMatchObject({ kind: 'created', row: { seq: 2 } })
    expect((await api.accept(send())).kind).toBe('too_many_waiting')
    expect(await api.recount(ref, 3)).toEqual({ kind: 'counted', waiting: 1 })
    expect(await api.accept(send())).toMatchObject({ kind: 'created', row: { seq: 3 } })
  })

  test('to a step that ended waiting takes the send off the count once', async () => {
    const store = await over(patient, 'messages')
    const api = apiMessages(store, { waitingMax: 2 })
    const first = await api.accept(send())
    await api.accept(send())
    if (first.kind !== 'created') throw new Error(`expected created, got ${first.kind}`)
    patient.next('TransactWriteItemsCommand', 'answer lost', 'answer lost')
    const step = { status: 'sent', at: now } as const
    expect(await workerMessages(store).step(ref, first.row.whatsappId, 1, step)).toEqual({ kind: 'written' })
    expect((await api.accept(send())).kind).toBe('created')
    expect((await api.accept(send())).kind).toBe('too_many_waiting')
  })

  test('to a command leaves it accepted', async () => {
    const store = await over(patient, 'connections')
    await apiConnections(store).create(connection)
    patient.next('UpdateItemCommand', 'answer lost')
    const command = { commandId: 'cmd_1', kind: 'restart', requestedAt: now } as const
    expect(await apiConnections(store).requestCommand(ref, command, {}, now)).toMatchObject({
      kind: 'accepted',
      row: { command, version: 2 },
    })
  })

  test('to a take from a silent owner still says taken, at one epoch', async () => {
    const fleet = fleetStore(await over(patient, 'fleet'))
    await fleet.ensurePartitions(1)
    const worker = {
      counter: 0,
      state: 'live',
      taskArn: 'a',
      deployment: '1',
      maxConnections: 1,
      connections: 0,
    } as const
    await fleet.register({ ...worker, workerId: 'a', startedAt: now })
    await fleet.take({ partition: 0, epoch: 0 }, 'a', undefined)
    patient.next('TransactWriteItemsCommand', 'answer lost')
    const seen = { workerId: 'a', counterSeen: 0 }
    expect(await fleet.take({ partition: 0, epoch: 1, owner: 'a' }, 'b', seen)).toEqual({ kind: 'taken', epoch: 2 })
    expect((await fleet.view()).partitions).toMatchObject([{ owner: 'b', epoch: 2 }])
  })

  test('to a take of a free partition is found by the next view, and the partition taken again', async () => {
    const fleet = fleetStore(await over(patient, 'fleet'))
    await fleet.ensurePartitions(1)
    patient.next('UpdateItemCommand', 'answer lost')
    expect(await fleet.take({ partition: 0, epoch: 0 }, 'a', undefined)).toEqual({ kind: 'lost' })
    const [mine] = (await fleet.view()).partitions
    expect(mine).toMatchObject({ owner: 'a', epoch: 1 })
    expect(await fleet.take(mine!, 'a', undefined)).toEqual({ kind: 'taken', epoch: 2 })
  })

  test('to a release says released', async () => {
    const fleet = fleetStore(await over(patient, 'fleet'))
    await fleet.ensurePartitions(1)
    await fleet.take({ partition: 0, epoch: 0 }, 'a', undefined)
    patient.next('UpdateItemCommand', 'answer lost')
    expect(await fleet.release(0, 1, 'a', 'b')).toEqual({ kind: 'released' })
  })

  test('to a registration is no failure', async () => {
    const fleet = fleetStore(await over(patient, 'fleet'))
    patient.next('PutItemCommand', 'answer lost')
    const load = { maxConnections: 1, connections: 0 }
    await fleet.register({
      workerId: 'a',
      counter: 0,
      state: 'live',
      taskArn: 'a',
      deployment: '1',
      startedAt: now,
      ...load,
    })
    expect((await fleet.view()).workers).toHaveLength(1)
  })
})

describe('appends to the journal', () => {
  const entry = (seq: number, nonce: string, epoch = 1) => ({ seq, nonce, epoch, data: new Uint8Array([seq]) })

  async function auth(client: FailingClient) {
    const store = authStore({ ...(await over(client, 'auth')), objects: objects.objects, bucket: 'unused' })
    await store.claim(ref, 1)
    return store
  }

  test('whose answer is lost and asked for again are one entry', async () => {
    const store = await auth(patient)
    patient.next('TransactWriteItemsCommand', 'answer lost', 'answer lost')
    expect(await store.append(ref, entry(1, 'a'))).toEqual({ kind: 'appended' })
    expect(await store.readJournal(ref, 0)).toEqual([entry(1, 'a')])
  })

  test('whose answer never comes are found by their nonce', async () => {
    const store = await auth(impatient)
    impatient.next('TransactWriteItemsCommand', 'answer lost')
    expect(await store.append(ref, entry(1, 'a'))).toEqual({ kind: 'appended' })
    impatient.next('TransactWriteItemsCommand', 'request lost')
    expect(await store.append(ref, entry(1, 'b'))).toEqual({ kind: 'exists' })
  })

  test('that never arrived are a failure that may pass, and the caller appends the same again', async () => {
    const store = await auth(impatient)
    impatient.next('TransactWriteItemsCommand', 'request lost')
    const failure = await store.append(ref, entry(1, 'a')).catch((error: unknown) => error)
    expect(isTransient(failure)).toBe(true)
    expect(await store.readJournal(ref, 0)).toEqual([])
    expect(await store.append(ref, entry(1, 'a'))).toEqual({ kind: 'appended' })
    expect(await store.append(ref, entry(1, 'a'))).toEqual({ kind: 'appended' })
  })

  test('that nobody can look for stay a failure: it is never said that nothing is there', async () => {
    const store = await auth(impatient)
    impatient.next('TransactWriteItemsCommand', 'answer lost')
    impatient.next('GetItemCommand', 'request lost')
    await expect(store.append(ref, entry(1, 'a'))).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(await store.append(ref, entry(1, 'a'))).toEqual({ kind: 'appended' })
  })

  test('of a snapshot commit whose answer is lost moves the snapshots on once', async () => {
    const store = await auth(patient)
    const snapshot = (key: string) => ({ key, seq: 1, checksum: 'c', bytes: 1 })
    await store.commitSnapshot(ref, 1, snapshot('first'), 'linked')
    patient.next('UpdateItemCommand', 'answer lost')
    expect(await store.commitSnapshot(ref, 1, snapshot('second'), 'linked')).toEqual({ kind: 'committed' })
    expect(await store.claim(ref, 1)).toEqual({
      kind: 'claimed',
      head: { epoch: 1, identity: 'linked', snapshot: snapshot('second'), previous: snapshot('first') },
    })
  })

  test('and reads that fail reject: an error is never an empty state', async () => {
    const store = await auth(impatient)
    await store.append(ref, entry(1, 'a'))
    impatient.next('QueryCommand', 'request lost')
    await expect(store.readJournal(ref, 0)).rejects.toThrow()
    impatient.next('UpdateItemCommand', 'request lost')
    await expect(store.claim(ref, 1)).rejects.toThrow()
  })
})

test('a transaction that fails brings no stored item into the error that is logged', async () => {
  const { documents } = await over(patient, 'auth')
  const stored = { connectionKey: { S: 'k' }, data: { S: 'a stored secret' } }
  documents.middlewareStack.add(
    () => async () => {
      throw new TransactionCanceledException({
        message: 'cancelled',
        CancellationReasons: [{ Code: 'ConditionalCheckFailed', Item: stored }, { Code: 'TransactionConflict' }],
        $metadata: {},
      })
    },
    { step: 'finalizeRequest', priority: 'low', name: 'cancelled' },
  )
  const failure = await transaction(documents, []).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(TransactionCanceledException)
  expect(inspect(failure, { depth: 10 })).not.toContain('a stored secret')
})
