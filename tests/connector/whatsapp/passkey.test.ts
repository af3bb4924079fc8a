import { EventEmitter } from 'node:events'
import type { BinaryNode, WASocket } from '@whiskeysockets/baileys'
import { describe, expect, it } from 'vitest'
import type { ConnectionAuthState } from '../../../connector/auth/auth-state.ts'
import type { SocketEvent } from '../../../connector/ports.ts'
import { watchPairing } from '../../../connector/whatsapp/pairing.ts'
import { silentLog } from './device.ts'

function bench() {
  const ws = new EventEmitter()
  const ev = new EventEmitter()
  const events: SocketEvent[] = []
  watchPairing({ ws, ev } as unknown as WASocket, {
    state: { registered: false } as ConnectionAuthState,
    pairing: { method: 'qr' },
    log: silentLog,
    emit: (event) => void events.push(event),
    failed: () => undefined,
  })
  const notify = (type: string, content: BinaryNode[] = []): void => {
    ws.emit('CB:notification', { tag: 'notification', attrs: { type, from: 's.whatsapp.net' }, content })
  }
  return { events, notify, showQr: () => ev.emit('connection.update', { qr: 'ref,a,b,c' }) }
}

describe('a passkey is asked for', () => {
  it.each(['passkey_prologue_request', 'crsc_continuation'])('by %s, told once', (type) => {
    const { events, notify } = bench()
    notify(type)
    notify(type)
    expect(events).toEqual([{ kind: 'passkey_required' }])
  })

  it('and no further QR code takes the place of that', () => {
    const { events, notify, showQr } = bench()
    showQr()
    notify('passkey_prologue_request')
    showQr()
    expect(events.map(({ kind }) => kind)).toEqual(['qr', 'passkey_required'])
  })

  it('by a code’s notification without the key that the code wraps', () => {
    const { events, notify } = bench()
    const registration = (children: string[]): BinaryNode => ({
      tag: 'link_code_companion_reg',
      attrs: {},
      content: children.map((tag) => ({ tag, attrs: {} })),
    })
    notify('link_code_companion_reg', [registration(['link_code_pairing_wrapped_primary_ephemeral_pub'])])
    notify('devices')
    expect(events).toEqual([])
    notify('link_code_companion_reg', [registration(['link_code_pairing_ref'])])
    expect(events).toEqual([{ kind: 'passkey_required' }])
  })
})
