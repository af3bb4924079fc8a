import type { EndCause } from './disconnect.ts'
import type { ConnectionReason, ConnectionStatus, Remedy } from './words.ts'

/** What a connection shows, before the sentence and the attempt are filled in. */
export interface Shown {
  readonly status: ConnectionStatus
  readonly reason: ConnectionReason
  readonly remedy?: Remedy
}

/**
 * What follows when a connection ended for a cause. `transition` reads this table and `docs/lifecycle.md` is rendered from
 * it, so that neither can drift from the other.
 */
export interface EndRule {
  /** What happened, for the page. */
  readonly happened: string
  readonly next: /** Reconnects without a wait; no attempt is spent. */
    | { readonly kind: 'at_once' }
    /** Reconnects by the series; after the last attempt shows `exhausted` and goes to the slow lane, or stops. */
    | {
        readonly kind: 'backoff'
        readonly shows: Shown
        readonly exhausted: Shown
        readonly afterwards: 'slow_lane' | 'stop'
      }
    /** Reconnects by the series; at the third time within ten minutes stops. */
    | { readonly kind: 'yield'; readonly shows: Shown; readonly exhausted: Shown; readonly stops: Shown }
    | { readonly kind: 'stop'; readonly shows: Shown; readonly authState: 'keep' | 'archive' }
    /** Another worker owns the connection: nothing is written. */
    | { readonly kind: 'let_go' }
  readonly alarm: boolean
  /** Many of these at once mean that WhatsApp is away; the others say something about one connection only. */
  readonly countsTowardOutage: boolean
  readonly action: string
}

const exhausted: Shown = { status: 'disconnected', reason: 'retries_exhausted', remedy: 'restart' }

function transient(happened: string, reason: ConnectionReason): EndRule {
  return {
    happened,
    next: { kind: 'backoff', shows: { status: 'reconnecting', reason }, exhausted, afterwards: 'slow_lane' },
    alarm: false,
    countsTowardOutage: true,
    action: 'back off, five attempts; then the slow lane',
  }
}

function final(
  happened: string,
  shows: Shown,
  action: string,
  how: { readonly authState?: 'archive'; readonly alarm?: true } = {},
): EndRule {
  return {
    happened,
    next: { kind: 'stop', shows, authState: how.authState ?? 'keep' },
    alarm: how.alarm ?? false,
    countsTowardOutage: false,
    action,
  }
}

export const endRules: Readonly<Record<EndCause, EndRule>> = {
  restart_required: {
    happened: '515 restart required (always follows a scan)',
    next: { kind: 'at_once' },
    alarm: false,
    countsTowardOutage: false,
    action: 'reconnect at once, not counted; the fourth in a row counts as a stream error',
  },
  connection_lost: transient('408 timed out, network error, silent server', 'connection_lost'),
  connection_closed: transient('428 WhatsApp closed the connection', 'connection_closed'),
  service_unavailable: transient('503 service unavailable', 'service_unavailable'),
  stream_error: transient(
    '500, 516 stream error (500 stands for every one that Baileys does not know)',
    'stream_error',
  ),
  upgrade_refused: transient('the WebSocket upgrade was refused (HTTP 403, 429, 503, …)', 'upgrade_refused'),
  open_timeout: transient('no open event in time (our own watchdog)', 'open_timeout'),
  liveness_failed: transient('the liveness probe failed', 'liveness_failed'),
  closed_by_us: transient('we closed the socket without a plan for what follows', 'connection_closed'),
  replaced: {
    happened: '440 replaced by another session, still owner',
    next: {
      kind: 'yield',
      shows: { status: 'reconnecting', reason: 'replaced' },
      exhausted,
      stops: { status: 'disconnected', reason: 'replaced_elsewhere', remedy: 'stop_other_session' },
    },
    alarm: true,
    countsTowardOutage: false,
    action: 'back off; three in ten minutes: stop, no slow lane, no wake by sends, alarm',
  },
  ownership_lost: {
    happened: 'ownership lost (lease deadline passed, or 440 while another worker owns the connection)',
    next: { kind: 'let_go' },
    alarm: false,
    countsTowardOutage: false,
    action: "let go; the status is the new owner's",
  },
  client_outdated: {
    happened: '405 client version refused',
    next: {
      kind: 'backoff',
      shows: { status: 'reconnecting', reason: 'client_outdated' },
      exhausted,
      afterwards: 'slow_lane',
    },
    alarm: true,
    countsTowardOutage: false,
    action: 'take the configured or freshly fetched version, back off; alarm; never a logout',
  },
  logged_out: final(
    '401 logged out, device removed (also as 440 with conflict `device_removed`)',
    { status: 'disconnected', reason: 'logged_out', remedy: 'scan_qr' },
    'stop; archive the auth state; never a new identity without an explicit pairing',
    { authState: 'archive' },
  ),
  forbidden: final(
    '403 account refused',
    { status: 'disconnected', reason: 'forbidden', remedy: 'contact_whatsapp' },
    'stop; keep the auth state',
  ),
  unsupported_account: final(
    '411 multi-device mismatch',
    { status: 'disconnected', reason: 'unsupported_account', remedy: 'scan_qr' },
    'stop',
  ),
  qr_ran_out: final(
    'the QR codes ran out unscanned',
    { status: 'disconnected', reason: 'qr_expired', remedy: 'scan_qr' },
    'stop',
  ),
  pairing_refused: final(
    '401 before anything was linked',
    { status: 'disconnected', reason: 'pairing_failed', remedy: 'scan_qr' },
    'stop',
  ),
  unknown: {
    happened: 'anything else (402, 406, 409, …)',
    next: {
      kind: 'backoff',
      shows: { status: 'reconnecting', reason: 'unknown_failure' },
      exhausted: { status: 'disconnected', reason: 'unknown_failure', remedy: 'restart' },
      afterwards: 'stop',
    },
    alarm: true,
    countsTowardOutage: false,
    action: 'back off, five attempts; then stop and say what it was',
  },
}

