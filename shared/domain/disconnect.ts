/**
 * How a connection ended, told from everything that is known about its end. The one place that reads status codes.
 *
 * Codes are Baileys' `DisconnectReason`, which mixes codes of its own (408, 428, 440) with WhatsApp's `<failure>` and
 * `<stream:error>` codes. Two of them lie: 500 also stands for every stream error that Baileys does not know, and a
 * `device_removed` conflict without a code arrives as 440.
 */

export const endCauses = [
  'restart_required',
  'connection_lost',
  'connection_closed',
  'service_unavailable',
  'stream_error',
  'upgrade_refused',
  'open_timeout',
  'liveness_failed',
  'replaced',
  'client_outdated',
  'logged_out',
  'forbidden',
  'unsupported_account',
  'qr_ran_out',
  'pairing_refused',
  'closed_by_us',
  'ownership_lost',
  'unknown',
] as const
export type EndCause = (typeof endCauses)[number]

/** How a socket ended, as far as it can be told. */
export interface ConnectionEnd {
  /** Baileys' DisconnectReason, or the code of a `<failure>` or a stream error. */
  readonly statusCode?: number
  /** `<conflict type>` of a stream error. */
  readonly conflict?: string
  /** HTTP status of a refused WebSocket upgrade. */
  readonly upgradeStatus?: number
  /** Reached by then. */
  readonly phase: 'connecting' | 'pairing' | 'logging_in' | 'open'
  /** Why we ended it, when we did. */
  readonly intent?: 'closed_by_us' | 'logout' | 'watchdog' | 'liveness' | 'lease'
  readonly qrRanOut?: boolean
  /** For people and logs; no secrets. */
  readonly detail: string
}

/** What we did ourselves comes first, then what the server said in words, then its codes. */
export function classify(end: ConnectionEnd): EndCause {
  switch (end.intent) {
    case 'lease':
      return 'ownership_lost'
    case 'closed_by_us':
      return 'closed_by_us'
    case 'logout':
      return 'logged_out'
    case 'watchdog':
      return 'open_timeout'
    case 'liveness':
      return 'liveness_failed'
    case undefined:
      break
  }
  if (end.qrRanOut === true) return 'qr_ran_out'
  // An HTTP status never reached WhatsApp's protocol: 403 here is a proxy or a rate limit, not a ban.
  if (end.upgradeStatus !== undefined) return 'upgrade_refused'
  if (end.conflict === 'device_removed') return 'logged_out'
  if (end.conflict === 'replaced') return 'replaced'
  return byCode(end)
}

function byCode(end: ConnectionEnd): EndCause {
  switch (end.statusCode) {
    case 515:
      return 'restart_required'
    // Without a code nobody said anything: the network ended it.
    case undefined:
    case 408:
      return 'connection_lost'
    case 428:
      return 'connection_closed'
    case 503:
      return 'service_unavailable'
    case 500:
    case 516:
      return 'stream_error'
    case 401:
      // Nothing is linked yet, so nothing can have been unlinked.
      return end.phase === 'pairing' ? 'pairing_refused' : 'logged_out'
    case 403:
      return 'forbidden'
    case 440:
      return 'replaced'
    case 405:
      return 'client_outdated'
    case 411:
      return 'unsupported_account'
    default:
      return 'unknown'
  }
}

/** For people and logs: what the end said about itself, e.g. `code 409, conflict while logging in`. */
export function describeEnd(end: ConnectionEnd): string {
  const facts = [
    end.statusCode === undefined ? undefined : `code ${end.statusCode}`,
    end.upgradeStatus === undefined ? undefined : `HTTP ${end.upgradeStatus}`,
    end.conflict === undefined ? undefined : `conflict ${end.conflict}`,
    end.detail === '' ? undefined : end.detail,
  ].filter((fact) => fact !== undefined)
  return facts.length === 0 ? 'no code given' : facts.join(', ')
}
