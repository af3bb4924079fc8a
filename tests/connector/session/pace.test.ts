import { expect, test } from 'vitest'
import { whatsappIdOf } from '../../../shared/aws/ids.ts'
import type { Pace } from '../../../shared/domain/pace.ts'
import { modelApiMessages } from '../../simulation/models/api-messages.ts'
import { Stage } from './stage.ts'

const ids = (...messageIds: string[]) => messageIds.map(whatsappIdOf)
const day = 24 * 3_600_000

async function paced(pace: Pace) {
  const stage = new Stage()
  const ref = stage.connection('a', { pace })
  const session = await stage.worker().restore(ref)
  const send = (id: string, to: string) => session.enqueue(stage.send(ref, id, { to, expiresInMs: 7 * day }))
  return { stage, ref, session, send, arrived: () => stage.whatsapp.device(ref).arrived }
}

test('a gap stands between any two sends', async () => {
  const { stage, send, arrived } = await paced({ minGapMs: 2_000 })
  for (const n of [1, 2, 3]) send(`msg_${n}`, `+9477000000${n}`)
  await stage.clock.passTime(1_000)
  expect(arrived()).toEqual(ids('msg_1'))
  await stage.clock.passTime(2_000)
  expect(arrived()).toEqual(ids('msg_1', 'msg_2'))
  await stage.clock.passTime(2_000)
  expect(arrived()).toEqual(ids('msg_1', 'msg_2', 'msg_3'))
})

test('what is beyond the day’s new chats waits, says so, can be cancelled, and holds up no known chat', async () => {
  const { stage, ref, send, arrived } = await paced({ newChatsPerDay: 2 })
  for (const n of [1, 2, 3, 4]) send(`msg_${n}`, `+9477000000${n}`)
  await stage.clock.passTime(1_000)
  expect(arrived()).toEqual(ids('msg_1', 'msg_2'))
  send('msg_5', '+94770000001')
  await stage.clock.passTime(1_000)
  expect(arrived()).toEqual(ids('msg_1', 'msg_2', 'msg_5'))
  const [waits] = ['msg_3', 'msg_4'].map((id) => stage.tables.outbound(ref, id))
  expect(waits).toMatchObject({ status: 'queued', note: expect.stringContaining('new chats') })
  const at = new Date(stage.clock.now()).toISOString()
  expect(await modelApiMessages(stage.tables).cancel(ref, 'msg_3', at)).toMatchObject({ kind: 'cancelled' })
  await stage.clock.passTime(day)
  expect(arrived()).toEqual(ids('msg_1', 'msg_2', 'msg_5', 'msg_4'))
})

test('a new owner continues the count of the day', async () => {
  const { stage, ref, session, send } = await paced({ newChatsPerDay: 1 })
  send('msg_1', '+94770000001')
  await stage.clock.passTime(1_000)
  session.terminate()
  const next = await stage.worker('w2', 2).restore(ref)
  next.enqueue(stage.send(ref, 'msg_2', { to: '+94770000002' }))
  next.enqueue(stage.send(ref, 'msg_3', { to: '+94770000001' }))
  await stage.clock.passTime(1_000)
  expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_1', 'msg_3'))
})

test('quiet hours end by the clock of their zone', async () => {
  const stage = new Stage()
  const hour = (ms: number) => `${String(new Date(ms).getUTCHours()).padStart(2, '0')}:00`
  const now = stage.clock.now()
  const quietHours = { from: hour(now), to: hour(now + 2 * 3_600_000), timeZone: 'UTC' }
  const ref = stage.connection('a', { pace: { quietHours } })
  const session = await stage.worker().restore(ref)
  session.enqueue(stage.send(ref, 'msg_1', { expiresInMs: day }))
  await stage.clock.passTime(3_600_000 / 2)
  expect(stage.tables.outbound(ref, 'msg_1')).toMatchObject({ note: expect.stringContaining('quiet hours') })
  await stage.clock.passTime(2 * 3_600_000)
  expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_1'))
})

