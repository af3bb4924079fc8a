/**
 * Brings back what was lost, from tables that point-in-time recovery (or AWS Backup) restored under other names. Going back to an
 * older auth state is a rollback of the ratchet, so nothing here replaces what is newer: an item that lives goes before its
 * copy unless the copy is ahead, and a connection's auth state is taken as a whole or not at all. It may be run again.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { PutCommand, QueryCommand, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { AuthHead } from '../domain/stores/auth.ts'
import { attributeNames, putIf, update } from './expressions.ts'
import { fleetStore } from './fleet.ts'
import { conditional, type Documents, type Item, type StoreTable } from './requests.ts'
import type { SnapshotBucket } from './snapshots.ts'
import { bringBackSnapshot } from './snapshots-restoring.ts'
import type { TableName } from './tables.ts'

/** In this order: a connection's row comes last, since it is what makes a worker look. `fleet` and `live` are of the moment. */
export const restorableTables = ['accounts', 'webhooks', 'media', 'messages', 'auth', 'connections'] as const
export type RestorableTable = (typeof restorableTables)[number]

export interface RestoreOptions {
  readonly from: {
    readonly documents: Documents
    /** Those that were lost, by the names they were restored under. */
    readonly tables: Readonly<Partial<Record<RestorableTable, string>>>
    /** A bucket that the snapshots were restored to; absent: what was deleted is brought back from the live bucket's own versions. */
    readonly snapshots?: SnapshotBucket
  }
  readonly to: {
    readonly documents: Documents
    readonly tables: Readonly<Record<RestorableTable | 'fleet', string>>
    readonly snapshots: SnapshotBucket
  }
  /** How long workers' counters are watched: a lease and its margin. */
  readonly watchMs: number
}

export interface Copied {
  readonly copied: number
  /** The living item is as new, or newer. */
  readonly kept: number
}

export type RestoreOutcome =
  /** Nothing was touched. */
  | { readonly kind: 'workers_alive'; readonly workers: readonly string[] }
  | {
      readonly kind: 'restored'
      readonly tables: Readonly<Partial<Record<RestorableTable, Copied>>>
      /** Of all partitions now: higher than any that was ever written. */
      readonly epoch: number
      /** Connections whose snapshot is nowhere: they need a scan. */
      readonly withoutSnapshot: readonly string[]
    }

type Attributes = Record<string, unknown>

const putsAtOnce = 25

export async function restore({ from, to, watchMs }: RestoreOptions): Promise<RestoreOutcome> {
  const workers = await livingWorkers({ documents: to.documents, table: to.tables.fleet }, watchMs)
  if (workers.length > 0) return { kind: 'workers_alive', workers }

  // Before anything is copied, so that a worker that was only frozen can write nothing any more.
  const epoch = await raiseEpochs({ from, to })
  const tables: Partial<Record<RestorableTable, Copied>> = {}
  const withoutSnapshot: string[] = []
  for (const name of restorableTables) {
    const restored = from.tables[name]
    if (restored === undefined) continue
    const source = { documents: from.documents, table: restored }
    const target = { documents: to.documents, table: to.tables[name] }
    tables[name] =
      name === 'auth'
        ? await copyAuth(source, target, from.snapshots, to.snapshots, withoutSnapshot)
        : await copyTable(source, target, name)
  }
  return { kind: 'restored', tables, epoch, withoutSnapshot }
}

/** By their counters, as workers see each other: no clock is compared. */
async function livingWorkers(fleet: StoreTable, watchMs: number): Promise<readonly string[]> {
  const store = fleetStore(fleet)
  const before = new Map((await store.view()).workers.map((worker) => [worker.workerId, worker.counter]))
  await delay(watchMs)
  const { workers } = await store.view()
  return workers
    .filter(({ state, workerId, counter }) => state !== 'dead' && counter !== before.get(workerId))
    .map(({ workerId }) => workerId)
}

/** All partitions to one epoch above all that rows, heads and partitions have; nobody's; workers that were are dead. */
async function raiseEpochs({ from, to }: Pick<RestoreOptions, 'from' | 'to'>): Promise<number> {
  const fleet = { documents: to.documents, table: to.tables.fleet }
  const { workers, partitions } = await fleetStore(fleet).view()
  let highest = Math.max(0, ...partitions.map((partition) => partition.epoch))
  const ids = new Set(partitions.map(({ partition }) => partition))
  const look = async (documents: Documents, table: string | undefined, attributes: readonly string[]) => {
    if (table === undefined) return
    for await (const item of itemsOf({ documents, table }, attributes)) {
      if (typeof item['epoch'] === 'number') highest = Math.max(highest, item['epoch'])
      if (typeof item['partition'] === 'number') ids.add(item['partition'])
    }
  }
  for (const side of [from, to]) {
    await look(side.documents, side.tables.connections, ['epoch', 'partition'])
    await look(side.documents, side.tables.auth, ['epoch'])
  }
  const epoch = highest + 1
  const change = (kind: 'worker' | 'partition', id: string, set: Attributes, condition: string, values: Attributes) =>
    conditional(() =>
      to.documents.send(new UpdateCommand(update(fleet.table, { kind, id }, { set, condition, values }))),
    )
  for (const { workerId } of workers) {
    await change('worker', workerId, { state: 'dead' }, 'attribute_exists(#id)', {})
  }
  for (const partition of ids) {
    const set = { partition, epoch, connections: 0, owner: null, grant: null, request: null }
    const condition = 'attribute_not_exists(#epoch) OR #epoch < :highest'
    await change('partition', String(partition), set, condition, { ':highest': epoch })
  }
  return epoch
}