/** What a connection shows for other reasons than the end of a socket. */
export const conditions = {
  passkey_required: {
    happened: 'a passkey is asked for when linking',
    shows: { status: 'qr_pending', reason: 'passkey_required', remedy: 'use_passkey_on_phone' },
    alarm: false,
    action: 'show it',
  },
  no_session: {
    happened: 'never linked',
    shows: { status: 'disconnected', reason: 'no_session', remedy: 'scan_qr' },
    alarm: false,
    action: 'mark it, go on with the others',
  },
  auth_missing: {
    happened: 'linked once, nothing stored',
    shows: { status: 'disconnected', reason: 'auth_missing', remedy: 'scan_qr' },
    alarm: true,
    action: 'mark it, go on with the others; alarm',
  },
  auth_unreadable: {
    happened: 'auth state unreadable (bad checksum, or read errors that go on)',
    shows: { status: 'disconnected', reason: 'auth_unreadable', remedy: 'restart' },
    alarm: true,
    action: 'keep it, alarm; read errors are tried again every 30 s',
  },
  quarantined: {
    happened:
      'opening when the worker crashed, three times in a row: the second time alone, the third on a worker that had lived 30 s without it',
    shows: { status: 'disconnected', reason: 'quarantined', remedy: 'restart' },
    alarm: true,
    action:
      'stop; alarm; tested again after 15 minutes, then 30, 60, … up to a day; a restart command tests it at once; being open ends it',
  },
  pairing_failed: {
    happened: 'attempts to link ran out',
    shows: { status: 'disconnected', reason: 'pairing_failed', remedy: 'scan_qr' },
    alarm: false,
    action: 'stop',
  },
  outage: {
    happened: 'many connections of a worker failed together',
    shows: { status: 'reconnecting', reason: 'outage' },
    alarm: true,
    action: 'a few probe, the others wait without spending attempts and come back by ramp',
  },
  no_worker: {
    happened: 'its partition has no living worker',
    shows: { status: 'reconnecting', reason: 'no_worker' },
    alarm: true,
    action: 'a function marks it every minute, conditional on the epoch',
  },
  restricted: {
    happened: 'reach-out time lock (error 463)',
    shows: { status: 'connected', reason: 'open' },
    alarm: false,
    action: '`restriction: { kind, until }`; refuse chats that WhatsApp refused, go on with the rest',
  },
} as const satisfies Readonly<
  Record<string, { readonly happened: string; readonly shows: Shown; readonly alarm: boolean; readonly action: string }>
>

/** Reasons that a new owner leaves as they are: only a command changes them. */
export const staysStopped: ReadonlySet<ConnectionReason> = new Set([
  'no_session',
  'logged_out',
  'forbidden',
  'replaced_elsewhere',
  'unsupported_account',
  'qr_expired',
  'pairing_failed',
  'quarantined',
])

/** Of the stopped ones, those whose remedy is to link a device: sends fail at once. */
export const needsLinking: ReadonlySet<ConnectionReason> = new Set([
  'no_session',
  'logged_out',
  'unsupported_account',
  'qr_expired',
  'pairing_failed',
  'auth_missing',
])
