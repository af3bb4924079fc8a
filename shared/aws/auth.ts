import { setTimeout as delay } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'
import { BatchWriteCommand, DeleteCommand, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { AuthHead, AuthStore, JournalEntry } from '../domain/stores/auth.ts'
import type { ConnectionRef, Epoch } from '../domain/words.ts'
import { attributeNames, putIf, update } from './expressions.ts'
import { connectionKey } from './ids.ts'
import { conditional, type Item, queryAll, type StoreTable, transaction } from './requests.ts'
import { deleteSnapshot, deleteSnapshotsOf, readSnapshot, writeSnapshot } from './snapshots.ts'

export interface AuthPlaces extends StoreTable {
  readonly objects: S3Client
  readonly bucket: string
}

/** The head's epoch is another's: the connection has a newer owner. */
export class AuthFenced extends Error {
  constructor(ref: ConnectionRef, epoch: Epoch) {
    super(`auth state of ${connectionKey(ref)}: its head is no longer at epoch ${epoch}`)
    this.name = 'AuthFenced'
  }
}

const headKey = (ref: ConnectionRef) => ({ connectionKey: connectionKey(ref), item: 'head' })
const journalItem = (seq: number): string => `journal#${String(seq).padStart(12, '0')}`
const journalKey = (ref: ConnectionRef, seq: number) => ({ connectionKey: connectionKey(ref), item: journalItem(seq) })

/** An absent snapshot may be stored as NULL: see `commitSnapshot`. */
function headOf(item: Item): AuthHead {
  const { epoch, identity, snapshot, previous } = item as unknown as AuthHead & {
    readonly previous?: AuthHead['previous'] | null
  }
  return { epoch, identity, ...(snapshot ? { snapshot } : {}), ...(previous ? { previous } : {}) }
}

function entryOf(item: Item): JournalEntry {
  const { seq, nonce, epoch, data } = item as unknown as JournalEntry
  return { seq, nonce, epoch, data }
}

/**
 * Auth state. `claim`, `commitSnapshot` and `archive` 1 WCU; `append` 2 WCU per KB of the entry and 2 for the check;
 * `readJournal` 1 RCU per 4 KB; `trimJournal` 1 WCU per KB and entry, and 0.5 RCU per 4 KB for finding them.
 */
export function authStore({ documents, table, objects, bucket }: AuthPlaces): AuthStore {
  const snapshots = { objects, bucket }

  const changeHead = (ref: ConnectionRef, epoch: Epoch, set: Item) =>
    conditional(() =>
      documents.send(
        new UpdateCommand(
          update(table, headKey(ref), { set, condition: '#epoch = :epoch', values: { ':epoch': epoch } }),
        ),
      ),
    )

  const journalItems = (ref: ConnectionRef, from: number, to: number, consistent: boolean): Promise<Item[]> => {
    const condition = '#connectionKey = :connectionKey AND #item BETWEEN :from AND :to'
    return queryAll(documents, {
      TableName: table,
      ConsistentRead: consistent,
      KeyConditionExpression: condition,
      ExpressionAttributeNames: attributeNames(condition),
      ExpressionAttributeValues: {
        ':connectionKey': connectionKey(ref),
        ':from': journalItem(from),
        ':to': journalItem(to),
      },
    })
  }

  async function deleteJournal(ref: ConnectionRef, upTo: number, consistent: boolean): Promise<void> {
    const items = await journalItems(ref, 0, upTo, consistent)
    for (let i = 0; i < items.length; i += 25) {
      let requests = items.slice(i, i + 25).map((item) => ({
        DeleteRequest: { Key: { connectionKey: item.connectionKey, item: item.item } },
      }))
      for (let tries = 0; requests.length > 0; tries++) {
        if (tries === 8)
          throw new Error(`journal of ${connectionKey(ref)}: ${requests.length} entries could not be deleted`)
        const { UnprocessedItems } = await documents.send(
          new BatchWriteCommand({ RequestItems: { [table]: requests } }),
        )
        requests = (UnprocessedItems?.[table] ?? []) as typeof requests
        if (requests.length > 0) await delay(Math.random() * 50 * 2 ** tries)
      }
    }
  }

  return {
    async claim(ref, epoch) {
      const claimed = await conditional(() =>
        documents.send(
          new UpdateCommand({
            ...update(table, headKey(ref), {
              set: { epoch },
              compute: { identity: 'if_not_exists(#identity, :none)' },
              condition: 'attribute_not_exists(#epoch) OR #epoch <= :epoch',
              values: { ':epoch': epoch, ':none': 'none' },
            }),
            ReturnValues: 'ALL_NEW',
          }),
        ),
      )
      if (claimed.kind === 'refused') return { kind: 'fenced' }
      return { kind: 'claimed', head: headOf(claimed.output.Attributes ?? {}) }
    },

    async readJournal(ref, afterSeq) {
      const items = await journalItems(ref, afterSeq + 1, 999_999_999_999, true)
      return items.map(entryOf)
    },

    readSnapshot: (ref) => readSnapshot(snapshots, ref),

    async append(ref, entry) {
      const condition = '#epoch = :epoch'
      try {
        const appended = await transaction(documents, [
          {
            ConditionCheck: {
              TableName: table,
              Key: headKey(ref),
              ConditionExpression: condition,
              ExpressionAttributeNames: attributeNames(condition),
              ExpressionAttributeValues: { ':epoch': entry.epoch },
            },
          },
          { Put: putIf(table, { ...journalKey(ref, entry.seq), ...entry }, 'attribute_not_exists(#item)') },
        ])
        if (appended.kind === 'landed') return { kind: 'appended' }
        const [head, journal] = appended.refusals
        // It landed before, and only the answer was lost: whoever owns the connection now has read it.
        if (journal?.item?.nonce === entry.nonce) return { kind: 'appended' }
        return { kind: head?.refused === true ? 'fenced' : 'exists' }
      } catch (error) {
        // Nobody knows whether it landed, unless it can be read. Where it can't be found it may still arrive: the caller
        // appends the same entry again, and its nonce makes that harmless.
        const stored = await readEntry(ref, entry.seq).catch(() => undefined)
        if (stored === undefined) throw error
        return { kind: stored.nonce === entry.nonce ? 'appended' : 'exists' }
      }
    },

    writeSnapshot: (ref, epoch, seq, nonce, data) => writeSnapshot(snapshots, ref, epoch, seq, nonce, data),

    async commitSnapshot(ref, epoch, snapshot, identity) {
      const committed = await conditional(() =>
        documents.send(
          new UpdateCommand({
            ...update(table, headKey(ref), {
              set: { snapshot, identity },
              // The right-hand side is the item as it was. NULL stands for none: an update can't leave out an attribute on a condition.
              compute: { previous: 'if_not_exists(#snapshot, :null)' },
              condition: '#epoch = :epoch AND (attribute_not_exists(#snapshot) OR #snapshot.#key <> :key)',
              values: { ':epoch': epoch, ':key': snapshot.key, ':null': null },
            }),
            ReturnValues: 'ALL_OLD',
          }),
        ),
      )
      if (committed.kind === 'refused') {
        // Ours, from an attempt whose answer was lost: the key has our nonce.
        const head = committed.item === undefined ? undefined : headOf(committed.item)
        return { kind: head?.epoch === epoch && head.snapshot?.key === snapshot.key ? 'committed' : 'fenced' }
      }
      const dropped = headOf(committed.output.Attributes ?? {}).previous
      // The bucket is versioned and keeps what is deleted for its seven days. Should this fail, the object stays until erase.
      if (dropped !== undefined) await deleteSnapshot(snapshots, dropped.key).catch(() => undefined)
      return { kind: 'committed' }
    },

    trimJournal: (ref, seq) => deleteJournal(ref, seq, false),

    async archive(ref, epoch) {
      const archived = await changeHead(ref, epoch, { identity: 'archived' })
      return { kind: archived.kind === 'landed' ? 'archived' : 'fenced' }
    },

    /**
     * Interrupted, it can be called again: the head goes last. @throws AuthFenced where the head is another's; nothing is
     * touched then, and the caller must not go on to remove the connection.
     */
    async erase(ref, epoch) {
      // First of all the head lets go of the rest, so that nothing half deleted is ever loaded.
      const closed = await changeHead(ref, epoch, { identity: 'archived', snapshot: null, previous: null })
      if (closed.kind === 'refused') {
        if (closed.item !== undefined) throw new AuthFenced(ref, epoch)
        return
      }
      await deleteSnapshotsOf(snapshots, ref)
      await deleteJournal(ref, 999_999_999_999, true)
      const condition = '#epoch = :epoch'
      await conditional(() =>
        documents.send(
          new DeleteCommand({
            TableName: table,
            Key: headKey(ref),
            ConditionExpression: condition,
            ExpressionAttributeNames: attributeNames(condition),
            ExpressionAttributeValues: { ':epoch': epoch },
          }),
        ),
      )
    },
  }

  async function readEntry(ref: ConnectionRef, seq: number): Promise<JournalEntry | undefined> {
    const { Item } = await documents.send(
      new GetCommand({ TableName: table, Key: journalKey(ref, seq), ConsistentRead: true }),
    )
    return Item === undefined ? undefined : entryOf(Item)
  }
}
