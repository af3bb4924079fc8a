import type { InboundContent } from '../content.ts'
import type { ParticipantReceipt, ReceiptCounts, ToldReceipt } from '../receipts.ts'
import type { Origin } from '../trace.ts'
import type {
  ConnectionRef,
  Epoch,
  EpochMs,
  IsoTime,
  MessageId,
  PartitionId,
  PhoneNumber,
  SendContent,
  SendError,
  SendStatus,
} from '../words.ts'
import type { FencedWrite, Page } from './connections.ts'

/**
 * One message as stored. Table `messages`: partition key `connectionKey` (`<businessProfileId>#<connectionId>`), sort key
 * `key`: `out#<whatsappId>` or `in#<hash of chat, sender and WhatsApp id>`, so that an ack or a receipt, which carry only
 * WhatsApp's id, find their row without an index, and so does the API, since the one id follows from the other.
 */
export type MessageRow = OutboundRow | InboundRow

interface MessageRowBase extends ConnectionRef {
  readonly key: string
  readonly messageId: MessageId
  readonly whatsappId: string
  /** JID of the chat: the recipient's, or the group's. */
  readonly chat: string
  /** Rises by one at every write. */
  readonly version: number
  readonly epoch: Epoch
  readonly createdAt: IsoTime
  readonly updatedAt: IsoTime
  /** Seconds since 1970; DynamoDB's TTL. */
  readonly expireAt: number
}

export interface OutboundRow extends MessageRowBase {
  readonly direction: 'outbound'
  readonly to: PhoneNumber | string
  readonly content: SendContent
  readonly status: SendStatus
  /** Order of acceptance within the connection, from 1. Numbers may be missing: a place was taken and no row written. */
  readonly seq: number
  /**
   * WhatsApp ids that took the places right before this one, latest first: `seq - 1`, `seq - 2`, … Where one is not known yet,
   * it is found by a consistent read, which the index of waiting sends is not. Fewer where there were fewer.
   */
  readonly previous?: readonly string[]
  readonly partition: PartitionId
  /** Present while the send waits (status `queued`): key of the sparse index that a new owner reads its lists from. */
  readonly waitingPartition?: PartitionId
  /** When the doorbell was rung; absent means the sweep rings. */
  readonly enqueuedAt?: IsoTime
  /** How often the doorbell was rung: part of the queue's deduplication id. */
  readonly generation: number
  readonly deadlineAt: IsoTime
  /** Not before then. The deadline counts from it. */
  readonly sendAt?: IsoTime
  /**
   * Present while it is certain that nothing left: the send may be cancelled. Whoever takes it out to send it removes this
   * first, in a conditional write, which also decides the race with a cancellation.
   */
  readonly heldAt?: IsoTime
  /** How often the send was taken out after it was held: a hold that lands late does not meet the count it names. */
  readonly claims?: number
  readonly idempotencyKey?: string
  /** SHA-256 of the canonical body: same key with another body is a conflict. */
  readonly bodyHash: string
  readonly error?: SendError
  /** A sentence while it waits, e.g. "The connection is being restored." */
  readonly note?: string
  readonly sentAt?: IsoTime
  readonly deliveredAt?: IsoTime
  readonly readAt?: IsoTime
  readonly playedAt?: IsoTime
  readonly failedAt?: IsoTime
  /** Which call it came by. */
  readonly origin?: Origin
  /** In a group: how many members are how far. The status is as far as the first of them. */
  readonly receipts?: ReceiptCounts
}

export interface InboundRow extends MessageRowBase {
  readonly direction: 'inbound'
  readonly from: { readonly phoneNumber?: PhoneNumber; readonly lid?: string; readonly name?: string }
  /** JID of who wrote it, as the stanza addressed it. */
  readonly sender?: string
  readonly content: InboundContent
  /** WhatsApp's own timestamp of the message. */
  readonly sentAt: IsoTime
  readonly receivedAt: IsoTime
}

/** What WhatsApp told of a message of ours. */
export interface ForwardStep {
  readonly status: 'sent' | 'delivered' | 'read' | 'played'
  readonly at: IsoTime
}

/** A step of an outbound message. Applied only forward: see `message-status.ts`. */
export type SendStep =
  /** `earlier`: what was told right before it, in its order, and is stored in the same write. Each counts as a version. */
  | (ForwardStep & { readonly earlier?: readonly ForwardStep[] })
  | { readonly status: 'failed'; readonly at: IsoTime; readonly error: SendError }

/** `stale`: the row is already at that step or past it; nothing to do. */
export type StepOutcome = FencedWrite | { readonly kind: 'stale' }

export type ClaimOutcome =
  /** It may leave now. `claims` is what the next hold has to name. */
  | { readonly kind: 'claimed'; readonly claims: number }
  /** It waits no longer: cancelled, or its deadline passed. */
  | { readonly kind: 'ended' }
  | Exclude<FencedWrite, { kind: 'written' }>

/** How many of its predecessors a send names. */
export const previousKept = 4

