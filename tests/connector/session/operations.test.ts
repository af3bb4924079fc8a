import { describe, expect, test } from 'vitest'
import type { OperationAnswer } from '../../../connector/ports.ts'
import type { OperationRequest } from '../../../shared/domain/operations.ts'
import type { OperationRow } from '../../../shared/domain/stores/operations.ts'
import type { ConnectionRef } from '../../../shared/domain/words.ts'
import { Stage } from './stage.ts'

const check: OperationRequest = { kind: 'check_contacts', phoneNumbers: ['+94770000001'] }
const create: OperationRequest = { kind: 'create_group', subject: 'Tea', participants: ['94770000001@s.whatsapp.net'] }
const rename: OperationRequest = { kind: 'update_group', group: '120363000@g.us', subject: 'Coffee' }
const download: OperationRequest = { kind: 'download_media', messageId: 'wam_1' }
const done: OperationAnswer = { kind: 'done', result: { contacts: [] } }

class Scene {
  readonly stage = new Stage()
  readonly ref: ConnectionRef = this.stage.connection('a')
  #count = 0

  get device() {
    return this.stage.whatsapp.device(this.ref)
  }

  /** As the API accepts it. */
  ask(request: OperationRequest, change: Partial<OperationRow> = {}): OperationRow {
    this.#count += 1
    const now = this.stage.clock.now()
    const at = new Date(now).toISOString()
    const row: OperationRow = {
      ...this.ref,
      operationId: `opr_${this.#count}`,
      request,
      status: 'pending',
      partition: 0,
      deadlineAt: new Date(now + 120_000).toISOString(),
      requestHash: 'hash',
      version: 1,
      epoch: 0,
      createdAt: at,
      updatedAt: at,
      expireAt: 0,
      ...change,
    }
    this.stage.tables.operations.put(row)
    return row
  }

  row({ operationId }: OperationRow): OperationRow {
    const found = this.stage.tables.operations.find(this.ref, operationId)
    if (found === undefined) throw new Error(`no such operation: ${operationId}`)
    return found
  }

  get asked(): readonly string[] {
    return this.device.operated.map(({ kind }) => kind)
  }
}

/** An answer that comes when the test says so. */
function held() {
  const { promise, resolve } = Promise.withResolvers<OperationAnswer>()
  return { operate: () => promise, answer: (answer: OperationAnswer = done) => resolve(answer) }
}

describe('an operation', () => {
  test('is carried out on the open socket, and its answer is in its row', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    const result = { contacts: [{ phoneNumber: '+94770000001', onWhatsApp: true }] }
    scene.device.operate = async () => ({ kind: 'done', result })
    const row = scene.ask(check, { origin: { requestId: 'call-1' } })
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    expect(scene.row(row)).toMatchObject({ status: 'succeeded', result, epoch: 1, completedAt: expect.any(String) })
    expect(scene.stage.lines.find(({ message }) => message === 'An operation ended')?.fields).toMatchObject({
      operationId: row.operationId,
      requestId: 'call-1',
      operationStatus: 'succeeded',
    })
    expect(scene.device.operated).toEqual([check])
  })

  test('that came twice is carried out once', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    const row = scene.ask(rename)
    session.operate?.(row)
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    expect(scene.asked).toEqual(['update_group'])
  })

  test('that WhatsApp refuses fails with its code, and is not repeated', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    const error = { code: 'forbidden', message: 'No.', whatsappCode: '403' } as const
    scene.device.operate = async () => ({ kind: 'failed', error })
    const row = scene.ask(rename)
    session.operate?.(row)
    await scene.stage.clock.passTime(60_000)
    expect(scene.row(row)).toMatchObject({ status: 'failed', error })
    expect(scene.asked).toHaveLength(1)
  })

  test('whose code throws fails as internal, and the session goes on', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    scene.device.operate = () => Promise.reject(new Error('a bug'))
    const row = scene.ask(check)
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    expect(scene.row(row)).toMatchObject({ status: 'failed', error: { code: 'internal' } })
    expect(session.state).toBe('open')
  })
})

