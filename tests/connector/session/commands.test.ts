import { describe, expect, test } from 'vitest'
import { Stage } from './stage.ts'

/** The scan came and the new identity is stored; the row does not know of it. */
async function diedWhilePairing() {
  const stage = new Stage()
  const ref = stage.unlinked('a')
  const first = await stage.worker('w1', 1).restore(ref)
  const { state } = stage.whatsapp.socket(ref).request
  first.terminate()
  stage.auth.paired(state)
  return { stage, ref }
}

describe('linking a device', () => {
  test('shows a QR, takes the scan, restarts at once after 515, and is connected', async () => {
    const stage = new Stage()
    const ref = stage.unlinked('a')
    const session = await stage.worker().restore(ref)
    expect(stage.tables.row(ref)).toMatchObject({
      status: 'qr_pending',
      reason: 'waiting_for_scan',
      remedy: 'scan_qr',
      handledCommandId: 'pair-1',
      qr: { text: 'https://wa.me/settings/linked_devices#1' },
    })
    stage.whatsapp.scan(ref)
    await stage.clock.passTime(200)
    expect(session.state).toBe('open')
    const row = stage.tables.row(ref)
    expect(row).toMatchObject({ status: 'connected', phoneNumber: '+94714515253', jid: '94714515253:7@s.whatsapp.net' })
    expect(row.linkedAt).toBeDefined()
    expect(row.qr).toBeUndefined()
    expect(stage.tables.statuses(ref).filter((status) => status.startsWith('reconnecting'))).toEqual([])
    expect(stage.auth.created.get('bp_1#con_a')).toBe(1)
  })

  test('by code shows the code', async () => {
    const stage = new Stage()
    const ref = stage.unlinked('a', 'code')
    await stage.worker().restore(ref)
    expect(stage.tables.row(ref)).toMatchObject({
      reason: 'waiting_for_code',
      remedy: 'enter_code',
      pairingCode: { code: 'ABCD1234' },
    })
  })

  test('QR codes that ran out end it, and sends fail at once', async () => {
    const stage = new Stage()
    const ref = stage.unlinked('a')
    const session = await stage.worker().restore(ref)
    stage.whatsapp.socket(ref).end({ statusCode: 408, qrRanOut: true })
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(60_000)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'disconnected', reason: 'qr_expired', remedy: 'scan_qr' })
    expect(stage.tables.row(ref).qr).toBeUndefined()
    expect(stage.tables.outbound(ref, 'msg_1').error?.code).toBe('no_active_connection')
    expect(stage.whatsapp.device(ref).openings).toHaveLength(1)
  })

  test('a passkey is shown as what it is', async () => {
    const stage = new Stage()
    const ref = stage.unlinked('a')
    await stage.worker().restore(ref)
    stage.whatsapp.socket(ref).tell({ kind: 'passkey_required' })
    await stage.clock.passTime(10)
    expect(stage.tables.row(ref)).toMatchObject({
      status: 'qr_pending',
      reason: 'passkey_required',
      remedy: 'use_passkey_on_phone',
    })
  })

  test('goes on at the next owner when the worker died before the scan', async () => {
    const stage = new Stage()
    const ref = stage.unlinked('a')
    const first = await stage.worker('w1', 1).restore(ref)
    first.terminate()
    await stage.worker('w2', 2).restore(ref)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'qr_pending', reason: 'waiting_for_scan' })
  })

  test('a worker that dies before its answer to the scan was out leaves a device that WhatsApp does not know: a new code is shown', async () => {
    const { stage, ref } = await diedWhilePairing()
    stage.whatsapp.device(ref).next.push({ statusCode: 401 })
    await stage.worker('w2', 2).restore(ref)
    await stage.clock.passTime(1_000)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'qr_pending', reason: 'waiting_for_scan' })
    expect(stage.tables.statuses(ref)).not.toContain('disconnected/logged_out')
    expect(stage.auth.created.get('bp_1#con_a')).toBe(2)
  })

  test('a worker that dies between pairing and its row loses nothing: the next one logs in', async () => {
    const { stage, ref } = await diedWhilePairing()
    await stage.worker('w2', 2).restore(ref)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'connected' })
    expect(stage.tables.row(ref).linkedAt).toBeDefined()
    expect(stage.auth.created.get('bp_1#con_a')).toBe(1)
  })

  test('a logged-out connection is linked anew only when asked to', async () => {
    const stage = new Stage()
    const ref = stage.connection('a', { status: 'disconnected', reason: 'logged_out' })
    stage.auth.set(ref, 'archived')
    const session = await stage.worker().restore(ref)
    expect(stage.whatsapp.device(ref).openings).toHaveLength(0)
    stage.command(ref, 'pair')
    await session.command()
    await stage.clock.passTime(200)
    expect(stage.tables.row(ref).reason).toBe('waiting_for_scan')
  })

  test('pairing asked for while a device is linked and open changes nothing', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.tables.request(
      ref,
      { commandId: 'p', kind: 'pair', requestedAt: '' },
      { status: 'qr_pending', reason: 'pairing_requested' },
    )
    await session.command()
    await stage.clock.passTime(200)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'connected', handledCommandId: 'p' })
    expect(stage.auth.created.size).toBe(0)
  })
})