/** What a worker needs of messages. */
export interface WorkerMessages {
  /** Consistent read. */
  getOutbound(ref: ConnectionRef, messageId: MessageId): Promise<OutboundRow | undefined>
  /** Those that exist, of a hundred at most. Consistent reads. */
  getOutbounds(ref: ConnectionRef, messageIds: readonly MessageId[]): Promise<ReadonlyMap<MessageId, OutboundRow>>
  /** All waiting sends of a partition, per connection in order of acceptance (from the sparse index). */
  listWaiting(partition: PartitionId): Promise<readonly OutboundRow[]>
  /** Those of one connection whose `seq` is below `before` and above `after`, in order. From the same index, as late as that is. */
  listWaitingOf(
    ref: ConnectionRef,
    partition: PartitionId,
    range: { readonly after: number; readonly before: number },
  ): Promise<readonly OutboundRow[]>
  /** Conditional on existence, epoch and the order of statuses; leaves the waiting index when it ends waiting. */
  step(ref: ConnectionRef, whatsappId: string, epoch: Epoch, step: SendStep): Promise<StepOutcome>
  /** One member's receipt of a message in a group: kept, counted once, and a step of the message where it is the first. */
  receipt(ref: ConnectionRef, whatsappId: string, epoch: Epoch, told: ToldReceipt): Promise<StepOutcome>
  /**
   * Sets or clears the sentence of a waiting send.
   *
   * @param claims given where it is certain that nothing of the send left: holds it, unless it was taken out since
   */
  note(
    ref: ConnectionRef,
    whatsappId: string,
    epoch: Epoch,
    note: string | null,
    now: IsoTime,
    claims?: number,
  ): Promise<FencedWrite>
  /** Takes a held send out: from then on it cannot be cancelled. */
  claim(ref: ConnectionRef, whatsappId: string, epoch: Epoch, now: IsoTime): Promise<ClaimOutcome>
  /** Puts an inbound row unless it is there: `exists` is success. */
  putInbound(row: InboundRow): Promise<{ readonly kind: 'created' } | { readonly kind: 'exists' }>
  /** Whether something was exchanged in a chat: a message came in, or one of ours arrived at WhatsApp. */
  isKnownChat(ref: ConnectionRef, chat: string): Promise<boolean>
  /** Counts a new chat for a day (`2026-01-31`), once; false where the day has its limit. A new owner continues the count. */
  admitNewChat(
    ref: ConnectionRef,
    chat: string,
    limit: { readonly day: string; readonly max: number; readonly nowMs: EpochMs },
  ): Promise<boolean>
  /** For retry receipts: what was sent under that id. */
  getByWhatsappId(ref: ConnectionRef, whatsappId: string): Promise<OutboundRow | undefined>
  /** Those that exist, of a hundred at most, by WhatsApp's id. Consistent reads. */
  getByWhatsappIds(ref: ConnectionRef, whatsappIds: readonly string[]): Promise<ReadonlyMap<string, OutboundRow>>
}

/** Finds what a message refers to, in either direction. Consistent. */
export interface MessageLookup {
  /**
   * @param id our message id, or WhatsApp's
   * @param where only with WhatsApp's id of an inbound message: chats and senders (JIDs) that it may have been stored under
   */
  find(
    ref: ConnectionRef,
    id: string,
    where?: readonly { readonly chat: string; readonly sender: string }[],
  ): Promise<MessageRow | undefined>
}

export type AcceptOutcome =
  | { readonly kind: 'created'; readonly row: OutboundRow }
  /** Same idempotency key, same body: the row as it is now. */
  | { readonly kind: 'replayed'; readonly row: OutboundRow }
  /** Same idempotency key, another body. */
  | { readonly kind: 'conflict' }
  /** The connection has its limit of waiting sends. */
  | { readonly kind: 'too_many_waiting'; readonly limit: number }

export type CancelOutcome =
  /** Now, or before. */
  | { readonly kind: 'cancelled'; readonly row: OutboundRow }
  /** It is on its way, or it ended. */
  | { readonly kind: 'not_cancellable'; readonly row: OutboundRow }
  | { readonly kind: 'not_found' }

/** Which messages of a connection; absent: all. */
export interface MessageFilter {
  readonly status?: SendStatus
  /** JID. */
  readonly chat?: string
  readonly direction?: 'inbound' | 'outbound'
}

/** What accepting a send, reading it and the sweep need. */
export interface ApiMessages {
  /** Takes the next `seq` of the connection and writes the row; `seq` and `previous` are given by the adapter. */
  accept(row: Omit<OutboundRow, 'seq' | 'previous'>): Promise<AcceptOutcome>
  /** The doorbell was rung: sets `enqueuedAt` and the generation, if the row still waits. */
  markEnqueued(ref: ConnectionRef, whatsappId: string, generation: number, at: IsoTime): Promise<void>
  get(ref: ConnectionRef, messageId: MessageId): Promise<MessageRow | undefined>
  /** What the members of a group said of a message of ours. Consistent. */
  receipts(ref: ConnectionRef, whatsappId: string): Promise<readonly ParticipantReceipt[]>
  /** Newest first. With a filter a page may hold fewer than `limit`, even none, and have a `next`: reading is bounded. */
  list(ref: ConnectionRef, limit: number, next?: string, filter?: MessageFilter): Promise<Page<MessageRow>>
  /** Ends a send that waits and of which nothing may have left. */
  cancel(ref: ConnectionRef, messageId: MessageId, at: IsoTime): Promise<CancelOutcome>
  /** Waiting sends of a partition (sweep). */
  listWaiting(partition: PartitionId): Promise<readonly OutboundRow[]>
  /** Ends a waiting send whose deadline passed; conditional on it still waiting. */
  expire(
    row: OutboundRow,
    error: SendError,
    at: IsoTime,
  ): Promise<{ readonly kind: 'written' } | { readonly kind: 'stale' }>
}
