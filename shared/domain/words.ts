/**
 * Words
 *   business profile  the tenant. Everything belongs to one, nothing crosses
 *   connection        one linked WhatsApp device of a business profile
 *   status            what a person sees of a connection: four values, always with a reason and a sentence
 *   session           the live side of a connection inside a worker: a socket, its lifecycle state, its auth state
 *   worker            one connector process, named by task id and a boot nonce
 *   partition         a fixed slice of all connections, the unit that a worker owns; stored on the connection
 *   epoch             the fencing token of a partition: rises by one at every change of owner, part of every worker's write
 *   auth state        what lets a device log in and decrypt: creds and Signal keys
 *   send              an outbound message; its row is the truth, the queue message is only the doorbell
 *   doorbell          a queue message that says "look at this row"
 */

export type BusinessProfileId = string
export type ConnectionId = string
export type MessageId = string
export type WorkerId = string
export type PartitionId = number
export type Epoch = number
/** Milliseconds since 1970 on the clock of the process that says it; never compared across machines. */
export type EpochMs = number
/** ISO 8601 in UTC with milliseconds, e.g. `2026-01-31T12:00:00.000Z`. */
export type IsoTime = string
/** `+94714515253` */
export type PhoneNumber = string

/** Names a connection everywhere: no call takes a bare connection id. */
export interface ConnectionRef {
  readonly businessProfileId: BusinessProfileId
  readonly connectionId: ConnectionId
}

export const connectionStatuses = ['qr_pending', 'connected', 'reconnecting', 'disconnected'] as const
export type ConnectionStatus = (typeof connectionStatuses)[number]

export const connectionReasons = [
  // qr_pending
  'pairing_requested',
  'waiting_for_scan',
  'waiting_for_code',
  'passkey_required',
  // connected
  'open',
  // reconnecting
  'restoring',
  'restart_requested',
  'connection_lost',
  'connection_closed',
  'service_unavailable',
  'stream_error',
  'upgrade_refused',
  'liveness_failed',
  'open_timeout',
  'replaced',
  'client_outdated',
  'outage',
  'no_worker',
  'unknown_failure',
  // disconnected
  'no_session',
  'logged_out',
  'forbidden',
  'replaced_elsewhere',
  'unsupported_account',
  'qr_expired',
  'pairing_failed',
  'auth_missing',
  'auth_unreadable',
  'retries_exhausted',
  'quarantined',
  'deleting',
] as const
export type ConnectionReason = (typeof connectionReasons)[number]

/** What a person can do about it. Absent when nothing needs doing. */
export const remedies = [
  'scan_qr',
  'enter_code',
  'contact_whatsapp',
  'stop_other_session',
  'restart',
  'use_passkey_on_phone',
] as const
export type Remedy = (typeof remedies)[number]

export type PairingMethod = 'qr' | 'code'

export interface ConnectionStatusView {
  readonly status: ConnectionStatus
  readonly reason: ConnectionReason
  /** One sentence for a person. */
  readonly message: string
  readonly remedy?: Remedy
  /** While reconnecting: the attempt that runs or comes next, from 1. */
  readonly attempt?: number
  readonly maxAttempts?: number
  readonly nextAttemptAt?: IsoTime
}

/** WhatsApp refuses new chats until then (error 463, reach-out time lock); the rest goes on. */
export interface Restriction {
  readonly kind: 'new_chats'
  readonly until: IsoTime
}

export const commandKinds = ['pair', 'restart', 'logout', 'delete'] as const
export type CommandKind = (typeof commandKinds)[number]

/** What a caller asked of a connection. Stored on its row (the truth), rung for on the partition's queue. */
export interface ConnectionCommand {
  readonly commandId: string
  readonly kind: CommandKind
  readonly requestedAt: IsoTime
  /** With `pair`. */
  readonly method?: PairingMethod
}

export const chatPresences = ['typing', 'recording', 'paused'] as const
export type ChatPresence = (typeof chatPresences)[number]

/** Something for the moment only: it has no row, and a connection that is down does not do it later. */
export type Gesture =
  /** Tells the sender of a received message that it was read. */
  | { readonly kind: 'read'; readonly messageId: MessageId }
  | { readonly kind: 'presence'; readonly chat: string; readonly presence: ChatPresence }

export const sendStatuses = ['queued', 'sent', 'delivered', 'read', 'played', 'failed'] as const
export type SendStatus = (typeof sendStatuses)[number]

export const sendErrorCodes = [
  'no_active_connection',
  'expired',
  'unconfirmed',
  'rejected_by_whatsapp',
  'not_on_whatsapp',
  'new_chats_restricted',
  'invalid_content',
  'media_not_found',
  'media_refused',
  'link_failed',
  'cancelled',
  'connection_deleted',
  'internal',
] as const
export type SendErrorCode = (typeof sendErrorCodes)[number]

export interface SendError {
  readonly code: SendErrorCode
  /** One sentence for a person. */
  readonly message: string
  /** WhatsApp's own error code where it gave one, e.g. `463`. */
  readonly whatsappCode?: string
}

/** Sentences that users know and search for; they do not change. */
export const sentences = {
  noActiveConnection: 'No active WhatsApp connection found. Please connect a device first.',
  beingRestored: 'The connection is being restored.',
  connectionNotFound: 'Connection not found.',
} as const

export type { SendContent } from './content.ts'

export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`)
}
