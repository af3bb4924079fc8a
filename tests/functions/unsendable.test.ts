import { expect, test } from 'vitest'
import { isDeleting } from '../../functions/deleting.ts'
import { unsendable } from '../../functions/sends/accept-send.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import { sentences } from '../../shared/domain/words.ts'

const at = '2026-01-31T12:00:00.000Z'
const row = (change: Partial<ConnectionRow>): ConnectionRow => ({
  businessProfileId: 'bp_1',
  connectionId: 'con_1',
  label: 'x',
  pairing: 'qr',
  status: 'connected',
  reason: 'open',
  message: 'x',
  partition: 0,
  epoch: 1,
  version: 1,
  createdAt: at,
  updatedAt: at,
  linkedAt: at,
  ...change,
})
const pair = { commandId: 'c-2', kind: 'pair', requestedAt: at } as const
const pending = { status: 'qr_pending', reason: 'waiting_for_scan' } as const

test.each<[string, Partial<ConnectionRow>, boolean]>([
  ['connected', {}, true],
  ['being restored', { status: 'reconnecting', reason: 'restoring' }, true],
  ['without a worker', { status: 'reconnecting', reason: 'no_worker' }, true],
  ['in the slow lane, which a send wakes', { status: 'disconnected', reason: 'retries_exhausted' }, true],
  ['with an auth state that cannot be read now', { status: 'disconnected', reason: 'auth_unreadable' }, true],
  ['refused by WhatsApp: its worker says so', { status: 'disconnected', reason: 'forbidden' }, true],
  ['scanned, not yet open', { ...pending, handledCommandId: 'c-2', command: pair }, true],
  ['never linked', { ...pending, linkedAt: undefined }, false],
  ['never linked, restoring', { status: 'reconnecting', reason: 'restoring', linkedAt: undefined }, false],
  ['logged out', { status: 'disconnected', reason: 'logged_out' }, false],
  ['without a session', { status: 'disconnected', reason: 'no_session' }, false],
  ['with its auth state lost', { status: 'disconnected', reason: 'auth_missing' }, false],
  ['with QR codes that ran out', { status: 'disconnected', reason: 'qr_expired' }, false],
  [
    'pairing again: asked for',
    { ...pending, reason: 'pairing_requested', command: pair, handledCommandId: 'c-1' },
    false,
  ],
  ['pairing again: a QR code to scan', { ...pending, qr: { text: 'x', expiresAt: at } }, false],
  ['pairing again: a code to enter', { ...pending, pairingCode: { code: 'x', expiresAt: at } }, false],
  ['pairing again: a passkey is asked for', { ...pending, reason: 'passkey_required' }, false],
])('a send to a connection that is %s', (_, change, waits) => {
  const connection = row(change)
  const error = { code: 'no_active_connection', message: sentences.noActiveConnection }
  expect(unsendable(connection)).toEqual(waits ? undefined : error)
})

test('a deletion stays one whatever a worker writes meanwhile', () => {
  expect(isDeleting(row({ reason: 'deleting', status: 'disconnected' }))).toBe(true)
  expect(isDeleting(row({ command: { ...pair, kind: 'delete' } }))).toBe(true)
  expect(isDeleting(row({ command: pair }))).toBe(false)
})
