import { beforeEach, describe, expect, test } from 'vitest'
import * as ids from '../../shared/aws/ids.ts'
import {
  type ApiMessages,
  type MessageFilter,
  type OutboundRow,
  previousKept,
  type SendStep,
  type WorkerMessages,
} from '../../shared/domain/stores/messages.ts'
import { at, expired, received, ref, send } from './message-rows.ts'

export interface MessageStores {
  readonly worker: WorkerMessages
  readonly api: ApiMessages
}

/**
 * What every store of messages must do; `fresh` gives its two sides over one empty table, with that limit of waiting sends
 * per connection.
 */
export function messageStoresContract(name: string, fresh: (waitingMax: number) => Promise<MessageStores>): void {
  describe(`message stores: ${name}`, () => {
    let worker: WorkerMessages
    let api: ApiMessages

    beforeEach(async () => {
      ;({ worker, api } = await fresh(60))
    })

    async function accepted(changes: Partial<OutboundRow> = {}): Promise<OutboundRow> {
      const outcome = await api.accept(send(changes))
      if (outcome.kind !== 'created') throw new Error(`expected created, got ${outcome.kind}`)
      return outcome.row
    }

    const stored = (row: OutboundRow) => worker.getOutbound(row, row.messageId)
    const step = (row: OutboundRow, what: SendStep, epoch = 1) => worker.step(row, row.whatsappId, epoch, what)

    describe('accepting', () => {
      test('numbers sends from 1 in the order of acceptance, per connection', async () => {
        expect((await accepted()).seq).toBe(1)
        expect((await accepted()).seq).toBe(2)
        expect((await accepted({ connectionId: 'con_2' })).seq).toBe(1)
      })

      test('writes the row that is read by either id', async () => {
        const row = await accepted()
        expect(row).toEqual({ ...send({ messageId: row.messageId }), seq: 1 })
        expect(await api.get(ref, row.messageId)).toEqual(row)
        expect(await worker.getOutbound(ref, row.messageId)).toEqual(row)
        expect(await worker.getByWhatsappId(ref, row.whatsappId)).toEqual(row)
      })

      test('fifty at the same time are numbered 1 to 50 without gap or double', async () => {
        const rows = await Promise.all(Array.from({ length: 50 }, () => accepted()))
        expect(rows.map((row) => row.seq).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
        expect(await api.listWaiting(3)).toHaveLength(50)
      })

      test('names those accepted right before it, latest first, per connection', async () => {
        const rows: OutboundRow[] = []
        for (let i = 0; i < 7; i++) rows.push(await accepted())
        await accepted({ connectionId: 'con_2' })
        const next = await accepted()
        const whatsappIds = rows.map(({ whatsappId }) => whatsappId)
        expect(rows[0]).not.toHaveProperty('previous')
        expect(rows[2]?.previous).toEqual(whatsappIds.slice(0, 2).toReversed())
        expect(next.previous).toEqual(whatsappIds.slice(-previousKept).toReversed())
        expect((await stored(next))?.previous).toEqual(next.previous)
      })

      test('the same key with the same body answers with the row as it is now', async () => {
        const row = await accepted({ idempotencyKey: 'order-1' })
        await step(row, { status: 'sent', at: at(1) })
        const replay = await api.accept(send({ idempotencyKey: 'order-1', createdAt: at(5) }))
        expect(replay).toEqual({ kind: 'replayed', row: await stored(row) })
        expect(replay).toMatchObject({ row: { status: 'sent', createdAt: at(0), seq: 1 } })
      })

      test('the same key with another body is a conflict and changes nothing', async () => {
        const row = await accepted({ idempotencyKey: 'order-1' })
        const other = send({ idempotencyKey: 'order-1', bodyHash: 'another' })
        expect(await api.accept(other)).toEqual({ kind: 'conflict' })
        expect(await stored(row)).toEqual(row)
      })

      test('the same key on another connection or business profile is another send', async () => {
        const rows = [
          await accepted({ idempotencyKey: 'order-1' }),
          await accepted({ idempotencyKey: 'order-1', connectionId: 'con_2' }),
          await accepted({ idempotencyKey: 'order-1', businessProfileId: 'bp_2' }),
        ]
        expect(new Set(rows.map((row) => row.messageId)).size).toBe(3)
      })

      test('of many with the same key at the same time one is created, all are the same message, and one waits', async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 20 }, () => api.accept(send({ idempotencyKey: 'order-1' }))),
        )
        expect(outcomes.filter((outcome) => outcome.kind === 'created')).toHaveLength(1)
        expect(outcomes.filter((outcome) => outcome.kind === 'replayed')).toHaveLength(19)
        expect(new Set(outcomes.map((outcome) => ('row' in outcome ? outcome.row.messageId : ''))).size).toBe(1)
        expect(await api.listWaiting(3)).toHaveLength(1)
        // The places that the replays took are free again: 59 more fit below the limit of 60.
        await Promise.all(Array.from({ length: 59 }, () => accepted()))
        expect((await api.accept(send())).kind).toBe('too_many_waiting')
      })

      test('stops at the limit of waiting sends, per connection, and goes on when one has ended', async () => {
        const rows = await Promise.all(Array.from({ length: 60 }, () => accepted()))
        expect(await api.accept(send())).toEqual({ kind: 'too_many_waiting', limit: 60 })
        await accepted({ connectionId: 'con_2' })
        await step(rows[0]!, { status: 'sent', at: at(1) })
        await step(rows[0]!, { status: 'delivered', at: at(2) })
        await accepted()
        expect((await api.accept(send())).kind).toBe('too_many_waiting')
        await api.expire(rows[1]!, expired, at(1))
        await api.expire(rows[1]!, expired, at(1))
        await accepted()
        expect((await api.accept(send())).kind).toBe('too_many_waiting')
      })

      test('of many at the same time no more than the limit wait', async () => {
        const outcomes = await Promise.all(Array.from({ length: 70 }, () => api.accept(send())))
        expect(outcomes.filter((outcome) => outcome.kind === 'created')).toHaveLength(60)
        expect(await api.listWaiting(3)).toHaveLength(60)
      })

      test('a replay is answered at the limit, too', async () => {
        await accepted({ idempotencyKey: 'order-1' })
        await Promise.all(Array.from({ length: 59 }, () => accepted()))
        expect((await api.accept(send({ idempotencyKey: 'order-1' }))).kind).toBe('replayed')
      })

      test('of many with the same key at the same time, for the last place, one is created and no other message', async () => {
        await Promise.all(Array.from({ length: 59 }, () => accepted()))
        const row = await accepted({ idempotencyKey: 'first' })
        await step(row, { status: 'sent', at: at(1) })
        const outcomes = await Promise.all(
          Array.from({ length: 5 }, () => api.accept(send({ idempotencyKey: 'last' }))),
        )
        const ids = new Set(outcomes.flatMap((outcome) => ('row' in outcome ? [outcome.row.messageId] : [])))
        expect(ids.size).toBe(1)
        expect(outcomes.filter((outcome) => outcome.kind === 'created')).toHaveLength(1)
      })

      test('a send that failed at once does not wait', async () => {
        const row = await accepted({ status: 'failed', error: expired, waitingPartition: undefined })
        expect(row.seq).toBe(1)
        expect(await api.listWaiting(3)).toEqual([])
      })
    })

    describe('waiting', () => {
      test('both sides see the same waiting sends', async () => {
        for (let i = 0; i < 4; i++) await accepted({ connectionId: i % 2 === 0 ? 'con_1' : 'con_2' })
        await accepted({ partition: 4, waitingPartition: 4 })
        expect(await api.listWaiting(3)).toHaveLength(4)
        expect(await worker.listWaiting(3)).toEqual(await api.listWaiting(3))
      })

      test('those of one connection are listed between two numbers, in order', async () => {
        const rows: OutboundRow[] = []
        for (let i = 0; i < 6; i++) rows.push(await accepted())
        await accepted({ connectionId: 'con_2' })
        await step(rows[2]!, { status: 'sent', at: at(1) })
        const list = async (after: number, before: number) =>
          (await worker.listWaitingOf(ref, 3, { after, before })).map((row) => row.seq)
        expect(await list(0, 7)).toEqual([1, 2, 4, 5, 6])
        expect(await list(1, 5)).toEqual([2, 4])
        expect(await list(4, 5)).toEqual([])
        expect(await worker.listWaitingOf(ref, 4, { after: 0, before: 7 })).toEqual([])
      })

      test('a rung doorbell is noted on a waiting send only, and no older generation', async () => {
        const row = await accepted()
        await api.markEnqueued(ref, row.whatsappId, 2, at(1))
        expect(await stored(row)).toMatchObject({ enqueuedAt: at(1), generation: 2, version: 2 })
        await api.markEnqueued(ref, row.whatsappId, 1, at(2))
        expect(await stored(row)).toMatchObject({ enqueuedAt: at(1), generation: 2 })
        await step(row, { status: 'sent', at: at(3) })
        await api.markEnqueued(ref, row.whatsappId, 3, at(4))
        expect(await stored(row)).toMatchObject({ generation: 2, version: 3 })
        await api.markEnqueued(ref, ids.whatsappIdOf('msg_unknown'), 1, at(4))
        expect(await worker.getByWhatsappId(ref, ids.whatsappIdOf('msg_unknown'))).toBeUndefined()
      })

      test('a send leaves the count once, however many acks come at the same time', async () => {
        const rows = await Promise.all(Array.from({ length: 60 }, () => accepted()))
        const outcomes = await Promise.all(
          Array.from({ length: 8 }, () => step(rows[0]!, { status: 'sent', at: at(1) })),
        )
        expect(outcomes.filter((outcome) => outcome.kind === 'written')).toHaveLength(1)
        await accepted()
        expect((await api.accept(send())).kind).toBe('too_many_waiting')
      })

      test('a deadline ends a waiting send once, and no other', async () => {
        const row = await accepted()
        expect(await api.expire(row, expired, at(1))).toEqual({ kind: 'written' })
        expect(await api.expire(row, expired, at(2))).toEqual({ kind: 'stale' })
        expect(await stored(row)).toMatchObject({ status: 'failed', error: expired, failedAt: at(1), version: 2 })
        const sent = await accepted()
        await step(sent, { status: 'sent', at: at(1) })
        expect(await api.expire(sent, expired, at(2))).toEqual({ kind: 'stale' })
        expect(await api.listWaiting(3)).toEqual([])
      })
    })

    describe('cancelling', () => {
      test('ends a held send once and frees its place', async () => {
        const row = await accepted({ heldAt: at(0) })
        const cancelled = await api.cancel(ref, row.messageId, at(1))
        expect(cancelled).toMatchObject({
          kind: 'cancelled',
          row: { status: 'failed', error: { code: 'cancelled' }, failedAt: at(1) },
        })
        expect(await stored(row)).not.toHaveProperty('heldAt')
        expect(await api.cancel(ref, row.messageId, at(2))).toMatchObject({
          kind: 'cancelled',
          row: { failedAt: at(1) },
        })
        expect(await api.listWaiting(3)).toEqual([])
        await Promise.all(Array.from({ length: 60 }, () => accepted()))
      })

      test('leaves alone what may be on its way, what ended, and what is not there', async () => {
        const row = await accepted()
        expect(await api.cancel(ref, row.messageId, at(1))).toMatchObject({ kind: 'not_cancellable' })
        await worker.note(ref, row.whatsappId, 1, 'It waits.', at(1), 0)
        await worker.claim(ref, row.whatsappId, 1, at(2))
        expect(await api.cancel(ref, row.messageId, at(3))).toMatchObject({ kind: 'not_cancellable' })
        await step(row, { status: 'sent', at: at(4) })
        expect(await api.cancel(ref, row.messageId, at(5))).toMatchObject({
          kind: 'not_cancellable',
          row: { status: 'sent' },
        })
        expect(await api.cancel(ref, 'msg_unknown', at(5))).toEqual({ kind: 'not_found' })
        await worker.putInbound(received())
        expect(await api.cancel(ref, received().messageId, at(5))).toEqual({ kind: 'not_found' })
      })

      test('of a cancellation and a worker that takes the send out, one wins', async () => {
        for (let i = 0; i < 10; i++) {
          const row = await accepted({ heldAt: at(0) })
          const [cancel, claim] = await Promise.all([
            api.cancel(ref, row.messageId, at(1)),
            worker.claim(ref, row.whatsappId, 1, at(1)),
          ])
          expect([cancel.kind, claim.kind]).toEqual(
            claim.kind === 'claimed' ? ['not_cancellable', 'claimed'] : ['cancelled', 'ended'],
          )
        }
      })
    })

    describe('history', () => {
      test('is filtered by chat, status and direction', async () => {
        const other = '4915112345678@s.whatsapp.net'
        const [first, second] = [await accepted({ createdAt: at(1) }), await accepted({ createdAt: at(2) })]
        const third = await accepted({ createdAt: at(3), chat: other })
        await worker.putInbound(received({ createdAt: at(4) }))
        await step(first, { status: 'sent', at: at(5) })
        const list = async (filter: MessageFilter, limit = 10) =>
          (await api.list(ref, limit, undefined, filter)).items.map((row) => row.messageId)
        expect(await list({ chat: other })).toEqual([third.messageId])
        expect(await list({ chat: third.chat, direction: 'inbound' })).toEqual([])
        expect(await list({ direction: 'inbound' })).toEqual([received().messageId])
        expect(await list({ direction: 'outbound', status: 'queued' })).toEqual([third.messageId, second.messageId])
        expect(await list({ chat: first.chat })).toEqual([received().messageId, second.messageId, first.messageId])
        expect(await list({ chat: first.chat, status: 'sent' })).toEqual([first.messageId])
        expect(await list({ chat: first.chat }, 1)).toEqual([received().messageId])
      })

      test('is newest first, paged, sends and received messages together, without anything else', async () => {
        const rows = []
        for (let i = 0; i < 5; i++) rows.push((await accepted({ createdAt: at(i * 10) })).messageId)
        await worker.putInbound(received({ createdAt: at(25) }))
        const expected = [...rows.slice(3).reverse(), received().messageId, ...rows.slice(0, 3).reverse()]
        const seen: string[] = []
        let next: string | undefined
        do {
          const page = await api.list(ref, 2, next)
          expect(page.items.length).toBe(2)
          seen.push(...page.items.map((row) => row.messageId))
          next = page.next
        } while (next !== undefined)
        expect(seen).toEqual(expected)
      })

      test('belongs to one connection', async () => {
        await accepted()
        expect((await api.list({ ...ref, connectionId: 'con_2' }, 10)).items).toEqual([])
        expect((await api.list({ ...ref, businessProfileId: 'bp_2' }, 10)).items).toEqual([])
      })

      test('messages of the same millisecond are all there', async () => {
        const rows = await Promise.all(Array.from({ length: 7 }, () => accepted()))
        const first = await api.list(ref, 4)
        const second = await api.list(ref, 4, first.next)
        const ids = [...first.items, ...second.items].map((row) => row.messageId)
        expect(ids.sort()).toEqual(rows.map((row) => row.messageId).sort())
      })
    })
  })
}
