import { createHash, randomUUID } from 'node:crypto'
import { newOperationId, operationIdOf } from '../../shared/aws/ids.ts'
import { type OperationRequest, operationKeptSeconds, operationSeconds } from '../../shared/domain/operations.ts'
import type { ApiConnections, ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { DoorbellRinger } from '../../shared/domain/stores/doorbell.ts'
import type { ApiOperations, OperationRow } from '../../shared/domain/stores/operations.ts'
import type { Origin } from '../../shared/domain/trace.ts'
import { type ConnectionRef, type EpochMs, sentences } from '../../shared/domain/words.ts'
import { isDeleting } from '../deleting.ts'
import { log } from '../log.ts'
import { unsendable } from '../sends/accept-send.ts'

export interface AcceptOperationStores {
  readonly connections: Pick<ApiConnections, 'get'>
  readonly operations: Pick<ApiOperations, 'accept'>
  readonly doorbells: DoorbellRinger
}

export type AcceptedOperation =
  /** Rung for where it is pending. */
  | { readonly kind: 'accepted'; readonly row: OperationRow }
  | { readonly kind: 'connection_not_found' | 'connection_deleting' | 'idempotency_conflict' }

/**
 * Accepts a command with an answer, as a send is accepted: row, then doorbell. A doorbell that does not ring delays it until the
 * worker's next look at its rows.
 *
 * @param nowMs wall clock
 * @param origin goes with the row
 * @param operationId for who must know it before
 */
export async function acceptOperation(
  { connections, operations, doorbells }: AcceptOperationStores,
  ref: ConnectionRef,
  request: OperationRequest,
  idempotencyKey: string | undefined,
  nowMs: EpochMs,
  origin?: Origin,
  operationId = idempotencyKey === undefined ? newOperationId() : operationIdOf(ref, idempotencyKey),
): Promise<AcceptedOperation> {
  const connection = await connections.get(ref)
  if (connection === undefined) return { kind: 'connection_not_found' }
  if (isDeleting(connection)) return { kind: 'connection_deleting' }
  const outcome = await operations.accept(newRow(connection, operationId, request, idempotencyKey, nowMs, origin))
  if (outcome.kind === 'conflict') return { kind: 'idempotency_conflict' }
  const { row } = outcome
  if (row.status === 'pending') await ring(doorbells, row)
  return { kind: 'accepted', row }
}

function newRow(
  connection: ConnectionRow,
  operationId: string,
  request: OperationRequest,
  idempotencyKey: string | undefined,
  nowMs: EpochMs,
  origin: Origin | undefined,
): OperationRow {
  const { businessProfileId, connectionId, partition } = connection
  const ref = { businessProfileId, connectionId }
  const now = new Date(nowMs).toISOString()
  const aheadMs = (operationSeconds[request.kind] ?? operationSeconds.default) * 1000
  const impossible = unsendable(connection) !== undefined
  return {
    ...ref,
    operationId,
    request,
    ...(impossible
      ? {
          status: 'failed',
          error: { code: 'no_active_connection', message: sentences.noActiveConnection },
          completedAt: now,
        }
      : { status: 'pending' }),
    partition,
    deadlineAt: new Date(nowMs + aheadMs).toISOString(),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    requestHash: createHash('sha256').update(canonical(request)).digest('hex'),
    ...(origin === undefined ? {} : { origin }),
    version: 1,
    epoch: 0,
    createdAt: now,
    updatedAt: now,
    expireAt: Math.floor((nowMs + aheadMs) / 1000) + operationKeptSeconds,
  }
}

/** The same request, in whatever order its fields came. */
const canonical = (request: OperationRequest): string =>
  JSON.stringify(Object.entries(request).sort(([a], [b]) => (a < b ? -1 : 1)))

async function ring(doorbells: DoorbellRinger, row: OperationRow): Promise<void> {
  const { businessProfileId, connectionId, operationId, partition } = row
  const ref = { businessProfileId, connectionId }
  try {
    await doorbells.ring(partition, { kind: 'operation', ...ref, operationId, ringId: randomUUID() }, row.origin?.trace)
  } catch (error) {
    log.warn('doorbell did not ring; the worker finds the operation later', { operationId, error: error as Error })
  }
}
