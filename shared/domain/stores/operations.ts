import type {
  OperationError,
  OperationOutcome,
  OperationRequest,
  OperationResult,
  SeenPresence,
} from '../operations.ts'
import type { Origin } from '../trace.ts'
import type { ConnectionRef, Epoch, IsoTime, PartitionId } from '../words.ts'
import type { FencedWrite } from './connections.ts'

/**
 * A command with an answer, as stored. Table `messages`, beside the connection's messages: partition key `connectionKey`, sort
 * key `operation#<operationId>`.
 */
export interface OperationRow extends ConnectionRef {
  readonly operationId: string
  readonly request: OperationRequest
  readonly status: 'pending' | 'succeeded' | 'failed'
  readonly result?: OperationResult
  readonly error?: OperationError
  readonly partition: PartitionId
  readonly deadlineAt: IsoTime
  /** Who began it, where it may be done only once: a token of one session's try. */
  readonly begunBy?: string
  readonly idempotencyKey?: string
  /** SHA-256 of what was asked: same key with another request is a conflict. */
  readonly requestHash: string
  /** Rises by one at every write. */
  readonly version: number
  readonly epoch: Epoch
  readonly createdAt: IsoTime
  readonly updatedAt: IsoTime
  readonly completedAt?: IsoTime
  /** Which call it came by. */
  readonly origin?: Origin
  /** Seconds since 1970; DynamoDB's TTL. */
  readonly expireAt: number
}

export type BeginOutcome =
  /** By this very token, now or in a request whose answer was lost. */
  | { readonly kind: 'begun' }
  /** Somebody began it before: whether it was done is not known. */
  | { readonly kind: 'begun_before' }
  /** It is pending no longer. */
  | { readonly kind: 'ended' }
  | Exclude<FencedWrite, { kind: 'written' }>

/** `stale`: it ended before. `too_large`: nothing was written. */
export type CompleteOutcome = FencedWrite | { readonly kind: 'stale' } | { readonly kind: 'too_large' }

/** What a worker needs of operations. */
export interface WorkerOperations {
  /** Consistent read. */
  get(ref: ConnectionRef, operationId: string): Promise<OperationRow | undefined>
  /** All pending ones of a partition, from an index: one of the last second may be missing. Oldest first per connection. */
  listPending(partition: PartitionId): Promise<readonly OperationRow[]>
  /** Marks it as begun, once: who gets `begun` may carry it out. Conditional on `pending` and the epoch. */
  begin(ref: ConnectionRef, operationId: string, epoch: Epoch, token: string, now: IsoTime): Promise<BeginOutcome>
  /** Conditional on `pending` and the epoch; leaves the index. */
  complete(
    ref: ConnectionRef,
    operationId: string,
    epoch: Epoch,
    outcome: OperationOutcome,
    now: IsoTime,
  ): Promise<CompleteOutcome>
  /** Takes the place of what was told of the contact before. Conditional on the epoch. */
  tellPresence(ref: ConnectionRef, epoch: Epoch, seen: SeenPresence, now: IsoTime): Promise<FencedWrite>
}

/** The latest of one contact, as stored beside the operations, for the table's stream: sort key `presence#<LID or number>`. */
export interface PresenceRow extends ConnectionRef, SeenPresence {
  readonly version: number
  readonly epoch: Epoch
  readonly updatedAt: IsoTime
}

export type AcceptOperationOutcome =
  | { readonly kind: 'created'; readonly row: OperationRow }
  /** Same idempotency key, same request: the row as it is now. */
  | { readonly kind: 'replayed'; readonly row: OperationRow }
  | { readonly kind: 'conflict' }

/** What accepting an operation, waiting for it and the sweep need. */
export interface ApiOperations {
  accept(row: OperationRow): Promise<AcceptOperationOutcome>
  /** Consistent read. */
  get(ref: ConnectionRef, operationId: string): Promise<OperationRow | undefined>
  listPending(partition: PartitionId): Promise<readonly OperationRow[]>
  /** Ends one that no worker ended in time; conditional on it still being pending. */
  expire(row: OperationRow, error: OperationError, at: IsoTime): Promise<{ readonly kind: 'written' | 'stale' }>
}
