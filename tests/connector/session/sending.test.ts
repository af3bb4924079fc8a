import { describe, expect, test } from 'vitest'
import { whatsappIdOf } from '../../../shared/aws/ids.ts'
import type { OutboundRow } from '../../../shared/domain/stores/messages.ts'
import { modelApiMessages } from '../../simulation/models/api-messages.ts'
import { Stage } from './stage.ts'

const ids = (...messageIds: string[]) => messageIds.map(whatsappIdOf)

describe('waiting', () => {
  test('a held send is taken out before it goes, and one that was cancelled never goes', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = stage.worker().session(ref)
    stage.whatsapp.latencyMs = 3_000
    session.start('restore')
    const [first, second] = ['msg_1', 'msg_2'].map((id) => ({
      ...stage.send(ref, id),
      heldAt: new Date(stage.clock.now()).toISOString(),
    })) as [OutboundRow, OutboundRow]
    for (const row of [first, second]) {
      stage.tables.put(row)
      session.enqueue(row)
    }
    await stage.clock.passTime(1_000)
    const api = modelApiMessages(stage.tables)
    expect(await api.cancel(ref, 'msg_1', new Date(stage.clock.now()).toISOString())).toMatchObject({
      kind: 'cancelled',
    })
    await stage.clock.passTime(5_000)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_2'))
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('failed')
    expect(stage.tables.outbound(ref, 'msg_2')).toMatchObject({ status: 'sent', claims: 1 })
    expect(session.waiting).toBe(0)
  })

  test('what waits although it was not held at acceptance can be cancelled once it is known that nothing left', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.whatsapp.device(ref).answers = false
    stage.whatsapp.socket(ref).end({ statusCode: 428 })
    stage.whatsapp.latencyMs = 60_000
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(6_000)
    expect(stage.tables.outbound(ref, 'msg_1')).toMatchObject({ heldAt: expect.any(String) })
  })

  test('a scheduled send goes at its time and holds up no other before', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    const sendAt = new Date(stage.clock.now() + 3_600_000).toISOString()
    const deadlineAt = new Date(stage.clock.now() + 7_200_000).toISOString()
    const now = new Date(stage.clock.now()).toISOString()
    const later = { ...stage.send(ref, 'msg_later'), sendAt, deadlineAt, heldAt: now }
    stage.tables.put(later)
    session.enqueue(later)
    expect(session.waiting).toBe(0)
    session.enqueue(stage.send(ref, 'msg_now'))
    await stage.clock.passTime(1_000)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_now'))
    await stage.clock.passTime(3_598_000)
    expect(stage.tables.outbound(ref, 'msg_later').status).toBe('queued')
    await stage.clock.passTime(2_000)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_now', 'msg_later'))
  })
})

describe('sends that wait for a connection whose attempts are spent', () => {
  /** Nobody else wakes it. */
  const noScouts = { gate: { scoutForMs: 0 } }

  test('wake it once a minute, though they came before it gave up', async () => {
    const stage = new Stage(noScouts)
    const ref = stage.connection('a')
    stage.whatsapp.away = { statusCode: 408 }
    const session = await stage.worker().restore(ref)
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(200_000)
    expect(stage.tables.row(ref).reason).toBe('retries_exhausted')
    const wakes = () => stage.said('from the slow lane').length
    const before = wakes()
    await stage.clock.passTime(5 * 60_000)
    expect(wakes() - before).toBe(5)
    stage.whatsapp.away = undefined
    await stage.clock.passTime(61_000)
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('sent')
  })

  test('and that are not due do not', async () => {
    const stage = new Stage(noScouts)
    const ref = stage.connection('a')
    stage.whatsapp.away = { statusCode: 408 }
    const session = await stage.worker().restore(ref)
    const sendAt = new Date(stage.clock.now() + 3_600_000).toISOString()
    session.enqueue({ ...stage.send(ref, 'msg_1', { expiresInMs: 7_200_000 }), sendAt })
    await stage.clock.passTime(600_000)
    expect(stage.said('from the slow lane')).toEqual([])
  })
})

