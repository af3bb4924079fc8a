/**
 * The seams inside the connector. Session, fleet and journal code know only these, so that the simulation runs the very same
 * code on a virtual clock over model stores and a model WhatsApp.
 *
 * Who uses whom:  worker → fleet (who owns what), sessions (one per connection), doorbells
 *                 session → lifecycle (pure), login gate, outbox, WhatsAppPort, AuthStates, stores
 *                 whatsapp (Baileys adapter) → auth state, egress gate
 */

import type { ConnectionEnd } from '../shared/domain/disconnect.ts'
import type { OperationError, OperationRequest, OperationResult, SeenPresence } from '../shared/domain/operations.ts'
import type { Participant } from '../shared/domain/receipts.ts'
import type {
  ConnectionChange,
  ConnectionRow,
  FencedWrite,
  WorkerConnections,
} from '../shared/domain/stores/connections.ts'
import type { InboundRow, OutboundRow, WorkerMessages } from '../shared/domain/stores/messages.ts'
import type { OperationRow, WorkerOperations } from '../shared/domain/stores/operations.ts'
import type {
  ConnectionRef,
  Epoch,
  EpochMs,
  Gesture,
  MessageId,
  PairingMethod,
  PartitionId,
  SendContent,
  SendErrorCode,
} from '../shared/domain/words.ts'

export type { ConnectionChange, ConnectionEnd, ConnectionRow, FencedWrite, InboundRow, OutboundRow }

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall clock, for what people and rows see. */
  now(): EpochMs
  /** Milliseconds that never go back; for durations. */
  monotonic(): number
  /** Calls back once after `delayMs`, in order of time. */
  after(delayMs: number, callback: () => void): Timer
}

export interface Random {
  /** In [0, 1). */
  next(): number
  /** A fresh unguessable id (UUID). */
  id(): string
}

/** Structured logging, `pino`'s call shape. Never given keys, creds, message bodies. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Log
}

/**
 * The right to act for the connections of a partition. Checked before every socket write and every store write.
 * `held()` is false once the lease deadline passed (the larger of monotonic and wall-clock time elapsed counts), the
 * partition was given up, or a write came back `fenced`.
 */
export interface Holding {
  readonly partition: PartitionId
  readonly epoch: Epoch
  held(): boolean
  /** A write of ours was refused by a newer epoch: ends the holding at once. */
  fenced(): void
}

// ── Auth state ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export type LoadOutcome =
  | { readonly kind: 'loaded'; readonly state: AuthState }
  /** Never linked. */
  | { readonly kind: 'none' }
  /** Logged out: kept, not loaded. */
  | { readonly kind: 'archived' }
  /** Linked once, nothing stored. */
  | { readonly kind: 'missing' }
  /** Stored, but it cannot be read or its checksum is wrong. Kept. */
  | { readonly kind: 'unreadable'; readonly error: Error }
  | { readonly kind: 'fenced' }

export interface AuthStates {
  /** Claims the head for the holding's epoch, then reads snapshot and journal. A transient store error rejects. */
  load(ref: ConnectionRef, holding: Holding): Promise<LoadOutcome>
  /** A new identity: only for an explicit pairing. Nothing is stored until pairing succeeds. */
  create(
    ref: ConnectionRef,
    holding: Holding,
  ): Promise<{ readonly kind: 'created'; readonly state: AuthState } | { readonly kind: 'fenced' }>
  /** After a logout: kept under the head as `archived`. */
  archive(ref: ConnectionRef, holding: Holding): Promise<void>
  /** With a deleted connection. */
  erase(ref: ConnectionRef, holding: Holding): Promise<void>
}

/**
 * One connection's auth state in memory, with its journal. The Baileys adapter reads and changes it through
 * `connector/auth/auth-state.ts`; a session needs only this much.
 */
export interface AuthState {
  readonly registered: boolean
  /** Everything changed so far is in the journal or a snapshot. Rejects when fenced; retries transient failures itself. */
  durable(): Promise<void>
  /** Ids of sends whose ciphertext may have left, in this or an earlier worker, and that were not acknowledged since. */
  attempted(): ReadonlySet<string>
  /** Forgets an attempted id (acknowledged, failed). Goes into the next append, is not waited for. */
  settled(whatsappId: string): void
  /** Stops the journal. With `flush`, what is pending is appended first. */
  close(how: 'flush' | 'abandon'): Promise<void>
}

// ── WhatsApp ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export type SocketEvent =
  | { readonly kind: 'qr'; readonly text: string; readonly expiresInMs: number }
  | { readonly kind: 'pairing_code'; readonly code: string; readonly expiresInMs: number }
  | { readonly kind: 'passkey_required' }
  /** Pairing succeeded and is durable. A 515 close follows. */
  | { readonly kind: 'paired'; readonly jid: string; readonly lid?: string; readonly phoneNumber: string }
  /** Of a contact whose presence was asked for. */
  | { readonly kind: 'presence'; readonly seen: SeenPresence }
  | { readonly kind: 'open'; readonly jid: string; readonly lid?: string }
  /** Exactly once, last. */
  | { readonly kind: 'closed'; readonly end: ConnectionEnd }

