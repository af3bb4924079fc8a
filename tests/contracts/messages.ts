import { beforeEach, describe, expect, test } from 'vitest'
import type {
  ApiMessages,
  InboundRow,
  OutboundRow,
  SendStep,
  WorkerMessages,
} from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef, SendErrorCode } from '../../shared/domain/words.ts'

export interface MessageStores {
  readonly worker: WorkerMessages
  readonly api: ApiMessages
}

/** How ids and keys follow from one another; the row's shape says nothing of it. */
export interface MessageIds {
  messageIdOf(ref: ConnectionRef, idempotencyKey: string): string
  newMessageId(): string
  whatsappIdOf(messageId: string): string
  inboundMessageIdOf(chat: string, sender: string, whatsappId: string): string
  messageKey(messageId: string): string
}

/**
 * What every store of messages must do; `fresh` gives its two sides over one empty table, with that limit of waiting sends
 * per connection.
 */
export function messageStoresContract(
  name: string,
  ids: MessageIds,
  fresh: (waitingMax: number) => Promise<MessageStores>,
): void {
  describe(`message stores: ${name}`, () => {
    let worker: WorkerMessages
    let api: ApiMessages

    beforeEach(async () => {
      ;({ worker, api } = await fresh(60))
    })

    function send(changes: Partial<OutboundRow> = {}): Omit<OutboundRow, 'seq'> {
      const where = { ...ref, ...changes }
      const messageId =
        changes.messageId ??
        (changes.idempotencyKey === undefined ? ids.newMessageId() : ids.messageIdOf(where, changes.idempotencyKey))
      return {
        ...ref,
        direction: 'outbound',
        key: ids.messageKey(messageId),
        messageId,
        whatsappId: ids.whatsappIdOf(messageId),
        chat: '94714515253@s.whatsapp.net',
        to: '+94714515253',
        content: { type: 'text', text: { body: 'Hello' } },
        status: 'queued',
        partition: 3,
        waitingPartition: 3,
        generation: 0,
        version: 1,
        epoch: 0,
        bodyHash: 'hash of the body',
        createdAt: at(0),
        updatedAt: at(0),
        deadlineAt: at(3_600),
        expireAt: 2_000_000_000,
        ...changes,
      }
    }

    function received(changes: Partial<InboundRow> = {}): InboundRow {
      const whatsappId = changes.whatsappId ?? '3A0000000000000001'
      const chat = '94714515253@s.whatsapp.net'
      const messageId = ids.inboundMessageIdOf(chat, chat, whatsappId)
      return {
        ...ref,
        direction: 'inbound',
        key: ids.messageKey(messageId),
        messageId,
        whatsappId,
        chat,
        from: { phoneNumber: '+94714515253', name: 'A' },
        content: { type: 'text', text: { body: 'Hi' } },
        version: 1,
        epoch: 1,
        sentAt: at(0),
        receivedAt: at(1),
        createdAt: at(1),
        updatedAt: at(1),
        expireAt: 2_000_000_000,
        ...changes,
      }
    }

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

      test('a send that failed at once does not wait', async () => {
        const row = await accepted({ status: 'failed', error: expired, waitingPartition: undefined })
        expect(row.seq).toBe(1)
        expect(await api.listWaiting(3)).toEqual([])
      })
    })

    describe('waiting', () => {
      test("a partition's waiting sends come per connection in order of acceptance", async () => {
        for (let i = 0; i < 12; i++) await accepted({ connectionId: i % 2 === 0 ? 'con_1' : 'con_2' })
        await accepted({ partition: 4, waitingPartition: 4 })
        const rows = await worker.listWaiting(3)
        expect(rows).toEqual(await api.listWaiting(3))
        for (const connectionId of ['con_1', 'con_2']) {
          const seqs = rows.filter((row) => row.connectionId === connectionId).map((row) => row.seq)
          expect(seqs).toEqual([1, 2, 3, 4, 5, 6])
        }
        expect(rows).toHaveLength(12)
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

      test('a note is set, cleared, and goes when waiting ends', async () => {
        const row = await accepted()
        const note = (text: string | null, epoch = 1) => worker.note(ref, row.whatsappId, epoch, text, at(1))
        expect(await note('The connection is being restored.')).toEqual({ kind: 'written' })
        expect(await stored(row)).toMatchObject({ note: 'The connection is being restored.', epoch: 1, version: 2 })
        expect(await note(null)).toEqual({ kind: 'written' })
        expect(await stored(row)).not.toHaveProperty('note')
        await note('Again.', 3)
        expect(await note('Old owner.', 2)).toEqual({ kind: 'fenced' })
        await step(row, { status: 'sent', at: at(2) }, 3)
        expect(await stored(row)).not.toHaveProperty('note')
        await note('Too late.', 3)
        expect(await stored(row)).not.toHaveProperty('note')
        expect(await worker.note(ref, ids.whatsappIdOf('msg_unknown'), 1, 'x', at(1))).toEqual({ kind: 'gone' })
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

    describe('steps', () => {
      test('lead from queued to played, each with its time, epoch and version', async () => {
        const row = await accepted()
        const steps = ['sent', 'delivered', 'read', 'played'] as const
        for (const [i, status] of steps.entries()) {
          expect(await step(row, { status, at: at(i) }, i + 1)).toEqual({ kind: 'written' })
          expect(await stored(row)).toMatchObject({ status, [`${status}At`]: at(i), epoch: i + 1, version: i + 2 })
        }
        expect(await stored(row)).toMatchObject({ sentAt: at(0), deliveredAt: at(1), readAt: at(2), playedAt: at(3) })
        expect(await stored(row)).not.toHaveProperty('waitingPartition')
      })

      test('may be left out, from waiting too', async () => {
        const row = await accepted()
        expect(await step(row, { status: 'read', at: at(1) })).toEqual({ kind: 'written' })
        expect(await api.listWaiting(3)).toEqual([])
        expect(await step(row, { status: 'delivered', at: at(2) })).toEqual({ kind: 'stale' })
        expect(await step(row, { status: 'sent', at: at(2) })).toEqual({ kind: 'stale' })
        expect(await stored(row)).toMatchObject({ status: 'read', version: 2 })
      })

      test('are applied once', async () => {
        const row = await accepted()
        await step(row, { status: 'sent', at: at(1) })
        expect(await step(row, { status: 'sent', at: at(2) })).toEqual({ kind: 'stale' })
        expect(await stored(row)).toMatchObject({ sentAt: at(1), version: 2 })
      })

      test('of the same kind at the same time are applied once and leave the count once', async () => {
        const rows = await Promise.all(Array.from({ length: 60 }, () => accepted()))
        const outcomes = await Promise.all(
          Array.from({ length: 8 }, () => step(rows[0]!, { status: 'sent', at: at(1) })),
        )
        expect(outcomes.filter((outcome) => outcome.kind === 'written')).toHaveLength(1)
        await accepted()
        expect((await api.accept(send())).kind).toBe('too_many_waiting')
      })

      test('of an older owner are fenced, those to a row that is not there create none', async () => {
        const row = await accepted()
        await worker.note(ref, row.whatsappId, 5, 'New owner.', at(1))
        expect(await step(row, { status: 'sent', at: at(1) }, 4)).toEqual({ kind: 'fenced' })
        expect(await step(row, { status: 'read', at: at(1) }, 4)).toEqual({ kind: 'fenced' })
        expect(await stored(row)).toMatchObject({ status: 'queued', epoch: 5, waitingPartition: 3 })
        const unknown = ids.whatsappIdOf('msg_unknown')
        for (const status of ['sent', 'delivered'] as const) {
          expect(await worker.step(ref, unknown, 9, { status, at: at(1) })).toEqual({ kind: 'gone' })
        }
        expect(await worker.getByWhatsappId(ref, unknown)).toBeUndefined()
        const foreign = { ...ref, businessProfileId: 'bp_2' }
        expect(await worker.step(foreign, row.whatsappId, 9, { status: 'sent', at: at(1) })).toEqual({ kind: 'gone' })
      })

      test('a failure ends waiting with its error', async () => {
        const row = await accepted()
        const error = { code: 'rejected_by_whatsapp', message: 'Refused.', whatsappCode: '463' } as const
        expect(await step(row, { status: 'failed', at: at(1), error })).toEqual({ kind: 'written' })
        expect(await stored(row)).toMatchObject({ status: 'failed', error, failedAt: at(1) })
        expect(await api.listWaiting(3)).toEqual([])
      })

      for (const code of ['unconfirmed', 'expired'] as const) {
        for (const status of ['sent', 'delivered', 'read', 'played'] as const) {
          test(`failed / ${code} is overridden by ${status}`, async () => {
            const row = await accepted()
            await step(row, failure(code))
            expect(await step(row, { status, at: at(2) })).toEqual({ kind: 'written' })
            const now = await stored(row)
            expect(now).toMatchObject({ status, [`${status}At`]: at(2) })
            expect(now).not.toHaveProperty('error')
            expect(now).not.toHaveProperty('failedAt')
          })
        }
      }

      for (const code of ['rejected_by_whatsapp', 'not_on_whatsapp', 'invalid_content', 'cancelled'] as const) {
        test(`failed / ${code} is final`, async () => {
          const row = await accepted()
          await step(row, failure(code))
          expect(await step(row, { status: 'delivered', at: at(2) })).toEqual({ kind: 'stale' })
          expect(await step(row, { status: 'sent', at: at(2) })).toEqual({ kind: 'stale' })
          expect(await step(row, failure('unconfirmed'))).toEqual({ kind: 'stale' })
          expect(await stored(row)).toMatchObject({ status: 'failed', error: { code } })
        })
      }

      test('our own timeout never undoes an ack', async () => {
        const row = await accepted()
        await step(row, { status: 'sent', at: at(1) })
        expect(await step(row, failure('unconfirmed'))).toEqual({ kind: 'stale' })
        expect(await stored(row)).toMatchObject({ status: 'sent' })
      })
    })

    describe('received messages', () => {
      test('are stored once, however often WhatsApp delivers them', async () => {
        expect(await worker.putInbound(received())).toEqual({ kind: 'created' })
        expect(await worker.putInbound(received({ receivedAt: at(9) }))).toEqual({ kind: 'exists' })
        expect(await api.get(ref, received().messageId)).toEqual(received())
      })

      test('are no sends', async () => {
        await worker.putInbound(received())
        expect(await worker.getOutbound(ref, received().messageId)).toBeUndefined()
        expect(await worker.getByWhatsappId(ref, received().whatsappId)).toBeUndefined()
      })
    })

    describe('history', () => {
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

const ref = { businessProfileId: 'bp_1', connectionId: 'con_1' }
const at = (second: number): string => new Date(Date.UTC(2026, 0, 31, 12, 0, second)).toISOString()
const expired = { code: 'expired', message: 'Not sent before its deadline.' } as const
const failure = (code: SendErrorCode): SendStep => ({
  status: 'failed',
  at: at(1),
  error: { code, message: 'Failed.' },
})
