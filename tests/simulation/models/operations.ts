import type { OperationOutcome } from '../../../shared/domain/operations.ts'
import type {
  ApiOperations,
  BeginOutcome,
  CompleteOutcome,
  OperationRow,
  PresenceRow,
  WorkerOperations,
} from '../../../shared/domain/stores/operations.ts'
import type { ConnectionRef, PartitionId } from '../../../shared/domain/words.ts'
import { keyOf, request, type StoreNetwork } from './network.ts'

/** Larger answers are not kept, as DynamoDB keeps no items of more than 400 KB. */
const resultBytesMax = 1024 * 1024

/** Operations in memory; shared by the stores of several workers. */
export class ModelOperationTable {
  /** By connection key, then by operation id. */
  readonly rows = new Map<string, OperationRow>()

  /** What was told of contacts, in order. */
  readonly presences: PresenceRow[] = []

  find(ref: ConnectionRef, operationId: string): OperationRow | undefined {
    return this.rows.get(`${keyOf(ref)} ${operationId}`)
  }

  put(row: OperationRow): void {
    this.rows.set(`${keyOf(row)} ${row.operationId}`, row)
  }

  pending(partition: PartitionId): readonly OperationRow[] {
    return [...this.rows.values()].filter((row) => row.partition === partition && row.status === 'pending')
  }
}

function ended(row: OperationRow, outcome: OperationOutcome, at: string): OperationRow {
  return { ...row, ...outcome, version: row.version + 1, updatedAt: at, completedAt: at }
}

export function modelOperations(table: ModelOperationTable, network?: StoreNetwork): WorkerOperations {
  return {
    get: (ref, operationId) => request(network, 'operations.get', ref, () => table.find(ref, operationId)),
    listPending: (partition) => request(network, 'operations.listPending', undefined, () => table.pending(partition)),
    begin: (ref, operationId, epoch, token, now) =>
      request(network, 'operations.begin', ref, (): BeginOutcome => {
        const row = table.find(ref, operationId)
        if (row === undefined) return { kind: 'gone' }
        if (row.epoch > epoch) return { kind: 'fenced' }
        if (row.status !== 'pending') return { kind: 'ended' }
        if (row.begunBy !== undefined) return { kind: row.begunBy === token ? 'begun' : 'begun_before' }
        table.put({ ...row, begunBy: token, epoch, version: row.version + 1, updatedAt: now })
        return { kind: 'begun' }
      }),
    complete: (ref, operationId, epoch, outcome, now) =>
      request(network, 'operations.complete', ref, (): CompleteOutcome => {
        if (JSON.stringify(outcome).length > resultBytesMax) return { kind: 'too_large' }
        const row = table.find(ref, operationId)
        if (row === undefined) return { kind: 'gone' }
        if (row.epoch > epoch) return { kind: 'fenced' }
        if (row.status !== 'pending') return { kind: 'stale' }
        table.put({ ...ended(row, outcome, now), epoch })
        return { kind: 'written' }
      }),
    tellPresence: (ref, epoch, seen, now) =>
      request(network, 'operations.tellPresence', ref, () => {
        const before = table.presences.findLast(
          (row) => keyOf(row) === keyOf(ref) && row.contact.lid === seen.contact.lid,
        )
        if (before !== undefined && before.epoch > epoch) return { kind: 'fenced' as const }
        table.presences.push({ ...ref, ...seen, epoch, version: (before?.version ?? 0) + 1, updatedAt: now })
        return { kind: 'written' as const }
      }),
  }
}

export function modelApiOperations(table: ModelOperationTable): ApiOperations {
  return {
    get: async (ref, operationId) => table.find(ref, operationId),
    listPending: async (partition) => table.pending(partition),
    async accept(row) {
      const existing = table.find(row, row.operationId)
      if (existing === undefined) {
        table.put(row)
        return { kind: 'created', row }
      }
      return existing.requestHash === row.requestHash ? { kind: 'replayed', row: existing } : { kind: 'conflict' }
    },
    async expire(row, error, at) {
      const now = table.find(row, row.operationId)
      if (now?.status !== 'pending') return { kind: 'stale' }
      table.put(ended(now, { status: 'failed', error }, at))
      return { kind: 'written' }
    },
  }
}
