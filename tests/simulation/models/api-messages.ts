import {
  type ApiMessages,
  type MessageRow,
  type OutboundRow,
  previousKept,
} from '../../../shared/domain/stores/messages.ts'
import type { ConnectionRef } from '../../../shared/domain/words.ts'
import { keyOf } from './network.ts'
import type { ModelTables } from './stores.ts'

/** The API's side of the messages in memory; each call is one step, as each is one transaction on DynamoDB. */
export function modelApiMessages(tables: ModelTables, waitingMax = 5_000): ApiMessages {
  /** Who took the places of a connection, latest first. */
  const places = new Map<string, readonly string[]>()
  const find = (ref: ConnectionRef, key: string): MessageRow | undefined => tables.messages.get(keyOf(ref))?.get(key)
  const outbound = (): OutboundRow[] =>
    [...tables.messages.values()].flatMap((rows) => [...rows.values()].filter((row) => row.direction === 'outbound'))
  return {
    async accept(row) {
      const there = find(row, row.key)
      if (there?.direction === 'outbound') {
        return there.bodyHash === row.bodyHash ? { kind: 'replayed', row: there } : { kind: 'conflict' }
      }
      const queued = outbound().filter((other) => keyOf(other) === keyOf(row) && other.status === 'queued')
      if (row.status === 'queued' && queued.length >= waitingMax) return { kind: 'too_many_waiting', limit: waitingMax }
      const before = places.get(keyOf(row)) ?? []
      places.set(keyOf(row), [row.whatsappId, ...before])
      const previous = before.slice(0, previousKept)
      const created: OutboundRow = { ...row, seq: before.length + 1, ...(previous.length === 0 ? {} : { previous }) }
      tables.put(created)
      return { kind: 'created', row: created }
    },
    async markEnqueued(ref, whatsappId, generation, at) {
      const row = find(ref, `out#${whatsappId}`)
      if (row?.direction !== 'outbound' || row.status !== 'queued' || row.generation >= generation) return
      tables.put({ ...row, generation, enqueuedAt: at, version: row.version + 1, updatedAt: at })
    },
    async get(ref, messageId) {
      return [...(tables.messages.get(keyOf(ref))?.values() ?? [])].find((row) => row.messageId === messageId)
    },
    receipts: async (ref, whatsappId) => tables.receipts.get(`${keyOf(ref)} ${whatsappId}`) ?? [],
    async list(ref, limit, next, { status, chat, direction } = {}) {
      const rows = [...(tables.messages.get(keyOf(ref))?.values() ?? [])].filter(
        (row) =>
          (status === undefined || ('status' in row && row.status === status)) &&
          (chat === undefined || row.chat === chat) &&
          (direction === undefined || row.direction === direction),
      )
      const newestFirst = rows.sort(
        (a, b) => b.createdAt.localeCompare(a.createdAt) || b.messageId.localeCompare(a.messageId),
      )
      const from = next === undefined ? 0 : newestFirst.findIndex(({ key }) => key === next) + 1
      const items = newestFirst.slice(from, from + limit)
      const last = items.at(-1)
      return { items, ...(last !== undefined && from + limit < newestFirst.length && { next: last.key }) }
    },
    async cancel(ref, messageId, at) {
      const row = [...(tables.messages.get(keyOf(ref))?.values() ?? [])].find((each) => each.messageId === messageId)
      if (row?.direction !== 'outbound') return { kind: 'not_found' }
      if (row.error?.code === 'cancelled') return { kind: 'cancelled', row }
      if (row.status !== 'queued' || row.heldAt === undefined) return { kind: 'not_cancellable', row }
      const { waitingPartition: _, note: __, heldAt: ___, ...rest } = row
      const error = { code: 'cancelled', message: 'The message was cancelled before it was sent.' } as const
      const ended = { ...rest, status: 'failed', error, failedAt: at, updatedAt: at, version: row.version + 1 } as const
      tables.put(ended)
      return { kind: 'cancelled', row: ended }
    },
    async listWaiting(partition) {
      return tables.waiting(partition)
    },
    async expire(row, error, at) {
      const now = find(row, row.key)
      if (now?.direction !== 'outbound' || now.status !== 'queued') return { kind: 'stale' }
      const { waitingPartition: _, note: __, heldAt: ___, ...rest } = now
      tables.put({ ...rest, status: 'failed', error, failedAt: at, updatedAt: at, version: now.version + 1 })
      return { kind: 'written' }
    },
  }
}
