import { describe, expect, it } from 'vitest'
import { connectionFigures, messageFigures } from '../../functions/streams/figures.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { MessageRow } from '../../shared/domain/stores/messages.ts'

const connection = (status: ConnectionRow['status'], reason: ConnectionRow['reason']) =>
  ({ status, reason }) as ConnectionRow
const send = (change: object) =>
  ({ direction: 'outbound', status: 'queued', createdAt: '2026-01-01T00:00:00.000Z', ...change }) as MessageRow

describe('what a change counts as', () => {
  it('a connection counts when its status changes, by its reason where it went wrong', () => {
    const open = connection('connected', 'open')
    const lost = connection('reconnecting', 'connection_lost')
    expect(connectionFigures(open, lost)).toEqual([
      { name: 'StatusChanges', value: 1, of: 'reconnecting' },
      { name: 'Reconnects', value: 1, of: 'connection_lost' },
    ])
    expect(connectionFigures(lost, lost)).toEqual([])
  })

  it('a send counts each step once, and how long its acknowledgement took', () => {
    const sent = send({ status: 'sent', sentAt: '2026-01-01T00:00:00.250Z' })
    expect(messageFigures(send({}), sent)).toEqual([
      { name: 'SendsSent', value: 1 },
      { name: 'SendLatency', value: 250 },
    ])
    expect(messageFigures(sent, sent)).toEqual([])
    const failed = send({ status: 'failed', error: { code: 'expired', message: '' } })
    expect(messageFigures(send({}), failed)).toEqual([{ name: 'SendsFailed', value: 1, of: 'expired' }])
  })

  it('a scheduled send says nothing about latency', () => {
    const sent = send({ sendAt: '2026-01-02T00:00:00.000Z', sentAt: '2026-01-02T00:00:01.000Z', status: 'sent' })
    expect(messageFigures(undefined, sent)).toEqual([{ name: 'SendsSent', value: 1 }])
  })
})