describe('a connection that is down', () => {
  test('is restored for an operation', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    scene.device.always = { statusCode: 503 }
    scene.stage.whatsapp.socket(scene.ref).end({ statusCode: 428 })
    await scene.stage.clock.passTime(400_000)
    expect(scene.stage.tables.row(scene.ref)).toMatchObject({ status: 'disconnected', reason: 'retries_exhausted' })
    scene.device.always = 'open'
    const row = scene.ask(check)
    session.operate?.(row)
    // A connection in the slow lane is woken at most once a minute.
    await scene.stage.clock.passTime(65_000)
    expect(scene.row(row).status).toBe('succeeded')
    expect(scene.stage.tables.row(scene.ref).status).toBe('connected')
  })

  test('ends it as expired at its deadline where it does not come back', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    scene.device.always = { statusCode: 503 }
    scene.stage.whatsapp.socket(scene.ref).end({ statusCode: 428 })
    const row = scene.ask(create)
    session.operate?.(row)
    await scene.stage.clock.passTime(119_000)
    expect(scene.row(row).status).toBe('pending')
    await scene.stage.clock.passTime(2_000)
    expect(scene.row(row)).toMatchObject({ status: 'failed', error: { code: 'expired' } })
    expect(scene.asked).toEqual([])
  })

  test('that is logged out refuses it at once', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    scene.stage.whatsapp.socket(scene.ref).end({ statusCode: 401 })
    await scene.stage.clock.passTime(1_000)
    const row = scene.ask(check)
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    expect(scene.row(row)).toMatchObject({ status: 'failed', error: { code: 'no_active_connection' } })
  })

  test('that is deleted tells it', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    scene.device.always = 'silent'
    scene.stage.whatsapp.socket(scene.ref).end({ statusCode: 428 })
    const row = scene.ask(check)
    session.operate?.(row)
    scene.stage.command(scene.ref, 'delete')
    await session.command()
    await scene.stage.clock.passTime(30_000)
    expect(scene.row(row)).toMatchObject({ status: 'failed', error: { code: 'connection_deleted' } })
  })
})

describe('a socket that ends in between', () => {
  test('what may be repeated is repeated on the next one', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    scene.device.operate = held().operate
    const row = scene.ask(rename)
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    scene.device.operate = async () => done
    scene.stage.whatsapp.socket(scene.ref).end({ statusCode: 428 })
    await scene.stage.clock.passTime(10_000)
    expect(scene.asked).toEqual(['update_group', 'update_group'])
    expect(scene.row(row).status).toBe('succeeded')
  })

  test('what may be done only once is unconfirmed, and never repeated', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    scene.device.operate = held().operate
    const row = scene.ask(create)
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    scene.stage.whatsapp.socket(scene.ref).end({ statusCode: 428 })
    await scene.stage.clock.passTime(60_000)
    expect(scene.asked).toEqual(['create_group'])
    expect(scene.row(row)).toMatchObject({ status: 'failed', error: { code: 'unconfirmed' } })
  })

  test('a living socket that does not answer is asked twice', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    scene.device.operate = async () => ({ kind: 'unknown', why: 'late' })
    const [read, change] = [scene.ask(check), scene.ask(rename)]
    session.operate?.(read)
    session.operate?.(change)
    await scene.stage.clock.passTime(10)
    expect(scene.asked.toSorted()).toEqual(['check_contacts', 'check_contacts', 'update_group', 'update_group'])
    expect(scene.row(read)).toMatchObject({ status: 'failed', error: { code: 'rejected_by_whatsapp' } })
    expect(scene.row(change)).toMatchObject({ status: 'failed', error: { code: 'unconfirmed' } })
  })
})

describe('a worker that dies in between', () => {
  test('the next one repeats what may be repeated', async () => {
    const scene = new Scene()
    const first = scene.stage.worker('w1', 1)
    const session = await first.restore(scene.ref)
    scene.device.operate = held().operate
    const row = scene.ask(rename)
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    first.holding.lost = true
    session.terminate()
    scene.device.operate = async () => done
    const next = await scene.stage.worker('w2', 2).restore(scene.ref)
    for (const pending of scene.stage.tables.operations.pending(0)) next.operate?.(pending)
    await scene.stage.clock.passTime(1_000)
    expect(scene.row(row)).toMatchObject({ status: 'succeeded', epoch: 2 })
  })

  test('the next one creates no second group', async () => {
    const scene = new Scene()
    const first = scene.stage.worker('w1', 1)
    const session = await first.restore(scene.ref)
    scene.device.operate = held().operate
    const row = scene.ask(create)
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    first.holding.lost = true
    session.terminate()
    scene.device.operate = async () => done
    const next = await scene.stage.worker('w2', 2).restore(scene.ref)
    for (const pending of scene.stage.tables.operations.pending(0)) next.operate?.(pending)
    await scene.stage.clock.passTime(1_000)
    expect(scene.asked).toEqual(['create_group'])
    expect(scene.row(row)).toMatchObject({ status: 'failed', error: { code: 'unconfirmed' }, epoch: 2 })
  })

  test('before it began, the next one creates it', async () => {
    const scene = new Scene()
    scene.stage.whatsapp.latencyMs = 5_000
    const first = scene.stage.worker('w1', 1)
    const session = await first.restore(scene.ref)
    const row = scene.ask(create)
    session.operate?.(row)
    first.holding.lost = true
    session.terminate()
    scene.stage.whatsapp.latencyMs = 50
    const next = await scene.stage.worker('w2', 2).restore(scene.ref)
    for (const pending of scene.stage.tables.operations.pending(0)) next.operate?.(pending)
    await scene.stage.clock.passTime(1_000)
    expect(scene.asked).toEqual(['create_group'])
    expect(scene.row(row).status).toBe('succeeded')
  })

  test('a stale owner does not write an answer', async () => {
    const scene = new Scene()
    const first = scene.stage.worker('w1', 1)
    const session = await first.restore(scene.ref)
    const { operate, answer } = held()
    scene.device.operate = operate
    const row = scene.ask(check)
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    scene.stage.tables.operations.put({ ...row, epoch: 2 })
    answer()
    await scene.stage.clock.passTime(1_000)
    expect(scene.row(row)).toMatchObject({ status: 'pending', epoch: 2 })
    expect(first.holding.fences).toBe(1)
  })
})