describe('sends', () => {
  test('are sent when the server acknowledged them, and delivered and read by receipts', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    session.enqueue(stage.send(ref, 'msg_1'))
    expect(session.waiting).toBe(1)
    await stage.clock.passTime(100)
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('sent')
    expect(session.waiting).toBe(0)
    const [whatsappId] = ids('msg_1') as [string]
    await stage.whatsapp.socket(ref).receipt({ whatsappId, step: 'read', at: stage.clock.now() })
    await stage.whatsapp.socket(ref).receipt({ whatsappId, step: 'delivered', at: stage.clock.now() })
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('read')
  })

  test('keep their order of acceptance, whatever order the doorbells came in', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = stage.worker().session(ref)
    const rows = ['msg_1', 'msg_2', 'msg_3', 'msg_4'].map((id) => stage.send(ref, id))
    for (const row of [rows[2], rows[0], rows[3], rows[1], rows[0]]) session.enqueue(row as (typeof rows)[0])
    session.start('waiting_sends')
    await stage.clock.passTime(500)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_1', 'msg_2', 'msg_3', 'msg_4'))
  })

  test('a send for a connection that is down waits for its open event, not a moment longer, and after five seconds says so', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.whatsapp.latencyMs = 7_000
    const worker = stage.worker()
    const session = worker.session(ref)
    session.start('restore')
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(4_900)
    expect(stage.tables.outbound(ref, 'msg_1').note).toBeUndefined()
    await stage.clock.passTime(2_000)
    expect(stage.tables.outbound(ref, 'msg_1')).toMatchObject({
      status: 'queued',
      note: 'The connection is being restored.',
    })
    await stage.clock.passTime(200)
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('sent')
    expect(stage.tables.outbound(ref, 'msg_1').note).toBeUndefined()
  })

  test('a restore of moments writes to none of the sends that wait for it', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.whatsapp.latencyMs = 1_000
    const all = Array.from({ length: 20 }, (_, n) => `msg_${n + 1}`)
    for (const id of all) stage.send(ref, id)
    const calls: string[] = []
    stage.fate = (call) => {
      calls.push(call)
      return {}
    }
    const session = stage.worker().session(ref)
    for (const id of all) session.enqueue(stage.tables.outbound(ref, id))
    session.start('restore')
    await stage.clock.passTime(3_000)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids(...all))
    expect(calls).toContain('messages.step')
    expect(calls).not.toContain('messages.note')
  })

  test('a missing ack probes at once; a dead socket is replaced, and the send goes again under its id exactly once', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    const device = stage.whatsapp.device(ref)
    device.acks = 'none'
    device.answers = false
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(stage.settings.ackTimeoutMs + stage.settings.probeTimeoutMs + 100)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'reconnecting', reason: 'liveness_failed' })
    device.acks = 'good'
    device.answers = true
    await stage.clock.passTime(60_000)
    expect(device.arrived).toEqual(ids('msg_1', 'msg_1'))
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('sent')
    expect(stage.auth.stored(ref).attempted.size).toBe(0)
  })

  test('a missing ack on a live socket sends once more under the same id, then waits for the ack', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    const device = stage.whatsapp.device(ref)
    device.acks = 'none'
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(10 * 60_000)
    expect(device.arrived).toEqual(ids('msg_1', 'msg_1'))
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('queued')
    await stage.clock.passTime(60 * 60_000)
    expect(stage.tables.outbound(ref, 'msg_1')).toMatchObject({ status: 'failed', error: { code: 'unconfirmed' } })
    const [whatsappId] = ids('msg_1') as [string]
    await stage.whatsapp.socket(ref).listener.onAck({ whatsappId })
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('sent')
  })

  test('what was lost with the socket goes again in its order of acceptance', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    const device = stage.whatsapp.device(ref)
    device.acks = 'none'
    const rows = ['msg_1', 'msg_2', 'msg_3'].map((id, n) => stage.send(ref, id, { to: `+9477000000${n}` }))
    for (const row of rows) session.enqueue(row)
    await stage.clock.passTime(100)
    expect(device.arrived).toEqual(ids('msg_1', 'msg_2', 'msg_3'))
    device.acks = 'good'
    device.arrived.length = 0
    stage.whatsapp.socket(ref).end({ statusCode: 428 })
    await stage.clock.passTime(6_000)
    expect(device.arrived).toEqual(ids('msg_1', 'msg_2', 'msg_3'))
  })

  test('an index that still lists a send for a moment does not bring it back', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    const row = stage.send(ref, 'msg_1')
    session.enqueue(row)
    await stage.clock.passTime(100)
    session.enqueue(row)
    await stage.clock.passTime(100)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_1'))
    expect(session.waiting).toBe(0)
  })

  test('a send whose deadline passed before it came is not sent', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    session.enqueue(stage.send(ref, 'msg_1', { expiresInMs: -1 }))
    await stage.clock.passTime(100)
    expect(stage.whatsapp.device(ref).arrived).toEqual([])
    expect(stage.tables.outbound(ref, 'msg_1').error?.code).toBe('expired')
  })

  test('unacknowledged sends do not hold up the others for ever', async () => {
    const stage = new Stage({ settings: { inFlightMax: 2 } })
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    const device = stage.whatsapp.device(ref)
    device.acks = 'none'
    session.enqueue(stage.send(ref, 'msg_1'))
    session.enqueue(stage.send(ref, 'msg_2', { to: '+94770000008' }))
    session.enqueue(stage.send(ref, 'msg_3', { to: '+94770000009' }))
    await stage.clock.passTime(1_000)
    expect(device.arrived).toEqual(ids('msg_1', 'msg_2'))
    await stage.clock.passTime(20_000)
    expect(device.arrived).toContain(ids('msg_3')[0])
    device.acks = 'good'
    stage.whatsapp.socket(ref).end({ statusCode: 428 })
    await stage.clock.passTime(6_000)
    for (const id of ['msg_1', 'msg_2', 'msg_3']) expect(stage.tables.outbound(ref, id).status).toBe('sent')
  })

  test('what was not acknowledged when the worker died goes again by the next one, under its id', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const first = stage.worker('w1', 1)
    const session = await first.restore(ref)
    stage.whatsapp.device(ref).acks = 'none'
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(10)
    session.terminate()
    stage.whatsapp.device(ref).acks = 'good'
    const second = stage.worker('w2', 2).session(ref)
    second.enqueue(stage.tables.outbound(ref, 'msg_1'))
    second.start('restore')
    await stage.clock.passTime(500)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_1', 'msg_1'))
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('sent')
  })

  test('the deadline ends a send that never left as expired', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    stage.whatsapp.away = { statusCode: 408 }
    const session = await stage.worker().restore(ref)
    session.enqueue(stage.send(ref, 'msg_1', { expiresInMs: 30_000 }))
    await stage.clock.passTime(29_000)
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('queued')
    await stage.clock.passTime(1_500)
    expect(stage.tables.outbound(ref, 'msg_1')).toMatchObject({ status: 'failed', error: { code: 'expired' } })
    expect(session.waiting).toBe(0)
  })

  test('an error ack is final, with WhatsApp’s code', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.whatsapp.device(ref).acks = '479'
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(100)
    expect(stage.tables.outbound(ref, 'msg_1')).toMatchObject({
      status: 'failed',
      error: { code: 'rejected_by_whatsapp', whatsappCode: '479' },
    })
  })

  test('463 restricts new chats: they are refused without asking, the known ones go on', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    const device = stage.whatsapp.device(ref)
    session.enqueue(stage.send(ref, 'msg_0', { to: '+94770000002' }))
    await stage.clock.passTime(100)
    device.acks = '463'
    session.enqueue(stage.send(ref, 'msg_1', { to: '+94770000001' }))
    await stage.clock.passTime(100)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'connected', restriction: { kind: 'new_chats' } })
    device.acks = 'good'
    session.enqueue(stage.send(ref, 'msg_2', { to: '+94770000001' }))
    session.enqueue(stage.send(ref, 'msg_3', { to: '+94770000002' }))
    session.enqueue(stage.send(ref, 'msg_4', { to: '+94770000003' }))
    await stage.clock.passTime(100)
    for (const id of ['msg_2', 'msg_4']) expect(stage.tables.outbound(ref, id).error?.code).toBe('new_chats_restricted')
    expect(stage.tables.outbound(ref, 'msg_3').status).toBe('sent')
    expect(device.arrived).toEqual(ids('msg_0', 'msg_1', 'msg_3'))
    await stage.clock.passTime(3_600_000)
    expect(stage.tables.row(ref)).toMatchObject({ status: 'connected' })
    expect(stage.tables.row(ref).restriction).toBeUndefined()
    session.enqueue(stage.send(ref, 'msg_5', { to: '+94770000003' }))
    await stage.clock.passTime(1_000)
    expect(stage.tables.outbound(ref, 'msg_5').status).toBe('sent')
  })

  test('a send that did not leave is tried again and holds up its own chat only', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    const device = stage.whatsapp.device(ref)
    device.handOver = { kind: 'not_sent', why: 'the store is down' }
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(10)
    device.handOver = undefined
    session.enqueue(stage.send(ref, 'msg_2'))
    session.enqueue(stage.send(ref, 'msg_3', { to: '+94770000002' }))
    await stage.clock.passTime(5_000)
    expect(device.arrived).toEqual(ids('msg_3', 'msg_1', 'msg_2'))
  })

  test('a step is stored however long the store is away, and the ack resolves only then', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    stage.fate = (call) => (call === 'messages.step' ? { arrivesAfterMs: 'never', givesUpAfterMs: 100 } : {})
    session.enqueue(stage.send(ref, 'msg_1'))
    const [whatsappId] = ids('msg_1') as [string]
    await stage.clock.passTime(30_000)
    let resolved = false
    void stage.whatsapp
      .socket(ref)
      .listener.onAck({ whatsappId })
      .then(() => {
        resolved = true
      })
    await stage.clock.passTime(10_000)
    expect(resolved).toBe(false)
    stage.fate = () => ({})
    await stage.clock.passTime(15_000)
    expect(resolved).toBe(true)
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('sent')
    expect(stage.whatsapp.device(ref).arrived).toEqual([whatsappId])
  })

  /** A send that has left, and whose first step takes a second to be stored. */
  async function storedSlowly() {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    let writes = 0
    stage.fate = (call) => (call === 'messages.step' && ++writes === 1 ? { arrivesAfterMs: 1_000 } : {})
    session.enqueue(stage.send(ref, 'msg_1'))
    const [whatsappId] = ids('msg_1') as [string]
    await stage.clock.passTime(100)
    const socket = stage.whatsapp.socket(ref)
    return {
      stage,
      row: () => stage.tables.outbound(ref, 'msg_1'),
      steps: () => stage.tables.steps.map(({ status }) => status),
      writes: () => writes,
      refused: () => socket.listener.onAck({ whatsappId, error: '500' }),
      receipt: (step: 'delivered' | 'read') => socket.receipt({ whatsappId, step, at: stage.clock.now() }),
    }
  }

  test('steps of one message are stored in the order in which WhatsApp told them', async () => {
    const { stage, row, steps, writes, receipt } = await storedSlowly()
    const told = [receipt('delivered'), receipt('read')]
    await stage.clock.passTime(5_000)
    await Promise.all(told)
    expect(steps()).toEqual(['sent', 'delivered', 'read'])
    // What came while the first was written shares the second write.
    expect(writes()).toBe(2)
    expect(row()).toMatchObject({ status: 'read', deliveredAt: expect.any(String), readAt: expect.any(String) })
  })

  test('what WhatsApp tells after a refusal is not stored with what came before it', async () => {
    const { stage, steps, writes, refused, receipt } = await storedSlowly()
    const told = [receipt('delivered'), refused(), receipt('read')]
    await stage.clock.passTime(5_000)
    await Promise.all(told)
    expect(steps()).toEqual(['sent', 'delivered', 'read'])
    expect(writes()).toBe(4)
  })

  test('ids of sends that ended are not kept in the auth state, whoever left them there', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const [gone, ended, waits] = ids('msg_0', 'msg_1', 'msg_2') as [string, string, string]
    stage.tables.put({ ...stage.send(ref, 'msg_1'), status: 'sent' })
    stage.send(ref, 'msg_2')
    for (const id of [gone, ended, waits]) stage.auth.stored(ref).attempted.add(id)
    await stage.worker().restore(ref)
    expect([...stage.auth.stored(ref).attempted]).toEqual([waits])
  })

  test('an answer of the store that got lost does no harm', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    let lost = 1
    stage.fate = (call) => (call === 'messages.step' && lost-- > 0 ? { arrivesAfterMs: 500, givesUpAfterMs: 100 } : {})
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(5_000)
    expect(stage.tables.outbound(ref, 'msg_1').status).toBe('sent')
    expect(session.waiting).toBe(0)
  })
})