describe('restart', () => {
  test('closes in order and opens again, with auth state read anew', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.command(ref, 'restart')
    await session.command()
    await stage.clock.passTime(500)
    expect(stage.tables.statuses(ref)).toEqual([
      'reconnecting/restoring',
      'connected/open',
      'reconnecting/restart_requested',
      'connected/open',
    ])
    expect(stage.whatsapp.socketsAtOnceMax).toBe(1)
    expect(stage.auth.open.get('bp_1#con_a')).toBe(1)
  })

  test('the same command rung twice is done once', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.command(ref, 'restart')
    await Promise.all([session.command(), session.command()])
    await stage.clock.passTime(1_000)
    await session.command()
    await stage.clock.passTime(1_000)
    expect(stage.whatsapp.device(ref).openings).toHaveLength(2)
  })

  test('ends the wait of a backoff', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.whatsapp.socket(ref).end({ statusCode: 428 })
    stage.command(ref, 'restart')
    await session.command()
    await stage.clock.passTime(500)
    expect(stage.tables.row(ref).status).toBe('connected')
  })
})

describe('logout', () => {
  test('unlinks the device, archives its auth state, and is handled', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.command(ref, 'logout')
    await session.command()
    await stage.clock.passTime(500)
    expect(stage.whatsapp.device(ref).unlinked).toBe(true)
    expect(stage.auth.stored(ref).identity).toBe('archived')
    expect(stage.tables.row(ref)).toMatchObject({
      status: 'disconnected',
      reason: 'logged_out',
      remedy: 'scan_qr',
      handledCommandId: 'logout-1',
    })
  })

  test('of a connection that is down opens it to unlink the device', async () => {
    const stage = new Stage()
    const ref = stage.connection('a', { status: 'disconnected', reason: 'retries_exhausted' })
    const device = stage.whatsapp.device(ref)
    device.next.push({ statusCode: 408 })
    const session = await stage.worker().restore(ref)
    stage.command(ref, 'logout')
    await session.command()
    await stage.clock.passTime(500)
    expect(device.unlinked).toBe(true)
    expect(stage.tables.row(ref).reason).toBe('logged_out')
    expect(stage.tables.statuses(ref)).not.toContain('connected/open')
  })

  test('is done within half a minute when WhatsApp cannot be reached', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.whatsapp.away = { statusCode: 408 }
    stage.whatsapp.socket(ref).end({ statusCode: 428 })
    stage.command(ref, 'logout')
    await session.command()
    await stage.clock.passTime(30_000)
    expect(stage.tables.row(ref).reason).toBe('logged_out')
    expect(stage.auth.stored(ref).identity).toBe('archived')
  })

  test('found open by the next owner is done by it', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const first = await stage.worker('w1', 1).restore(ref)
    stage.command(ref, 'logout')
    first.terminate()
    await stage.worker('w2', 2).restore(ref)
    await stage.clock.passTime(1_000)
    expect(stage.tables.row(ref).reason).toBe('logged_out')
  })
})

describe('deletion', () => {
  test('unlinks, fails what waits, erases the auth state and removes the row', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.whatsapp.device(ref).handOver = { kind: 'not_sent', why: 'slow' }
    session.enqueue(stage.send(ref, 'msg_1'))
    stage.command(ref, 'delete')
    await session.command()
    await stage.clock.passTime(500)
    await session.ended
    expect(stage.whatsapp.device(ref).unlinked).toBe(true)
    expect(stage.tables.connections.size).toBe(0)
    expect(stage.auth.stored(ref).identity).toBe('none')
    expect(stage.tables.outbound(ref, 'msg_1').error?.code).toBe('connection_deleted')
    expect(session.state).toBe('ended')
  })

  test('of one that was never linked needs no socket', async () => {
    const stage = new Stage()
    const ref = stage.connection('a', { status: 'disconnected', reason: 'no_session', linkedAt: undefined })
    const session = await stage.worker().restore(ref)
    stage.command(ref, 'delete')
    await session.command()
    await stage.clock.passTime(100)
    await session.ended
    expect(stage.tables.connections.size).toBe(0)
    expect(stage.whatsapp.device(ref).openings).toHaveLength(0)
  })
})
