import { describe, expect, test } from 'vitest'
import { whatsappIdOf } from '../../../shared/aws/ids.ts'
import type { OutboundRow } from '../../../shared/domain/stores/messages.ts'
import { modelApiMessages } from '../../simulation/models/api-messages.ts'
import { Stage } from './stage.ts'

const ids = (...messageIds: string[]) => messageIds.map(whatsappIdOf)

describe('sends whose doorbell got lost', () => {
  const anHour = 3_600_000

  test('go before those of their chat that were accepted after them', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    session.enqueue(stage.send(ref, 'msg_1'))
    for (const id of ['msg_2', 'msg_3']) stage.send(ref, id)
    session.enqueue(stage.send(ref, 'msg_4'))
    await stage.clock.passTime(100)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_1', 'msg_2', 'msg_3', 'msg_4'))
  })

  test('also where the index of waiting sends does not show them yet, however many', async () => {
    const stage = new Stage({ indexLagMs: anHour })
    const ref = stage.connection('a')
    const all = Array.from({ length: 12 }, (_, n) => `msg_${n + 1}`)
    const session = await stage.worker().restore(ref)
    for (const id of all.slice(0, -1)) stage.send(ref, id)
    let reads = 0
    stage.fate = (call) => {
      if (call === 'messages.get') reads += 1
      return {}
    }
    session.enqueue(stage.send(ref, 'msg_12'))
    await stage.clock.passTime(100)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids(...all))
    // Each row names four, which are read together.
    expect(reads).toBe(3)
  })

  test('also where an earlier worker took the doorbell and died', async () => {
    const stage = new Stage({ indexLagMs: anHour })
    const ref = stage.connection('a')
    const first = await stage.worker('w1', 1).restore(ref)
    stage.whatsapp.device(ref).acks = 'none'
    first.enqueue(stage.send(ref, 'msg_1'))
    first.terminate()
    stage.whatsapp.device(ref).acks = 'good'
    const second = await stage.worker('w2', 2).restore(ref)
    second.enqueue(stage.send(ref, 'msg_2'))
    await stage.clock.passTime(500)
    expect(stage.whatsapp.device(ref).arrived.slice(-2)).toEqual(ids('msg_1', 'msg_2'))
  })

  test('numbers without a row, and sends that ended, hold up nothing', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    const rows = Array.from({ length: 9 }, (_, n) => stage.send(ref, `msg_${n + 1}`))
    for (const row of rows.slice(0, 4)) stage.tables.messages.get('bp_1#con_a')?.delete(row.key)
    for (const row of rows.slice(4, 8)) stage.tables.put({ ...row, status: 'failed', version: 2 })
    session.enqueue(rows[8] as OutboundRow)
    await stage.clock.passTime(100)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_9'))
  })

  test('nothing overtakes while the store does not say what is missing', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const session = await stage.worker().restore(ref)
    session.enqueue(stage.send(ref, 'msg_1'))
    await stage.clock.passTime(100)
    stage.fate = (call) => (call === 'messages.get' ? { arrivesAfterMs: 'never', givesUpAfterMs: 100 } : {})
    stage.send(ref, 'msg_2')
    session.enqueue(stage.send(ref, 'msg_3'))
    await stage.clock.passTime(20_000)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_1'))
    stage.fate = () => ({})
    await stage.clock.passTime(20_000)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_1', 'msg_2', 'msg_3'))
  })

  test('one that the index still lists although it was cancelled never goes', async () => {
    const stage = new Stage()
    const ref = stage.connection('a')
    const listed = stage.send(ref, 'msg_1')
    stage.tables.put({ ...listed, heldAt: listed.createdAt, version: 2 })
    const at = new Date(stage.clock.now()).toISOString()
    expect((await modelApiMessages(stage.tables).cancel(ref, 'msg_1', at)).kind).toBe('cancelled')
    const session = await stage.worker().restore(ref)
    session.enqueue(listed, 'index')
    session.enqueue(stage.send(ref, 'msg_2'))
    await stage.clock.passTime(1_000)
    expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_2'))
    expect(stage.tables.outbound(ref, 'msg_1').error?.code).toBe('cancelled')
  })
})
