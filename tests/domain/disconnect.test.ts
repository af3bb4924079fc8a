import { describe, expect, test } from 'vitest'
import { type ConnectionEnd, classify, describeEnd, type EndCause } from '../../shared/domain/disconnect.ts'

const rows: readonly (readonly [string, Partial<ConnectionEnd>, EndCause])[] = [
  ['TCP reset, WebSocket close, xmlstreamend', { statusCode: 428 }, 'connection_closed'],
  ['conflict replaced, second login', { statusCode: 440, conflict: 'replaced' }, 'replaced'],
  ['440 without a conflict type', { statusCode: 440 }, 'replaced'],
  ['401 with conflict device_removed', { statusCode: 401, conflict: 'device_removed' }, 'logged_out'],
  [
    'device_removed without a code, which arrives as 440',
    { statusCode: 440, conflict: 'device_removed' },
    'logged_out',
  ],
  ['stream 503', { statusCode: 503 }, 'service_unavailable'],
  ['stream 515', { statusCode: 515 }, 'restart_required'],
  ['stream 516', { statusCode: 516 }, 'stream_error'],
  ['stream 500, or one that Baileys does not know', { statusCode: 500 }, 'stream_error'],
  ['failure 401', { statusCode: 401, phase: 'logging_in' }, 'logged_out'],
  ['401 in the middle of a session', { statusCode: 401, phase: 'open' }, 'logged_out'],
  ['401 before anything is linked', { statusCode: 401, phase: 'pairing' }, 'pairing_refused'],
  ['failure 402', { statusCode: 402 }, 'unknown'],
  ['failure 403', { statusCode: 403 }, 'forbidden'],
  ['failure 405', { statusCode: 405 }, 'client_outdated'],
  ['failure 406', { statusCode: 406 }, 'unknown'],
  ['failure 409', { statusCode: 409 }, 'unknown'],
  ['downgrade_webclient', { statusCode: 411 }, 'unsupported_account'],
  ['silent server, refused connection, stalled handshake', { statusCode: 408 }, 'connection_lost'],
  ['a network error without a code', {}, 'connection_lost'],
  ['HTTP 403 on the upgrade is not a ban', { upgradeStatus: 403, statusCode: 403 }, 'upgrade_refused'],
  ['HTTP 429 on the upgrade', { upgradeStatus: 429 }, 'upgrade_refused'],
  ['HTTP 503 on the upgrade', { upgradeStatus: 503 }, 'upgrade_refused'],
  ['the QR codes ran out', { statusCode: 408, qrRanOut: true, phase: 'pairing' }, 'qr_ran_out'],
  ['sock.end()', { intent: 'closed_by_us' }, 'closed_by_us'],
  ['logout(), 401 "Intentional Logout"', { intent: 'logout', statusCode: 401 }, 'logged_out'],
  ['our watchdog', { intent: 'watchdog' }, 'open_timeout'],
  ['our liveness probe', { intent: 'liveness', statusCode: 428 }, 'liveness_failed'],
  ['our lease', { intent: 'lease', statusCode: 428 }, 'ownership_lost'],
]

describe('how a connection ended', () => {
  test.each(rows)('%s', (_what, facts, cause) => {
    expect(classify({ phase: 'logging_in', detail: '', ...facts })).toBe(cause)
  })

  test('is told with what it said about itself', () => {
    expect(describeEnd({ phase: 'open', statusCode: 440, conflict: 'replaced', detail: '' })).toBe(
      'code 440, conflict replaced',
    )
    expect(describeEnd({ phase: 'connecting', upgradeStatus: 429, detail: 'refused' })).toBe('HTTP 429, refused')
    expect(describeEnd({ phase: 'open', detail: '' })).toBe('no code given')
  })
})