describe('turns', () => {
  test('changes have their turn in order, what only reads goes side by side', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    const { operate, answer } = held()
    scene.device.operate = operate
    const rows = [rename, check, create, check, check, check, check].map((request) => scene.ask(request))
    for (const row of rows) session.operate?.(row)
    await scene.stage.clock.passTime(10)
    expect(scene.asked).toEqual(['update_group', ...Array(4).fill('check_contacts')])
    answer()
    await scene.stage.clock.passTime(10)
    expect(scene.asked.slice(5).toSorted()).toEqual(['check_contacts', 'create_group'])
    expect(rows.map((row) => scene.row(row).status)).toEqual(rows.map(() => 'succeeded'))
  })

  test('downloads, which may take minutes, hold up neither reads nor changes', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    scene.device.operate = held().operate
    scene.stage.whatsapp.socket(scene.ref).end({ statusCode: 428 })
    await scene.stage.clock.passTime(10)
    for (let n = 0; n < 5; n += 1) session.operate?.(scene.ask(download))
    // All at once when the connection is back.
    await scene.stage.clock.passTime(20_000)
    expect(scene.asked).toEqual(Array(5).fill('download_media'))
    scene.device.operate = async () => done
    const rows = [scene.ask(rename), scene.ask(check)]
    for (const row of rows) session.operate?.(row)
    await scene.stage.clock.passTime(10)
    expect(rows.map((row) => scene.row(row).status)).toEqual(['succeeded', 'succeeded'])
  })

  test('no handover waits for a download; the next owner begins it again', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker('w1', 1).restore(scene.ref)
    scene.device.operate = held().operate
    const row = scene.ask(download)
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    const began = scene.stage.clock.now()
    let tookMs: number | undefined
    void session.drain(10_000).then(() => {
      tookMs = scene.stage.clock.now() - began
    })
    await scene.stage.clock.passTime(10_000)
    expect(tookMs).toBeLessThan(1_000)
    expect(scene.row(row).status).toBe('pending')
    scene.device.operate = async () => done
    const next = await scene.stage.worker('w2', 2).restore(scene.ref)
    for (const pending of scene.stage.tables.operations.pending(0)) next.operate?.(pending)
    await scene.stage.clock.passTime(1_000)
    expect(scene.row(row).status).toBe('succeeded')
    expect(scene.asked).toEqual(['download_media', 'download_media'])
  })

  test('more than a worker keeps are refused', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    scene.device.operate = held().operate
    const rows = Array.from({ length: 201 }, () => scene.ask(check))
    for (const row of rows) session.operate?.(row)
    await scene.stage.clock.passTime(10)
    expect(rows.filter((row) => scene.row(row).status === 'pending')).toHaveLength(200)
    expect(scene.row(rows[200] as OperationRow)).toMatchObject({ error: { code: 'too_many_operations' } })
  })

  test('an answer that is too large to keep is a failure', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    const contacts = Array.from({ length: 30_000 }, (_, n) => ({
      phoneNumber: `+9477${n}`,
      onWhatsApp: true,
      lid: '1@lid',
    }))
    scene.device.operate = async () => ({ kind: 'done', result: { contacts } })
    const row = scene.ask(check)
    session.operate?.(row)
    await scene.stage.clock.passTime(10)
    expect(scene.row(row)).toMatchObject({ status: 'failed', error: { code: 'result_too_large' } })
  })

  test('a store that does not answer for a while delays the answer, and nothing is asked again', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    let failures = 3
    scene.stage.fate = (call) =>
      call === 'operations.complete' && failures-- > 0 ? { arrivesAfterMs: 'never', givesUpAfterMs: 100 } : {}
    const row = scene.ask(create)
    session.operate?.(row)
    await scene.stage.clock.passTime(20_000)
    expect(scene.row(row).status).toBe('succeeded')
    expect(scene.asked).toEqual(['create_group'])
  })

  test('a handover lets what runs end, and begins nothing', async () => {
    const scene = new Scene()
    const session = await scene.stage.worker().restore(scene.ref)
    const { operate, answer } = held()
    scene.device.operate = operate
    const [running, waiting] = [scene.ask(rename), scene.ask(create)]
    session.operate?.(running)
    session.operate?.(waiting)
    await scene.stage.clock.passTime(10)
    const drained = session.drain(10_000)
    await scene.stage.clock.passTime(1_000)
    answer()
    await scene.stage.clock.passTime(5_000)
    await drained
    expect(scene.row(running).status).toBe('succeeded')
    expect(scene.row(waiting)).toMatchObject({ status: 'pending' })
    expect(scene.row(waiting)).not.toHaveProperty('begunBy')
  })
})
