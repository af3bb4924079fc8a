import type { ApiMessages, WorkerMessages } from '../domain/stores/messages.ts'
import type { ConnectionRef, PartitionId } from '../domain/words.ts'
import type { StoreTable } from './requests.ts'

export interface MessageLimits {
  /** Waiting sends per connection; 5,000 where absent. */
  readonly waitingMax?: number
}

/** The count of waiting sends may be too high after a crash between two writes; the owner or the sweep sets it right. */
export interface WaitingCounts {
  /** `moved`: sends came or went meanwhile; nothing was written. */
  recount(
    ref: ConnectionRef,
    partition: PartitionId,
  ): Promise<{ readonly kind: 'counted'; readonly waiting: number } | { readonly kind: 'moved' }>
}

export function workerMessages(_store: StoreTable): WorkerMessages & WaitingCounts {
  throw new Error('not written yet')
}
export function apiMessages(_store: StoreTable, _limits: MessageLimits = {}): ApiMessages & WaitingCounts {
  throw new Error('not written yet')
}