export interface ServerAck {
  readonly whatsappId: string
  /** WhatsApp's error code; absent: accepted. */
  readonly error?: string
}

export interface SendReceipt {
  readonly whatsappId: string
  readonly step: 'delivered' | 'read' | 'played'
  /** By WhatsApp's clock. */
  readonly at: EpochMs
  /** In a group: whose it is. */
  readonly participant?: Participant
}

export interface InboundMessage {
  readonly whatsappId: string
  /** JIDs. */
  readonly chat: string
  readonly sender: string
  readonly senderPhoneNumber?: string
  readonly senderLid?: string
  readonly name?: string
  readonly content: InboundRow['content']
  readonly sentAt: EpochMs
}

/** What a socket tells its session. The promises hold back our acknowledgement to WhatsApp until they resolve. */
export interface SocketListener {
  onEvent(event: SocketEvent): void
  onAck(ack: ServerAck): Promise<void>
  onReceipt(receipt: SendReceipt): Promise<void>
  /** Resolves once the message row exists; only then is the journalled copy dropped. May be called again after a crash. */
  onInbound(message: InboundMessage): Promise<void>
}

export type HandOver =
  /** Bytes are durable-before-sent and on the socket; the ack comes by `onAck`. */
  | { readonly kind: 'handed_over' }
  /** Nothing left the process. */
  | { readonly kind: 'not_sent'; readonly why: string }
  /** The recipient cannot be reached by this content: final. */
  | { readonly kind: 'refused'; readonly code: RefusedCode; readonly why: string }
  /** Bytes may have left. The same id goes again after the next open. */
  | { readonly kind: 'unknown'; readonly why: string }

export type RefusedCode = Extract<
  SendErrorCode,
  'not_on_whatsapp' | 'invalid_content' | 'media_not_found' | 'media_refused' | 'link_failed'
>

/** Whether a send's medium is where the message can refer to it. */
export type Prepared =
  /** `seconds`: how long what was prepared plays, where that is known. */
  | { readonly kind: 'ready'; readonly seconds?: number }
  /** Nothing left the process; later it may go. */
  | { readonly kind: 'not_ready'; readonly why: string }
  | Extract<HandOver, { readonly kind: 'refused' }>
export type OperationAnswer =
  | { readonly kind: 'done'; readonly result: OperationResult }
  /** WhatsApp, or what was asked, says no: final. */
  | { readonly kind: 'failed'; readonly error: OperationError }
  /** Nothing left the process. */
  | { readonly kind: 'not_done'; readonly why: string }
  /** It may have been carried out. */
  | { readonly kind: 'unknown'; readonly why: string }

export interface WhatsAppSocket {
  /**
   * What takes its time before a send: its medium is fetched, checked and put onto WhatsApp's media server, once for all tries
   * of the send. Ends with the socket. Not bounded in time but for silence. Absent, or for kinds without a medium: nothing.
   */
  prepare?(whatsappId: string, content: SendContent): Promise<Prepared>
  /** Same `whatsappId` for every try of one send. Bounded in time. */
  send(whatsappId: string, chat: string, content: SendContent): Promise<HandOver>
  /** Shows it in a chat, until the next message or for some seconds. Where it cannot be shown, nothing happens. */
  show?(presence: 'typing' | 'recording', chat: string): void
  /** A person's JIDs as far as they are known, by phone number and by LID. None for a group. */
  idsOf?(chat: string): readonly string[]
  /** Tried once; where it cannot be done, nothing happens. */
  gesture?(gesture: Gesture): void
  /** Downloads a received message's medium as it comes, unless it is there or on its way. Its row says what became of it. */
  fetchMedium?(messageId: MessageId): void
  /** Carries out a command with an answer. Bounded in time, but for downloads. */
  operate?(request: OperationRequest): Promise<OperationAnswer>
  /** A real round trip (w:p ping). False: no answer in time. */
  probe(timeoutMs: number): Promise<boolean>
  /** Unlinks the device; resolves when WhatsApp confirmed or after a bound. */
  logout(): Promise<void>
  /** Orderly end: buffered events are flushed, then the socket closes. `closed` follows. */
  close(): Promise<void>
  /** At once, synchronously, nothing is written any more. `closed` follows. */
  terminate(intent: NonNullable<ConnectionEnd['intent']>): void
}

export interface OpenRequest {
  readonly ref: ConnectionRef
  readonly state: AuthState
  readonly holding: Holding
  /** Present when this opening is to link a device. */
  readonly pairing?: { readonly method: PairingMethod; readonly phoneNumber?: string }
  /** How many days its profile keeps media, as it is now; undefined: as this deployment does. */
  readonly mediaDays?: () => number | undefined
  /** e.g. [2, 3000, 1023223821]; absent: Baileys' own. */
  readonly clientVersion?: readonly [number, number, number]
}

export interface WhatsAppPort {
  open(request: OpenRequest, listener: SocketListener): WhatsAppSocket
  /** Whether WhatsApp takes connections: the WebSocket upgrade and no more, no identity is shown. Never rejects. */
  reachable?(timeoutMs: number): Promise<boolean>
}

// ── Sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * One login limiter per worker for everything that opens a socket. Lanes in order of precedence. The returned permit is
 * given back when the opening came to an end (open, or closed), which also tells the outage circuit how it went.
 */
export type LoginLane = 'on_demand' | 'pairing' | 'waiting_sends' | 'restore' | 'probe'

export interface LoginPermit {
  done(result: 'opened' | 'failed' | 'neutral'): void
}

export interface LoginGate {
  /**
   * Resolves in lane order when concurrency, rate and the outage circuit allow. `cancel` by the abort signal.
   *
   * @param crashes openings in a row that the worker did not survive: such a one comes last, and alone of its kind
   */
  acquire(ref: ConnectionRef, lane: LoginLane, signal: AbortSignal, crashes?: number): Promise<LoginPermit>
  /** True while this worker sees a common outage: attempts are not counted then. */
  readonly outage: boolean
  /** Tells a session what is found out about WhatsApp. Gives the way to stop. */
  listen(ref: ConnectionRef, listener: RecoveryListener): () => void
  /** An open socket ended as an outage would end it (`lost`), or the connection's trouble is its own from now on (`left`). */
  report?(ref: ConnectionRef, what: 'lost' | 'left'): void
}

export interface RecoveryListener {
  /** Another connection opened after a shared outage: who sits in the slow lane may come back, staggered. */
  recovered(): void
  /** To try once on behalf of all that are down, where the slow lane allows it; whether it does. */
  scout(): boolean
}

/** A send that is traced, once its outcome is stored. */
export interface TracedSend {
  /** X-Ray's header of the call that it came by. */
  readonly trace: string
  readonly requestId?: string
  readonly connectionId: string
  readonly messageId: string
  readonly status: string
  readonly errorCode?: string
  readonly takenAt: EpochMs
  /** When it was last handed to a socket. */
  readonly handedAt?: EpochMs
  readonly endedAt: EpochMs
}

/** Never throws, and nobody waits for it. */
export interface Traces {
  send(told: TracedSend): void
}

export interface SessionDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly whatsapp: WhatsAppPort
  readonly authStates: AuthStates
  readonly connections: WorkerConnections
  readonly messages: WorkerMessages
  readonly operations: WorkerOperations
  readonly logins: LoginGate
  readonly workerId: string
  /** Absent: nothing is traced. */
  readonly traces?: Traces
  readonly settings: SessionSettings
  /** The client version that WhatsApp accepts now; asked after a refusal (405). Absent: the configured one is kept. */
  readonly fetchClientVersion?: () => Promise<readonly [number, number, number] | undefined>
}

/** All durations in milliseconds. */
export interface SessionSettings {
  readonly backoffBaseMs: number
  readonly backoffAttemptsMax: number
  /** 0 gives the exact series; 0.2 adds up to 20 % on top, never less. */
  readonly backoffJitter: number
  readonly stableAfterMs: number
  readonly slowLaneMs: number
  readonly wakeGapMs: number
  readonly openTimeoutMs: number
  readonly quarantineMs: number
  readonly ackTimeoutMs: number
  readonly probeIntervalMs: number
  readonly probeTimeoutMs: number
  readonly sendTimeoutMs: number
  readonly inFlightMax: number
  /** How long the row of an inbound message is kept; absent: 90 days. */
  readonly inboundKeptMs?: number
  readonly clientVersion?: readonly [number, number, number]
}

/** What the worker does with a session. */
export interface Session {
  readonly ref: ConnectionRef
  /** Restores, waits or marks, as the row says. Idempotent. */
  start(lane: LoginLane): void
  /** The row has an open command (from a doorbell or found at start): reads the row, acts, marks it handled. */
  command(): Promise<void>
  /** The row was read again: takes over what its owner may change, such as the pace. */
  adopt?(row: ConnectionRow): void
  /** Done at once where the connection is open, else not at all. */
  gesture?(gesture: Gesture): void
  /** An operation was accepted: carries it out in its turn, restores the connection when it is down. Idempotent by id. */
  operate?(row: OperationRow): void
  /**
   * A send was accepted: keeps it in order; restores the connection when it is down. Idempotent by message id. One that ended
   * is taken note of in the order of acceptance.
   *
   * @param from where the row was read: an index may be late
   */
  enqueue(row: OutboundRow, from?: 'row' | 'index'): void
  /** Sends waiting or in flight. */
  readonly waiting: number
  readonly state: 'opening' | 'open' | 'waiting' | 'stopped' | 'ended'
  /** Resolves when the first restore came to an end either way; drives `restoring: { done, total }`. */
  readonly settled: Promise<void>
  /** Graceful end for a handover: finishes what is in flight, flushes, closes. Writes nothing after it resolves. */
  drain(timeoutMs: number): Promise<void>
  /** At once and synchronously: sockets terminated, no further writes. */
  terminate(): void
  /** The row is gone (deleted): the worker forgets the session. */
  readonly ended: Promise<void>
}

export type SessionFactory = (row: ConnectionRow, holding: Holding) => Session
