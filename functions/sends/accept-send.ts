import { createHash } from 'node:crypto'
import { expiry, type SendMessage, scheduleDaysMax, sendContent } from '../../shared/api/messages.ts'
import { messageIdOf, newMessageId, outboundKey, whatsappIdOf } from '../../shared/aws/ids.ts'
import { type Usage, untilNextDayMs } from '../../shared/aws/usage.ts'
import type { WaitingCounts } from '../../shared/aws/waiting.ts'
import { needsLinking } from '../../shared/domain/lifecycle-table.ts'
import type { ApiConnections, ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { DoorbellRinger } from '../../shared/domain/stores/doorbell.ts'
import type { ApiMessages, OutboundRow } from '../../shared/domain/stores/messages.ts'
import type { Origin } from '../../shared/domain/trace.ts'
import { type ConnectionRef, type EpochMs, type IsoTime, type SendError, sentences } from '../../shared/domain/words.ts'
import { isDeleting } from '../deleting.ts'
import { log } from '../log.ts'
import { acceptRow } from './accept-row.ts'
import { ringForSend } from './ring.ts'

const dayMs = 24 * 3600 * 1000

export interface AcceptSendStores {
  readonly connections: Pick<ApiConnections, 'get'>
  readonly messages: Pick<ApiMessages, 'accept' | 'get' | 'markEnqueued'> & WaitingCounts
  readonly doorbells: DoorbellRinger
  readonly usage: Usage
  /** How long message rows are kept. */
  readonly retentionDays: number
}

export type AcceptSendOutcome =
  /** `queued` and rung for, as it was when the same key came before, or `failed` at once. */
  | { readonly kind: 'accepted'; readonly row: OutboundRow }
  | { readonly kind: 'connection_not_found' }
  | { readonly kind: 'connection_deleting' }
  | { readonly kind: 'idempotency_conflict' }
  | { readonly kind: 'invalid_send_at'; readonly reason: string }
  | { readonly kind: 'too_many_waiting'; readonly limit: number }
  /** Until the next UTC day. */
  | { readonly kind: 'send_quota_reached'; readonly limit: number; readonly retryAfterMs: number }

/**
 * Accepts a validated send, for REST and the sends queues alike: row, doorbell, note that it rang. The row is the truth: once it
 * is written, a doorbell that does not ring is the sweep's to repair, and the send is accepted.
 *
 * @param nowMs wall clock
 * @param more `askedAtMs`: when the caller asked, where that was earlier: `sendAt` must be ahead of it; `origin`: goes with the row
 */
export async function acceptSend(
  stores: AcceptSendStores,
  ref: ConnectionRef,
  send: SendMessage,
  idempotencyKey: string | undefined,
  nowMs: EpochMs,
  { askedAtMs = nowMs, origin }: { readonly askedAtMs?: EpochMs; readonly origin?: Origin | undefined } = {},
): Promise<AcceptSendOutcome> {
  const connection = await stores.connections.get(ref)
  if (connection === undefined) return { kind: 'connection_not_found' }
  if (isDeleting(connection)) return { kind: 'connection_deleting' }

  const candidate = newRow(stores, connection, send, idempotencyKey, nowMs, origin)
  const reason = invalidSendAt(send.sendAt, askedAtMs)
  if (reason !== undefined) {
    // The same call again is answered the same, also when its time has come meanwhile.
    const before = idempotencyKey === undefined ? undefined : await stores.messages.get(ref, candidate.messageId)
    if (before?.direction !== 'outbound' || before.bodyHash !== candidate.bodyHash) {
      return before === undefined ? { kind: 'invalid_send_at', reason } : { kind: 'idempotency_conflict' }
    }
  }
  const { sendsPerDay } = connection
  if (sendsPerDay !== undefined && !(await withinQuota(stores, candidate, sendsPerDay, nowMs))) {
    return { kind: 'send_quota_reached', limit: sendsPerDay, retryAfterMs: untilNextDayMs(nowMs) }
  }
  const outcome = await acceptRow(stores, candidate)
  switch (outcome.kind) {
    case 'conflict':
      return { kind: 'idempotency_conflict' }
    case 'too_many_waiting':
      return { kind: 'too_many_waiting', limit: outcome.limit }
    default: {
      const { row } = outcome
      if (row.status === 'queued' && row.enqueuedAt === undefined) await ringOrLeaveToSweep(stores, row, nowMs)
      return { kind: 'accepted', row }
    }
  }
}

/** A send that is there already was counted when it came. */
async function withinQuota(
  { messages, usage }: AcceptSendStores,
  row: Omit<OutboundRow, 'seq'>,
  max: number,
  nowMs: EpochMs,
): Promise<boolean> {
  if (row.idempotencyKey !== undefined && (await messages.get(row, row.messageId)) !== undefined) return true
  return (await usage.countSend(row.businessProfileId, max, nowMs)) === 'counted'
}

function invalidSendAt(sendAt: string | undefined, askedAtMs: EpochMs): string | undefined {
  if (sendAt === undefined) return undefined
  const aheadMs = Date.parse(sendAt) - askedAtMs
  if (aheadMs <= 0) return 'must be in the future'
  return aheadMs > scheduleDaysMax * dayMs ? `must be at most ${scheduleDaysMax} days ahead` : undefined
}

async function ringOrLeaveToSweep(stores: AcceptSendStores, row: OutboundRow, nowMs: EpochMs): Promise<void> {
  try {
    await ringForSend(stores, row, new Date(nowMs).toISOString())
  } catch (error) {
    log.warn('doorbell did not ring; the sweep will', { messageId: row.messageId, error: error as Error })
  }
}

function newRow(
  stores: AcceptSendStores,
  connection: ConnectionRow,
  send: SendMessage,
  idempotencyKey: string | undefined,
  nowMs: EpochMs,
  origin: Origin | undefined,
): Omit<OutboundRow, 'seq'> {
  const { businessProfileId, connectionId, partition } = connection
  const ref = { businessProfileId, connectionId }
  const messageId = idempotencyKey === undefined ? newMessageId() : messageIdOf(ref, idempotencyKey)
  const whatsappId = whatsappIdOf(messageId)
  const now = new Date(nowMs).toISOString()
  const error = unsendable(connection)
  const dueMs = send.sendAt === undefined ? nowMs : Math.max(nowMs, Date.parse(send.sendAt))
  return {
    ...ref,
    key: outboundKey(whatsappId),
    messageId,
    whatsappId,
    direction: 'outbound',
    to: send.to.to,
    chat: send.to.chat,
    content: sendContent(send),
    ...(error === undefined
      ? { status: 'queued', waitingPartition: partition, ...held(connection, send.sendAt, now) }
      : { status: 'failed', error, failedAt: now }),
    partition,
    generation: 0,
    ...(send.sendAt === undefined ? {} : { sendAt: send.sendAt }),
    deadlineAt: new Date(dueMs + (send.expiresInSeconds ?? expiry.defaultSeconds) * 1000).toISOString(),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    bodyHash: bodyHash(send),
    ...(origin === undefined ? {} : { origin }),
    version: 1,
    epoch: 0,
    createdAt: now,
    updatedAt: now,
    expireAt: Math.floor(dueMs / 1000) + (connection.retention?.messagesDays ?? stores.retentionDays) * 24 * 3600,
  }
}

/** The same send, however it was written: the hash is over what was understood, in a fixed order. */
function bodyHash(send: SendMessage): string {
  const scheduled = send.sendAt === undefined ? [] : [send.sendAt]
  const canonical = JSON.stringify([send.to.to, sendContent(send), send.expiresInSeconds ?? null, ...scheduled])
  return createHash('sha256').update(canonical).digest('hex')
}

/** No device is linked and none will be without a person. All else waits for the worker, who knows more than the row. */
export function unsendable(connection: ConnectionRow): SendError | undefined {
  const error: SendError = { code: 'no_active_connection', message: sentences.noActiveConnection }
  if (connection.linkedAt === undefined || needsLinking.has(connection.reason)) return error
  // Pairing again: linked once, but that identity is gone. Between the scan and the first open there is no code to show.
  return connection.status === 'qr_pending' && isPairing(connection) ? error : undefined
}

function isPairing({ qr, pairingCode, command, handledCommandId, reason }: ConnectionRow): boolean {
  if (qr !== undefined || pairingCode !== undefined || reason === 'passkey_required') return true
  return command?.kind === 'pair' && command.commandId !== handledCommandId
}

/** What cannot go at once is held: until a worker takes it out, it can be cancelled. */
export function held(
  connection: ConnectionRow,
  sendAt: IsoTime | undefined,
  now: IsoTime,
): Partial<Pick<OutboundRow, 'heldAt' | 'note'>> {
  if (sendAt !== undefined) return { heldAt: now }
  return connection.status === 'connected' ? {} : { heldAt: now, note: sentences.beingRestored }
}
