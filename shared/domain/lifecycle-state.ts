import type { ConnectionEnd, EndCause } from './disconnect.ts'
import type { ConnectionChange, ConnectionRow } from './stores/connections.ts'
import {
  assertNever,
  type ConnectionCommand,
  type ConnectionStatusView,
  type Epoch,
  type EpochMs,
  type PairingMethod,
  type PhoneNumber,
  type WorkerId,
} from './words.ts'

/**
 * Words
 *   try       what an opening is for, which decides what its failure means
 *   attempt   a counted try of the reconnect series
 *   slow lane where a connection waits after its attempts are spent
 *   wake      one try out of the slow lane; shows nothing unless it succeeds
 *   leaving   on the way out: logout or deletion
 */

/**
 * `first`: a restore, a restart command, after 515: not counted. `attempt`: counted. `held`: waited out an outage, not
 * counted. `wake`: out of the slow lane.
 */
export type Try = 'first' | 'attempt' | 'held' | 'wake'

/** Order of precedence at the login limiter. */
export type Lane = 'on_demand' | 'pairing' | 'waiting_sends' | 'restore' | 'probe'

/** Each phase has at most one deadline: `due` is the event of its passing. */
export type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'waiting_for_login'; readonly try: Try; readonly lane: Lane; readonly dueAt?: EpochMs }
  | {
      readonly kind: 'opening'
      readonly try: Try
      /** `preparing`: auth state is loaded, the row says that an opening begins. */
      readonly stage: 'preparing' | 'socket'
      readonly dueAt: EpochMs
    }
  /** A QR or a pairing code is shown; `paired`: the scan came, WhatsApp closes with 515 next. */
  | { readonly kind: 'pairing'; readonly try: Try; readonly paired: boolean; readonly dueAt?: EpochMs }
  /** `dueAt` absent: open for long enough that earlier attempts are forgotten. */
  | { readonly kind: 'open'; readonly try: Try; readonly dueAt?: EpochMs }
  | { readonly kind: 'backoff'; readonly try: Try; readonly dueAt: EpochMs }
  | { readonly kind: 'slow_lane'; readonly lane: Lane; readonly dueAt: EpochMs }
  /** An orderly end of the socket, after which it is opened anew. */
  | { readonly kind: 'closing'; readonly dueAt: EpochMs }
  | { readonly kind: 'logging_out'; readonly dueAt: EpochMs }
  /** `dueAt` present: quarantined, and tested again then. */
  | { readonly kind: 'stopped'; readonly dueAt?: EpochMs }
  | { readonly kind: 'draining' }
  | { readonly kind: 'ended' }

export interface PairingRequest {
  readonly method: PairingMethod
  readonly phoneNumber?: PhoneNumber
}

export interface LifecycleState {
  readonly phase: Phase
  /** What the row shows, or will once its write landed. */
  readonly shown: ConnectionStatusView
  /** `unsure`: the row does not tell, the auth state does. */
  readonly identity: 'linked' | 'unlinked' | 'unsure'
  readonly everLinked: boolean
  /** Present while a device is to be linked. */
  readonly pairing?: PairingRequest
  /** Counted attempts that failed, in a row. */
  readonly failures: number
  /** When other sessions took our place, within the last ten minutes. */
  readonly replacedAt: readonly EpochMs[]
  /** 515 in a row without an open in between. */
  readonly restartsInRow: number
  /** Auth state reads that failed in a row. */
  readonly readFailures: number
  /** In a row; see `suspects.ts`. */
  readonly openingCrashes: number
  readonly lastWakeAt?: EpochMs
  readonly leaving?: { readonly kind: 'logout' | 'delete'; readonly commandId: string }
  readonly restrictedUntil?: EpochMs
}

export type LifecycleEvent =
  | { readonly kind: 'start'; readonly row: ConnectionRow; readonly lane: Lane }
  | { readonly kind: 'login_granted' }
  | { readonly kind: 'prepared'; readonly registered: boolean }
  | { readonly kind: 'no_auth'; readonly what: 'none' | 'archived' | 'missing' | 'unreadable'; readonly detail: string }
  /** A store did not answer; says nothing about WhatsApp or about the auth state. */
  | { readonly kind: 'storage_failed'; readonly detail: string }
  | { readonly kind: 'qr'; readonly text: string; readonly expiresInMs: number }
  | { readonly kind: 'pairing_code'; readonly code: string; readonly expiresInMs: number }
  | { readonly kind: 'passkey_required' }
  | { readonly kind: 'paired'; readonly jid: string; readonly lid?: string; readonly phoneNumber: string }
  | { readonly kind: 'opened'; readonly jid: string; readonly lid?: string }
  | { readonly kind: 'closed'; readonly end: ConnectionEnd }
  | { readonly kind: 'liveness_failed' }
  /** The phase's deadline passed. */
  | { readonly kind: 'due' }
  | { readonly kind: 'send_waiting' }
  /** The time came until which new chats were restricted. */
  | { readonly kind: 'restriction_over' }
  /** Another connection of this worker opened after a common outage. */
  | { readonly kind: 'recovered' }
  /** To try once on behalf of all that are down with it. */
  | { readonly kind: 'scout' }
  | { readonly kind: 'command'; readonly command: ConnectionCommand; readonly row: ConnectionRow }
  | { readonly kind: 'logout_done' }
  | { readonly kind: 'restricted'; readonly until: EpochMs }
  /** Graceful handover. */
  | { readonly kind: 'drain' }
  /** Ownership lost, or the row is gone. */
  | { readonly kind: 'let_go'; readonly why: string }

