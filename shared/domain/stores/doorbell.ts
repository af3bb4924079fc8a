import type { CommandKind, ConnectionRef, EpochMs, Gesture, MessageId, PartitionId } from '../words.ts'

/**
 * What a partition queue's message says: ids only, the row has the rest. FIFO message group: the connection id for sends,
 * `command:<connectionId>` for commands and `operation:<connectionId>` for operations, so that these overtake waiting sends
 * and a slow command holds up no operation.
 */
export type Doorbell =
  | ({ readonly kind: 'send'; readonly messageId: MessageId; readonly generation: number } & ConnectionRef)
  /** Its owner changed what a connection may do, such as its pace. `version` of the row after it. */
  | ({ readonly kind: 'settings'; readonly version: number } & ConnectionRef)
  /** All that there is of it. `gestureId` is its own. */
  | ({ readonly kind: 'gesture'; readonly gestureId: string; readonly gesture: Gesture } & ConnectionRef)
  /** A received message's medium is asked for; its own row says what became of it. `requestId` is the ring's own. */
  /** A command with an answer waits in its row. `ringId` is this ring's own. */
  | ({ readonly kind: 'operation'; readonly operationId: string; readonly ringId: string } & ConnectionRef)
  | ({ readonly kind: 'command'; readonly command: CommandKind; readonly commandId: string } & ConnectionRef)

export interface DoorbellRinger {
  /** @param trace of the call that it is rung for: goes beside the message, where X-Ray looks for it */
  ring(partition: PartitionId, doorbell: Doorbell, trace?: string): Promise<void>
}

/** One received doorbell. A malformed body is `undefined` in `doorbell`, with what was wrong in `problem`. */
export interface ReceivedDoorbell {
  readonly receipt: string
  readonly doorbell?: Doorbell
  readonly problem?: string
  readonly body: string
  /** When it was put into the queue, by the queue's clock. */
  readonly sentAt?: EpochMs
}

/** The consuming side, one per owned partition. */
export interface DoorbellQueue {
  /** Long poll; resolves with what came, possibly nothing. */
  receive(partition: PartitionId, waitSeconds: number): Promise<readonly ReceivedDoorbell[]>
  done(partition: PartitionId, receipts: readonly string[]): Promise<void>
  /** Makes messages visible again at once. */
  handBack(partition: PartitionId, receipts: readonly string[]): Promise<void>
  /** Malformed: to the dead-letter queue with the reason. */
  reject(partition: PartitionId, message: ReceivedDoorbell): Promise<void>
}
