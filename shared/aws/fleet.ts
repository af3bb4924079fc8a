import { randomUUID } from 'node:crypto'
import { DeleteCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { FleetStore, PartitionRow, TakeOutcome, WorkerRow } from '../domain/stores/fleet.ts'
import type { Epoch, PartitionId, WorkerId } from '../domain/words.ts'
import { attributeNames, type Change, putIf, update } from './expressions.ts'
import { conditional, type Item, queryAll, type StoreTable, transaction } from './requests.ts'

const workerKey = (workerId: WorkerId) => ({ kind: 'worker', id: workerId })
const partitionKey = (partition: PartitionId) => ({ kind: 'partition', id: String(partition) })

/** The adapter wrote it, so the adapter believes it. */
function rowOf<Row>(item: Item): Row {
  const { kind: _kind, id: _id, ...row } = item
  return row as Row
}

/** What every change of owner does: a new epoch, and what was offered or asked for is settled. */
const owned = (by: WorkerId, epoch: Epoch): NonNullable<Change['set']> => ({
  owner: by,
  epoch: epoch + 1,
  grant: null,
  request: null,
})

/**
 * `lost` may also be our own change whose answer was lost: the next view shows the partition as ours, and we take it again at
 * the next epoch.
 */
const outcome = (kind: 'landed' | 'refused', epoch: Epoch): TakeOutcome =>
  kind === 'landed' ? { kind: 'taken', epoch: epoch + 1 } : { kind: 'lost' }

/**
 * `view` 1 RCU per 4 KB, twice (half as much again for each further page); `take` 4 WCU from an owner and 2 without;
 * everything else 1 WCU. A worker's renewal should use a client of its own with one attempt: the next renewal is the retry.
 */
export function fleetStore({ documents, table }: StoreTable): FleetStore {
  const rowsOf = async <Row>(kind: 'worker' | 'partition'): Promise<Row[]> => {
    const condition = '#kind = :kind'
    const items = await queryAll(documents, {
      TableName: table,
      ConsistentRead: true,
      KeyConditionExpression: condition,
      ExpressionAttributeNames: attributeNames(condition),
      ExpressionAttributeValues: { ':kind': kind },
    })
    return items.map((item) => rowOf<Row>(item))
  }

  const partitions = async (): Promise<PartitionRow[]> => {
    const rows = await rowsOf<PartitionRow>('partition')
    // The sort key is text, which puts 10 before 2.
    return rows.sort((a, b) => a.partition - b.partition)
  }

  const change = (key: Readonly<Record<string, string>>, what: Change) =>
    conditional(() => documents.send(new UpdateCommand(update(table, key, what))))

  return {
    async view() {
      const [workers, all] = await Promise.all([rowsOf<WorkerRow>('worker'), partitions()])
      return { workers, partitions: all }
    },

    async ensurePartitions(count) {
      const known = new Set((await partitions()).map((row) => row.partition))
      const missing = Array.from({ length: count }, (_, partition) => partition).filter((id) => !known.has(id))
      await Promise.all(
        missing.map((partition) => {
          const row: PartitionRow = { partition, epoch: 0, connections: 0 }
          // Another worker may create it first, which is as good.
          return conditional(() =>
            documents.send(
              new PutCommand(putIf(table, { ...partitionKey(partition), ...row }, 'attribute_not_exists(#id)')),
            ),
          )
        }),
      )
    },

    async register(worker) {
      const put = await conditional(() =>
        documents.send(
          new PutCommand(putIf(table, { ...workerKey(worker.workerId), ...worker }, 'attribute_not_exists(#id)')),
        ),
      )
      if (put.kind === 'landed') return
      // The boot nonce makes the id ours alone, so this is our own row of an attempt whose answer was lost, unless it died since.
      if (put.item?.state === 'dead') throw new Error(`worker ${worker.workerId}: is marked dead, expected a new id`)
    },

    async renew(workerId, counter, load) {
      const renewed = await change(workerKey(workerId), {
        set: { counter, connections: load.connections, state: load.state, restoring: load.restoring ?? null },
        condition: 'attribute_exists(#id) AND #state <> :dead AND #counter < :counter',
        values: { ':dead': 'dead', ':counter': counter },
      })
      if (renewed.kind === 'landed') return { kind: 'renewed' }
      // Renewals overlap: one that a later one overtook says nothing new, but the worker was not dead when it arrived.
      return renewed.item === undefined || renewed.item.state === 'dead' ? { kind: 'dead' } : { kind: 'renewed' }
    },

    async take(partition, by, previousOwner) {
      const { owner, epoch } = partition
      const taking = update(table, partitionKey(partition.partition), {
        set: owned(by, epoch),
        condition: `#epoch = :epoch AND ${owner === undefined ? 'attribute_not_exists(#owner)' : '#owner = :owner'}`,
        values: { ':epoch': epoch, ...(owner === undefined ? {} : { ':owner': owner }) },
      })
      // Nobody to watch: it is nobody's, or our own from an answer that was lost.
      if (owner === undefined || owner === by) {
        const taken = await conditional(() => documents.send(new UpdateCommand(taking)))
        return outcome(taken.kind, epoch)
      }
      if (previousOwner !== undefined && previousOwner.workerId !== owner) {
        throw new Error(
          `partition ${partition.partition}: previousOwner is ${previousOwner.workerId}, expected ${owner}`,
        )
      }
      const orphaned = 'attribute_not_exists(#id)'
      const taken = await transaction(documents, [
        { Update: taking },
        previousOwner === undefined
          ? // An owner whose row is gone was dead for long; should it be there after all, its counter must be watched first.
            {
              ConditionCheck: {
                TableName: table,
                Key: workerKey(owner),
                ConditionExpression: orphaned,
                ExpressionAttributeNames: attributeNames(orphaned),
              },
            }
          : {
              Update: update(table, workerKey(owner), {
                set: { state: 'dead' },
                condition: 'attribute_exists(#id) AND (#counter = :seen OR #state = :dead)',
                values: { ':seen': previousOwner.counterSeen, ':dead': 'dead' },
              }),
            },
      ])
      return outcome(taken.kind, epoch)
    },

    async claimGrant({ partition, epoch }, grantId, by) {
      const claimed = await change(partitionKey(partition), {
        set: owned(by, epoch),
        condition:
          'attribute_exists(#id) AND #epoch = :epoch AND #grant.#grantId = :grantId ' +
          'AND (attribute_not_exists(#grant.#to) OR #grant.#to = :by)',
        values: { ':epoch': epoch, ':grantId': grantId, ':by': by },
      })
      return outcome(claimed.kind, epoch)
    },

    async release(partition, epoch, owner, to) {
      // An epoch has one owner, who releases once: the id needs no randomness, and a lost answer is found by it.
      const grantId = `${partition}-${epoch}`
      const released = await change(partitionKey(partition), {
        set: { owner: null, request: null, grant: to === undefined ? { grantId } : { grantId, to } },
        condition: '#epoch = :epoch AND #owner = :owner',
        values: { ':epoch': epoch, ':owner': owner },
      })
      if (released.kind === 'landed') return { kind: 'released' }
      const stored = released.item === undefined ? undefined : rowOf<PartitionRow>(released.item)
      const ours = stored?.epoch === epoch && stored.owner === undefined && stored.grant?.grantId === grantId
      return { kind: ours ? 'released' : 'lost' }
    },

    async request(partition, epoch, by) {
      await change(partitionKey(partition), {
        set: { request: { by, requestId: randomUUID() } },
        condition: '#epoch = :epoch AND attribute_exists(#owner) AND #owner <> :by',
        values: { ':epoch': epoch, ':by': by },
      })
    },

    async countConnections(partition, epoch, owner, connections) {
      await change(partitionKey(partition), {
        set: { connections },
        condition: '#epoch = :epoch AND #owner = :owner',
        values: { ':epoch': epoch, ':owner': owner },
      })
    },

    async markDead(workerId) {
      await change(workerKey(workerId), { set: { state: 'dead' }, condition: 'attribute_exists(#id)' })
    },

    async forget(workerId) {
      const condition = '#state = :dead'
      // Only the dead: a row that came to life under this name must be watched.
      await conditional(() =>
        documents.send(
          new DeleteCommand({
            TableName: table,
            Key: workerKey(workerId),
            ConditionExpression: condition,
            ExpressionAttributeNames: attributeNames(condition),
            ExpressionAttributeValues: { ':dead': 'dead' },
          }),
        ),
      )
    },
  }
}
