import { describe, expect, test } from 'vitest'
import { Stage } from './stage.ts'

describe('the end of a holding', () => {
  test('after terminate nothing is written and nothing is sent, whatever was under way', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    session.enqueue(stage.send(ref, 'msg_1'))
    stage.fate = () => ({ arrivesAfterMs: 'never', givesUpAfterMs: 1_000 })
    stage.whatsapp.socket(ref).end({ statusCode: 428 })
    await stage.clock.passTime(1)
    session.terminate()
    stage.fate = () => ({})
    const writes = stage.tables.landed.length
    const steps = stage.tables.steps.length
    const sent = stage.whatsapp.device(ref).arrived.length
    await stage.clock.passTime(60 * 60_000)
    expect(stage.tables.landed).toHaveLength(writes)
    expect(stage.tables.steps).toHaveLength(steps)
    expect(stage.whatsapp.device(ref).arrived).toHaveLength(sent)
    expect(stage.whatsapp.isOpen(ref)).toBe(false)
    expect(stage.clock.timers).toBe(0)
  })

  test('terminate is synchronous: the socket is gone when it returns', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    session.terminate()
    expect(stage.whatsapp.isOpen(ref)).toBe(false)
    expect(session.state).toBe('ended')
  })

  test('a fenced write ends the holding and the session', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const worker = stage.worker('w1', 1)
    const session = await worker.restore(ref)
    const next = await stage.worker('w2', 2).restore(ref)
    stage.whatsapp.dropAll()
    await stage.clock.passTime(10)
    expect(worker.holding.fences).toBe(1)
    expect(session.state).toBe('ended')
    expect(next.state).not.toBe('ended')
  })

  test('a row that is gone ends the session', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.tables.connections.clear()
    await session.command()
    await session.ended
    expect(stage.whatsapp.isOpen(ref)).toBe(false)
    expect(stage.tables.connections.size).toBe(0)
  })

  test('a lease lost while auth state is loading opens no socket', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.fate = (call) => (call === 'auth.load' ? { arrivesAfterMs: 1_000 } : {})
    const worker = stage.worker()
    const session = worker.session(ref)
    session.start('restore')
    await stage.clock.passTime(500)
    worker.holding.lost = true
    await stage.clock.passTime(5_000)
    expect(stage.whatsapp.device(ref).openings).toHaveLength(0)
    expect(stage.auth.open.get('bp_1#con_a')).toBe(0)
  })
})

describe('what comes too late', () => {
  test('events of a socket that was given up are not heard', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.whatsapp.device(ref).next.push('silent')
    await stage.worker().restore(ref)
    const given = stage.whatsapp.socket(ref)
    await stage.clock.passTime(20_100)
    expect(stage.tables.row(ref).reason).toBe('open_timeout')
    await stage.clock.passTime(5_000)
    given.tell({ kind: 'qr', text: 'late', expiresInMs: 1 })
    given.tell({ kind: 'closed', end: { phase: 'open', statusCode: 401, detail: '' } })
    await stage.clock.passTime(1_000)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'connected' })
  })

  test('auth state that is loaded after the end is closed again', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.fate = (call) => (call === 'auth.load' ? { arrivesAfterMs: 1_000 } : {})
    const session = stage.worker().session(ref)
    session.start('restore')
    await stage.clock.passTime(500)
    session.terminate()
    await stage.clock.passTime(5_000)
    expect(stage.auth.open.get('bp_1#con_a')).toBe(0)
  })

  test('an ack after the lease was lost is not stored', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const worker = stage.worker()
    const session = await worker.restore(ref)
    stage.whatsapp.device(ref).acks = 'none'
    const row = stage.send(ref, 'msg_1')
    session.enqueue(row)
    await stage.clock.passTime(10)
    worker.holding.lost = true
    const acked = stage.whatsapp.socket(ref).listener.onAck({ whatsappId: row.whatsappId })
    await expect(acked).rejects.toThrow(/holding ended/)
    expect(stage.tables.steps).toEqual([])
  })

  test('no socket opens before the row says that one is about to', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.fate = (call) => (call === 'connections.update' ? { arrivesAfterMs: 3_000 } : {})
    await stage.worker().restore(ref)
    await stage.clock.passTime(2_500)
    expect(stage.whatsapp.device(ref).openings).toHaveLength(0)
    await stage.clock.passTime(1_000)
    expect(stage.whatsapp.device(ref).openings).toHaveLength(1)
    expect(stage.tables.row(ref).opening).toEqual({ workerId: 'w1', epoch: 1 })
  })
})

describe('a handover', () => {
  test('finishes what is in flight, hands over nothing new, closes, and then is silent', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.whatsapp.ackMs = 800
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(1)
    const drained = session.drain(5_000)
    session.enqueue(stage.send(ref, 'msg_2'))
    await stage.clock.passTime(2_500)
    await drained
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('sent')
    expect(stage.tables.outbound(ref, 'msg_2').status).toBe('queued')
    expect(stage.whatsapp.isOpen(ref)).toBe(false)
    expect(stage.auth.open.get('bp_1#con_a')).toBe(0)
    const writes = stage.tables.landed.length
    await stage.clock.passTime(60_000)
    expect(stage.tables.landed).toHaveLength(writes)
    expect(stage.clock.timers).toBe(0)
  })

  test('is bounded when WhatsApp and the stores are silent', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.whatsapp.device(ref).acks = 'none'
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(1)
    stage.fate = () => ({ arrivesAfterMs: 'never', givesUpAfterMs: 60_000 })
    let drained = false
    void session.drain(3_000).then(() => {
      drained = true
    })
    await stage.clock.passTime(3_100)
    expect(drained).toBe(true)
    expect(stage.whatsapp.isOpen(ref)).toBe(false)
  })

  test('while opening leaves no trace of a crash', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.whatsapp.latencyMs = 5_000
    const session = await stage.worker().restore(ref)
    expect(stage.tables.row(ref).opening).toBeDefined()
    await session.drain(5_000)
    expect(stage.tables.row(ref).opening).toBeUndefined()
  })
})

describe('status writes', () => {
  test('a store that is down for a minute holds up no socket, and the latest state wins', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    await stage.worker().restore(ref)
    stage.fate = (call) => (call === 'connections.update' ? { arrivesAfterMs: 'never', givesUpAfterMs: 1_000 } : {})
    stage.whatsapp.socket(ref).end({ statusCode: 515 })
    await stage.clock.passTime(30_000)
    stage.fate = () => ({})
    await stage.clock.passTime(60_000)
    expect(stage.whatsapp.isOpen(ref)).toBe(true)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'connected' })
    expect(stage.tables.row(ref).opening).toBeUndefined()
  })
})