test('another pace holds from the moment the row is read again', async () => {
  const { stage, ref, session, send, arrived } = await paced({ newChatsPerDay: 0 })
  send('msg_1', '+94770000001')
  await stage.clock.passTime(1_000)
  expect(arrived()).toEqual([])
  session.adopt?.({ ...stage.tables.row(ref), pace: undefined })
  await stage.clock.passTime(1_000)
  expect(arrived()).toEqual(ids('msg_1'))
})

test('while WhatsApp restricts new chats, new ones fail at once with the reason and known ones go on, also with the next owner', async () => {
  const stage = new Stage()
  const until = new Date(stage.clock.now() + 3_600_000).toISOString()
  const ref = stage.connection('a', { restriction: { kind: 'new_chats', until } })
  const known = stage.send(ref, 'msg_before', { to: '+94770000001' })
  const { waitingPartition: _, ...ended } = known
  stage.tables.put({ ...ended, status: 'delivered' })
  const session = await stage.worker().restore(ref)
  session.enqueue(stage.send(ref, 'msg_1', { to: '+94770000001' }))
  session.enqueue(stage.send(ref, 'msg_2', { to: '+94770000002' }))
  await stage.clock.passTime(1_000)
  expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_1'))
  expect(stage.tables.outbound(ref, 'msg_2')).toMatchObject({
    status: 'failed',
    error: { code: 'new_chats_restricted' },
  })
})

test('a person known by LID is no new chat by phone number, nor one who has just written', async () => {
  const { stage, ref, send, arrived } = await paced({ newChatsPerDay: 0 })
  const [phone, lid] = ['94770000001@s.whatsapp.net', '777@lid']
  stage.whatsapp.people.push([phone, lid])
  const inbound = {
    whatsappId: 'ABC',
    sender: lid,
    senderLid: lid,
    content: { type: 'text', text: { body: 'hi' } } as const,
    sentAt: stage.clock.now(),
  }
  send('msg_1', '+94770000001')
  send('msg_2', '+94770000002')
  await stage.clock.passTime(1_000)
  expect(arrived()).toEqual([])
  await stage.whatsapp.socket(ref).receive({ ...inbound, chat: lid })
  send('msg_3', '+94770000001')
  await stage.clock.passTime(1_000)
  expect(arrived()).toEqual(ids('msg_1', 'msg_3'))
})

test('what is stored under the LID of a person counts, also for the next owner', async () => {
  const stage = new Stage()
  const ref = stage.connection('a', { pace: { newChatsPerDay: 0 } })
  stage.whatsapp.people.push(['94770000001@s.whatsapp.net', '777@lid'])
  const { waitingPartition: _, ...ended } = stage.send(ref, 'msg_before')
  stage.tables.put({ ...ended, chat: '777@lid', status: 'delivered' })
  const session = await stage.worker().restore(ref)
  session.enqueue(stage.send(ref, 'msg_1', { to: '+94770000001' }))
  session.enqueue(stage.send(ref, 'msg_2', { to: '+94770000002' }))
  await stage.clock.passTime(1_000)
  expect(stage.whatsapp.device(ref).arrived).toEqual(ids('msg_1'))
})

test('recording is shown before a voice note for as long as it plays, typing before a caption', async () => {
  const { stage, ref, session, arrived } = await paced({ typing: true })
  stage.whatsapp.seconds = 4
  session.enqueue({ ...stage.send(ref, 'msg_1'), content: { type: 'audio', audio: { id: 'med_1', voice: true } } })
  await stage.clock.passTime(3_500)
  expect(stage.whatsapp.presences).toEqual(['recording'])
  expect(arrived()).toEqual([])
  await stage.clock.passTime(1_000)
  expect(arrived()).toEqual(ids('msg_1'))
  session.enqueue({ ...stage.send(ref, 'msg_2'), content: { type: 'image', image: { id: 'med_2', caption: 'tea' } } })
  await stage.clock.passTime(1_000)
  expect(stage.whatsapp.presences).toEqual(['recording', 'typing'])
  expect(arrived()).toEqual(ids('msg_1', 'msg_2'))
})