export type Effect =
  /** `crashes`: openings in a row that the worker did not survive. */
  | { readonly kind: 'request_login'; readonly lane: Lane; readonly crashes?: number }
  | { readonly kind: 'cancel_login' }
  | { readonly kind: 'give_back_login'; readonly result: 'opened' | 'failed' | 'neutral' }
  /** An open socket was lost in a way that many share in an outage. */
  | { readonly kind: 'report_loss' }
  /** Load or create the auth state, and see the row's `opening` stored; answered by `prepared` and its alternatives. */
  | { readonly kind: 'prepare'; readonly identity: 'stored' | 'new' | 'stored_or_new' }
  | { readonly kind: 'open_socket'; readonly pairing?: PairingRequest }
  /** Orderly; `closed` follows. */
  | { readonly kind: 'close_socket' }
  /** At once; its `closed` is not awaited and not heard. */
  | { readonly kind: 'terminate_socket'; readonly intent: 'closed_by_us' | 'watchdog' | 'liveness' | 'lease' }
  /** Unlink the device; answered by `logout_done`. */
  | { readonly kind: 'logout_socket' }
  /** `lazily`: may wait a moment for the next write and go with it. */
  | { readonly kind: 'write'; readonly change: ConnectionChange; readonly lazily?: true }
  | { readonly kind: 'release_auth' }
  | { readonly kind: 'archive_auth' }
  /** Waiting sends fail, auth state and row go, in this order. */
  | { readonly kind: 'delete_everything' }
  | { readonly kind: 'refresh_client_version' }
  | { readonly kind: 'alarm'; readonly reason: string; readonly detail: string }
  | {
      readonly kind: 'log'
      readonly level: 'info' | 'warn' | 'error'
      readonly message: string
      readonly cause?: EndCause
    }
  /** The first restore came to an end, either way. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'let_go' }

export interface Transition {
  readonly state: LifecycleState
  readonly effects: readonly Effect[]
}

/** Durations in milliseconds. */
export interface LifecycleSettings {
  readonly backoffBaseMs: number
  readonly backoffAttemptsMax: number
  readonly backoffJitter: number
  readonly stableAfterMs: number
  readonly slowLaneMs: number
  readonly wakeGapMs: number
  readonly openTimeoutMs: number
  /** After the third crash in a row; doubles with each further one. */
  readonly quarantineMs: number
}

/** What a decision may depend on besides state and event. */
export interface Circumstances {
  readonly now: EpochMs
  /** In [0, 1). */
  readonly random: number
  readonly settings: LifecycleSettings
  /** This worker sees many connections fail together. */
  readonly outage: boolean
  /** The partition is still ours. */
  readonly held: boolean
  readonly sendsWaiting: boolean
  readonly owner: { readonly workerId: WorkerId; readonly epoch: Epoch }
}

export const initialState: LifecycleState = {
  phase: { kind: 'idle' },
  shown: { status: 'reconnecting', reason: 'restoring', message: '' },
  identity: 'unsure',
  everLinked: false,
  failures: 0,
  replacedAt: [],
  restartsInRow: 0,
  readFailures: 0,
  openingCrashes: 0,
}

/** When the phase's deadline is, if it has one. */
export function dueAt(state: LifecycleState): EpochMs | undefined {
  return 'dueAt' in state.phase ? state.phase.dueAt : undefined
}

/** What a session is busy with, in the words of those who run many. */
export function activityOf(state: LifecycleState): 'opening' | 'open' | 'waiting' | 'stopped' | 'ended' {
  switch (state.phase.kind) {
    case 'waiting_for_login':
    case 'opening':
    case 'pairing':
    case 'closing':
    case 'logging_out':
      return 'opening'
    case 'open':
      return 'open'
    case 'idle':
    case 'backoff':
    case 'slow_lane':
      return 'waiting'
    case 'stopped':
      return 'stopped'
    case 'draining':
    case 'ended':
      return 'ended'
    default:
      return assertNever(state.phase)
  }
}

/** The permit of the login limiter is held from its grant to the open, the first code shown, or the end. */
export function holdsLogin(state: LifecycleState): boolean {
  return state.phase.kind === 'opening'
}

export function hasSocket(state: LifecycleState): boolean {
  switch (state.phase.kind) {
    case 'opening':
      return state.phase.stage === 'socket'
    case 'pairing':
    case 'open':
    case 'closing':
    case 'logging_out':
      return true
    default:
      return false
  }
}
