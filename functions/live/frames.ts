import { randomUUID } from 'node:crypto'
import { connectionEvent } from '../../shared/api/connection-event.ts'
import { toConnection } from '../../shared/api/connections.ts'
import type {
  ChangeFrame,
  ConnectionFrame,
  LiveFrame,
  MessageEvent,
  MessageFrame,
  OperationFrame,
  PresenceFrame,
} from '../../shared/api/live.ts'
import { toMessage } from '../../shared/api/messages.ts'
import { toOperation, toPresence } from '../../shared/api/operations.ts'
import type { Problem } from '../../shared/api/problems.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { MessageRow, OutboundRow } from '../../shared/domain/stores/messages.ts'
import type { OperationRow, PresenceRow } from '../../shared/domain/stores/operations.ts'
import type { ConnectionRef, IsoTime } from '../../shared/domain/words.ts'
import { isoNow } from '../time.ts'

/** What became of a connection, for those who listen; undefined where nothing that they can see has changed. */
export function connectionFrame(before: ConnectionRow | undefined, after: ConnectionRow): ConnectionFrame | undefined {
  if (before !== undefined && sameToSee(toConnection(before), toConnection(after))) return undefined
  return {
    id: `${after.connectionId}:${after.version}`,
    event: connectionEvent(before && toConnection(before), toConnection(after)),
    at: after.updatedAt,
    connectionId: after.connectionId,
    version: after.version,
    data: toConnection(after),
  }
}

/**
 * Of two changes of one item only the later is told. A change that has a name keeps it through later ones that have none, as long
 * as it is true: who waits for `whatsapp-connected` hears of it although the label was changed right after.
 */
export function latest(earlier: ChangeFrame, later: ChangeFrame): ChangeFrame {
  if (later.event !== 'connection-updated') return later
  switch (earlier.event) {
    case 'connection-created':
      return { ...later, event: earlier.event }
    case 'whatsapp-qr':
      return later.data.qr === undefined ? later : { ...later, event: earlier.event }
    case 'whatsapp-connected':
    case 'whatsapp-reconnecting':
    case 'whatsapp-disconnected':
      return earlier.data.status === later.data.status ? { ...later, event: earlier.event } : later
    default:
      return later
  }
}

/** `version` is one above the last, so that a change that comes late does not bring the connection back. */
export function connectionDeletedFrame(last: ConnectionRow, at: IsoTime): LiveFrame & { event: 'connection-deleted' } {
  const { connectionId } = last
  const version = last.version + 1
  return {
    id: `${connectionId}:${version}`,
    event: 'connection-deleted',
    at,
    connectionId,
    version,
    data: { connectionId },
  }
}

/** A message as it is. */
export function messageFrame(row: MessageRow): MessageFrame {
  return {
    id: `${row.messageId}:${row.version}`,
    event: messageEvent(row),
    at: row.updatedAt,
    connectionId: row.connectionId,
    version: row.version,
    data: toMessage(row),
  }
}

/** What became of a message, for those who listen: each step of a send that the write brought. */
export function messageFrames(before: MessageRow | undefined, after: MessageRow): readonly MessageFrame[] {
  if (before !== undefined && sameToSee(toMessage(before), toMessage(after))) return []
  const passed = after.direction === 'outbound' && before?.direction === 'outbound' ? rowsPassed(before, after) : []
  return [...passed, after].map(messageFrame)
}

const steps = ['sent', 'delivered', 'read', 'played'] as const

/** The row as it would have been stored after each step but the last, with the versions that the write left for them. */
function rowsPassed(before: OutboundRow, after: OutboundRow): readonly OutboundRow[] {
  const reached = steps.findIndex((step) => step === after.status)
  const brought = steps.slice(0, Math.max(0, reached)).filter((step) => isNew(step, before, after))
  return brought.map((status, i) => {
    const later = steps.filter((step) => steps.indexOf(step) > steps.indexOf(status) && isNew(step, before, after))
    return {
      ...after,
      ...Object.fromEntries(later.map((step) => [`${step}At`, undefined])),
      status,
      version: after.version - (brought.length - i),
      updatedAt: after[`${status}At`] ?? after.updatedAt,
    }
  })
}

const isNew = (step: (typeof steps)[number], before: OutboundRow, after: OutboundRow): boolean =>
  after[`${step}At`] !== undefined && before[`${step}At`] === undefined

/** Undefined for one that is pending, or had ended before. */
export function operationFrame(before: OperationRow | undefined, after: OperationRow): OperationFrame | undefined {
  if (after.status === 'pending' || before?.status === after.status) return undefined
  return {
    id: `${after.operationId}:${after.version}`,
    event: 'operation-completed',
    at: after.updatedAt,
    connectionId: after.connectionId,
    version: after.version,
    data: toOperation(after),
  }
}

/** Undefined where nothing but the write is new. */
export function presenceFrame(before: PresenceRow | undefined, after: PresenceRow): PresenceFrame | undefined {
  const data = toPresence(after)
  if (before !== undefined && JSON.stringify(toPresence(before)) === JSON.stringify(data)) return undefined
  const { connectionId, version, contact } = after
  const id = `${connectionId}:presence:${contact.lid ?? contact.phoneNumber}:${version}`
  return { id, event: 'presence', at: after.updatedAt, connectionId, version, data }
}

function messageEvent(row: MessageRow): MessageEvent {
  if (row.direction === 'outbound') return 'message-status'
  switch (row.content.type) {
    case 'reaction':
      return 'message-reaction'
    case 'edit':
      return 'message-edited'
    case 'delete':
      return 'message-deleted'
    case 'poll_vote':
      return 'poll-vote'
    default:
      return 'message-received'
  }
}

/**
 * Whether two public shapes differ in nothing but the count of writes and the doorbell. Both come from one function: same order
 * of keys.
 */
function sameToSee<T extends { readonly version: number; readonly updatedAt: string }>(a: T, b: T): boolean {
  const seen = ({ version: _, updatedAt: __, ...rest }: T) =>
    JSON.stringify(rest, (name, value) => (name === 'enqueuedAt' ? undefined : value))
  return seen(a) === seen(b)
}

export const pongFrame = (): LiveFrame => ({
  id: randomUUID(),
  event: 'pong',
  at: isoNow(),
  connectionId: null,
  version: 0,
  data: {},
})

export const subscribedFrame = (
  connectionIds: readonly ConnectionRef['connectionId'][] | null,
  version: number,
): LiveFrame => ({
  id: randomUUID(),
  event: 'subscribed',
  at: isoNow(),
  connectionId: null,
  version,
  data: { connectionIds: connectionIds === null ? null : [...connectionIds] },
})

export const errorFrame = (problem: Problem, requestId: string): LiveFrame => ({
  id: randomUUID(),
  event: 'error',
  at: isoNow(),
  connectionId: null,
  version: 0,
  data: problem.document(requestId),
})