/** Rows with a version give way to a newer one; all others stay where they are there. */
async function copyTable(source: StoreTable, target: StoreTable, name: Exclude<TableName, 'auth'>): Promise<Copied> {
  const key =
    name === 'messages' ? 'key' : name === 'connections' ? 'connectionId' : name === 'media' ? 'mediaId' : 'pk'
  return copying(itemsOf(source), async (item) => {
    const version = name === 'connections' || name === 'messages' ? item['version'] : undefined
    const older = version === undefined ? '' : ' OR #version < :version'
    return put(
      target,
      item,
      `attribute_not_exists(#${key})${older}`,
      version === undefined ? {} : { ':version': version },
    )
  })
}

/**
 * A connection's auth state is ahead of another copy of it where its owner's epoch is, or with the same owner the journal.
 * The head goes last: what it does not point to does not count.
 */
async function copyAuth(
  source: StoreTable,
  target: StoreTable,
  restoredSnapshots: SnapshotBucket | undefined,
  snapshots: SnapshotBucket,
  withoutSnapshot: string[],
): Promise<Copied> {
  return copying(itemsOf(source), async (head) => {
    if (head['item'] !== 'head') return undefined
    const key = String(head['connectionKey'])
    const [restored, living] = await Promise.all([authOf(source, key), authOf(target, key)])
    const isAhead =
      living.head === undefined ||
      living.head.epoch < restored.epoch ||
      (living.head.epoch === restored.epoch && living.seq < restored.seq)
    const { snapshot } = (isAhead ? restored : living).head ?? {}
    if (snapshot && !(await bringBackSnapshot(snapshot, snapshots, restoredSnapshots))) withoutSnapshot.push(key)
    if (!isAhead) return false
    for (const entry of restored.journal) await put(target, entry, 'attribute_not_exists(#item)', {})
    // Its owner is dead, and the next one's epoch is higher than both: nobody writes it meanwhile.
    return put(target, head, 'attribute_not_exists(#item) OR #epoch <= :epoch', { ':epoch': restored.epoch })
  })
}

/** Consistent. `seq` is the last that is journaled, or what the snapshot covers. */
async function authOf({ documents, table }: StoreTable, connectionKey: string) {
  const condition = '#connectionKey = :connectionKey'
  const items: Item[] = []
  let next: Attributes | undefined
  do {
    const page = await documents.send(
      new QueryCommand({
        TableName: table,
        ConsistentRead: true,
        KeyConditionExpression: condition,
        ExpressionAttributeNames: attributeNames(condition),
        ExpressionAttributeValues: { ':connectionKey': connectionKey },
        ExclusiveStartKey: next,
      }),
    )
    items.push(...(page.Items ?? []))
    next = page.LastEvaluatedKey
  } while (next !== undefined)
  const head = items.find((item) => item['item'] === 'head') as unknown as AuthHead | undefined
  const journal = items.filter((item) => item['item'] !== 'head')
  const seq = Math.max(head?.snapshot?.seq ?? 0, ...journal.map((entry) => Number(entry['seq'])))
  return { head, journal, seq, epoch: head?.epoch ?? 0 }
}

/** @param copy resolves with whether the copy was taken, `undefined` for an item that goes with another one */
async function copying(
  items: AsyncIterable<Item>,
  copy: (item: Item) => Promise<boolean | undefined>,
): Promise<Copied> {
  let copied = 0
  let kept = 0
  const count = async (item: Item) => {
    const taken = await copy(item)
    if (taken === true) copied += 1
    if (taken === false) kept += 1
  }
  let underWay: Promise<void>[] = []
  for await (const item of items) {
    underWay.push(count(item))
    if (underWay.length < putsAtOnce) continue
    await Promise.all(underWay)
    underWay = []
  }
  await Promise.all(underWay)
  return { copied, kept }
}

async function put({ documents, table }: StoreTable, item: Item, condition: string, values: Attributes) {
  const request = putIf(table, item, condition)
  const named = Object.keys(values).length === 0 ? request : { ...request, ExpressionAttributeValues: values }
  return (await conditional(() => documents.send(new PutCommand(named)))).kind === 'landed'
}

async function* itemsOf({ documents, table }: StoreTable, attributes?: readonly string[]): AsyncGenerator<Item> {
  const shown = attributes?.map((name) => `#${name}`).join(', ')
  let next: Attributes | undefined
  do {
    const page = await documents.send(
      new ScanCommand({
        TableName: table,
        ConsistentRead: true,
        ...(shown === undefined
          ? {}
          : { ProjectionExpression: shown, ExpressionAttributeNames: attributeNames(shown) }),
        ExclusiveStartKey: next,
      }),
    )
    yield* page.Items ?? []
    next = page.LastEvaluatedKey
  } while (next !== undefined)
}
