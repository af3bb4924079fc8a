import { beforeEach, describe, expect, test } from 'vitest'
import * as ids from '../../shared/aws/ids.ts'
import { canStep } from '../../shared/domain/message-status.ts'
import type { Participant, ParticipantReceipt, ReceiptStep } from '../../shared/domain/receipts.ts'
import type { InboundRow, OutboundRow, SendStep, WorkerMessages } from '../../shared/domain/stores/messages.ts'
import { sendErrorCodes } from '../../shared/domain/words.ts'
import { at, failure, received, ref, send } from './message-rows.ts'

export interface WorkerMessageSide {
  readonly worker: WorkerMessages
  /** Brings a send about, as the API would. */
  put(row: OutboundRow): Promise<unknown>
  /** What members of a group said of a send. */
  receipts(row: OutboundRow): Promise<readonly ParticipantReceipt[]>
  /** Reads what came in. */
  inbound(row: InboundRow): Promise<InboundRow | undefined>
}

/** What a worker may rely on; holds for the real store and for the simulation's model. `fresh` gives an empty store. */
export function workerMessagesContract(name: string, fresh: () => Promise<WorkerMessageSide>): void {
  describe(`messages, a worker's side: ${name}`, () => {
    let side: WorkerMessageSide
    let worker: WorkerMessages
    let seqs: Map<string, number>

    beforeEach(async () => {
      side = await fresh()
      worker = side.worker
      seqs = new Map()
    })

    async function waiting(changes: Partial<OutboundRow> = {}): Promise<OutboundRow> {
      const { connectionId } = { ...ref, ...changes }
      const seq = (seqs.get(connectionId) ?? 0) + 1
      seqs.set(connectionId, seq)
      const row = { ...send(changes), seq }
      await side.put(row)
      return row
    }

    const stored = (row: OutboundRow) => worker.getOutbound(row, row.messageId)
    const step = (row: OutboundRow, what: SendStep, epoch = 1) => worker.step(row, row.whatsappId, epoch, what)

    describe('waiting', () => {
      test("a partition's waiting sends come per connection in order of acceptance", async () => {
        for (let i = 0; i < 12; i++) await waiting({ connectionId: i % 2 === 0 ? 'con_1' : 'con_2' })
        await waiting({ partition: 4, waitingPartition: 4 })
        const rows = await worker.listWaiting(3)
        for (const connectionId of ['con_1', 'con_2']) {
          const seqs = rows.filter((row) => row.connectionId === connectionId).map((row) => row.seq)
          expect(seqs).toEqual([1, 2, 3, 4, 5, 6])
        }
        expect(rows).toHaveLength(12)
      })

      test('several are read at once, those that exist', async () => {
        const rows = [await waiting(), await waiting()]
        const other = await waiting({ connectionId: 'con_2' })
        const ids = [...rows, other].map(({ messageId }) => messageId)
        expect(await worker.getOutbounds(ref, [...ids, 'msg_unknown'])).toEqual(
          new Map(rows.map((row) => [row.messageId, row])),
        )
        const whatsappIds = [...rows, other].map(({ whatsappId }) => whatsappId)
        // A predecessor is named twice where its place was taken twice.
        expect(await worker.getByWhatsappIds(ref, [...whatsappIds, 'unknown', ...whatsappIds])).toEqual(
          new Map(rows.map((row) => [row.whatsappId, row])),
        )
        expect((await worker.getOutbounds(ref, [...ids, ...ids])).size).toBe(rows.length)
      })

      test('a note is set, cleared, and goes when waiting ends', async () => {
        const row = await waiting()
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
    })

    describe('holding', () => {
      const note = (row: OutboundRow, claims?: number, epoch = 1) =>
        worker.note(ref, row.whatsappId, epoch, 'It waits.', at(1), claims)
      const claim = (row: OutboundRow, epoch = 1) => worker.claim(ref, row.whatsappId, epoch, at(2))

      test('a held send is taken out before it leaves; a hold that lands late does not meet the count', async () => {
        const row = await waiting()
        await note(row)
        expect(await stored(row)).not.toHaveProperty('heldAt')
        await note(row, 0)
        expect(await stored(row)).toMatchObject({ heldAt: at(1), note: 'It waits.' })
        expect(await claim(row)).toEqual({ kind: 'claimed', claims: 1 })
        expect(await stored(row)).not.toHaveProperty('heldAt')
        expect(await stored(row)).not.toHaveProperty('note')
        await note(row, 0)
        expect(await stored(row)).not.toHaveProperty('heldAt')
        await note(row, 1)
        expect(await stored(row)).toMatchObject({ heldAt: at(1), claims: 1 })
        expect(await claim(row, 2)).toEqual({ kind: 'claimed', claims: 2 })
      })

      test('what ended is not taken out, nor by an earlier owner', async () => {
        const row = await waiting({ heldAt: at(0) })
        expect(await claim(row, 3)).toMatchObject({ kind: 'claimed' })
        expect(await claim(row, 2)).toEqual({ kind: 'fenced' })
        await step(row, failure('expired'), 3)
        expect(await claim(row, 3)).toEqual({ kind: 'ended' })
        expect(await worker.claim(ref, ids.whatsappIdOf('msg_unknown'), 1, at(1))).toEqual({ kind: 'gone' })
      })
    })

    describe('new chats', () => {
      test('a chat is known once something arrived in it, either way', async () => {
        const row = await waiting()
        expect(await worker.isKnownChat(ref, row.chat)).toBe(false)
        await step(row, failure('rejected_by_whatsapp'))
        expect(await worker.isKnownChat(ref, row.chat)).toBe(false)
        const second = await waiting()
        await step(second, { status: 'sent', at: at(1) })
        expect(await worker.isKnownChat(ref, row.chat)).toBe(true)
        const other = { ...received(), chat: '4915112345678@s.whatsapp.net' }
        expect(await worker.isKnownChat(ref, other.chat)).toBe(false)
        await worker.putInbound(other)
        expect(await worker.isKnownChat(ref, other.chat)).toBe(true)
        expect(await worker.isKnownChat({ ...ref, connectionId: 'con_2' }, other.chat)).toBe(false)
      })

      test('count once a day and connection, up to the limit', async () => {
        const admit = (chat: string, day = '2026-01-31', connectionId = ref.connectionId) =>
          worker.admitNewChat({ ...ref, connectionId }, chat, { day, max: 2, nowMs: Date.parse(at(0)) })
        expect(await Promise.all(['a', 'a', 'b'].map((chat) => admit(chat)))).toEqual([true, true, true])
        expect(await admit('c')).toBe(false)
        expect(await admit('a')).toBe(true)
        expect(await admit('c', '2026-02-01')).toBe(true)
        expect(await admit('c', '2026-01-31', 'con_2')).toBe(true)
        expect(await worker.admitNewChat(ref, 'a', { day: '2026-03-01', max: 0, nowMs: 0 })).toBe(false)
      })
    })

    describe('steps', () => {
      test('lead from queued to played, each with its time, epoch and version', async () => {
        const row = await waiting()
        const steps = ['sent', 'delivered', 'read', 'played'] as const
        for (const [i, status] of steps.entries()) {
          expect(await step(row, { status, at: at(i) }, i + 1)).toEqual({ kind: 'written' })
          expect(await stored(row)).toMatchObject({ status, [`${status}At`]: at(i), epoch: i + 1, version: i + 2 })
        }
        expect(await stored(row)).toMatchObject({ sentAt: at(0), deliveredAt: at(1), readAt: at(2), playedAt: at(3) })
        expect(await stored(row)).not.toHaveProperty('waitingPartition')
      })

      test('that were told together are stored in one write, each with its time and a version', async () => {
        const row = await waiting()
        const sent = { status: 'sent', at: at(1) } as const
        const delivered = { status: 'delivered', at: at(2) } as const
        const together: SendStep = { status: 'read', at: at(3), earlier: [sent, delivered] }
        expect(await step(row, together)).toEqual({ kind: 'written' })
        const read = await stored(row)
        expect(read).toMatchObject({
          status: 'read',
          sentAt: at(1),
          deliveredAt: at(2),
          readAt: at(3),
          updatedAt: at(3),
          version: 4,
        })
        expect(read).not.toHaveProperty('waitingPartition')
        expect(await step(row, together)).toEqual({ kind: 'stale' })
        expect(await stored(row)).toEqual(read)
      })

      test('that were told together keep the times that are there', async () => {
        const row = await waiting()
        await step(row, { status: 'sent', at: at(1) })
        const again = { status: 'sent', at: at(2) } as const
        expect(await step(row, { status: 'delivered', at: at(3), earlier: [again] })).toEqual({ kind: 'written' })
        expect(await stored(row)).toMatchObject({ status: 'delivered', sentAt: at(1), deliveredAt: at(3) })
      })

      test('may be left out, from waiting too', async () => {
        const row = await waiting()
        expect(await step(row, { status: 'read', at: at(1) })).toEqual({ kind: 'written' })
        expect(await worker.listWaiting(3)).toEqual([])
        expect(await step(row, { status: 'delivered', at: at(2) })).toEqual({ kind: 'stale' })
        expect(await step(row, { status: 'sent', at: at(2) })).toEqual({ kind: 'stale' })
        expect(await stored(row)).toMatchObject({ status: 'read', version: 2 })
      })

      test('are applied once', async () => {
        const row = await waiting()
        await step(row, { status: 'sent', at: at(1) })
        expect(await step(row, { status: 'sent', at: at(2) })).toEqual({ kind: 'stale' })
        expect(await stored(row)).toMatchObject({ sentAt: at(1), version: 2 })
      })

      test('of an older owner are fenced, those to a row that is not there create none', async () => {
        const row = await waiting()
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
        const row = await waiting()
        const error = { code: 'rejected_by_whatsapp', message: 'Refused.', whatsappCode: '463' } as const
        expect(await step(row, { status: 'failed', at: at(1), error })).toEqual({ kind: 'written' })
        expect(await stored(row)).toMatchObject({ status: 'failed', error, failedAt: at(1) })
        expect(await worker.listWaiting(3)).toEqual([])
      })

      for (const code of ['unconfirmed', 'expired'] as const) {
        for (const status of ['sent', 'delivered', 'read', 'played'] as const) {
          test(`failed / ${code} is overridden by ${status}`, async () => {
            const row = await waiting()
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
          const row = await waiting()
          await step(row, failure(code))
          expect(await step(row, { status: 'delivered', at: at(2) })).toEqual({ kind: 'stale' })
          expect(await step(row, { status: 'sent', at: at(2) })).toEqual({ kind: 'stale' })
          expect(await step(row, failure('unconfirmed'))).toEqual({ kind: 'stale' })
          expect(await stored(row)).toMatchObject({ status: 'failed', error: { code } })
        })
      }

      test('from every status to every other are decided as `message-status.ts` decides', async () => {
        const failures = sendErrorCodes.map(
          (code) => ({ status: 'failed', error: { code, message: 'Failed.' } }) as const,
        )
        const positions = [
          ...(['queued', 'sent', 'delivered', 'read', 'played'] as const).map((status) => ({ status })),
          ...failures,
        ]
        const steps: SendStep[] = [
          ...(['sent', 'delivered', 'read', 'played'] as const).map((status) => ({ status, at: at(5) })),
          ...failures.map((failed) => ({ ...failed, at: at(5) })),
        ]
        const atOnce = 10
        const decisions = positions.flatMap((position) => steps.map((what) => ({ position, what })))
        const decided = async ({ position, what }: (typeof decisions)[number]) => {
          const row = await waiting({
            ...position,
            waitingPartition: position.status === 'queued' ? 3 : undefined,
          })
          return { position, what, kind: (await step(row, what)).kind, row: await stored(row) }
        }
        // A few at a time: a write that is late is tried again, and where the first had landed the second is stale.
        const outcomes: Awaited<ReturnType<typeof decided>>[] = []
        for (let from = 0; from < decisions.length; from += atOnce) {
          outcomes.push(...(await Promise.all(decisions.slice(from, from + atOnce).map(decided))))
        }
        for (const { position, what, kind, row } of outcomes) {
          const forward = canStep(position, what)
          expect({ position, what, kind }).toEqual({ position, what, kind: forward ? 'written' : 'stale' })
          const { status, error } = forward ? { error: undefined, ...what } : { error: undefined, ...position }
          expect({ position, what, status: row?.status, error: row?.error }).toEqual({ position, what, status, error })
          expect(row?.waitingPartition).toBe(status === 'queued' ? 3 : undefined)
        }
      })

      test('our own timeout never undoes an ack', async () => {
        const row = await waiting()
        await step(row, { status: 'sent', at: at(1) })
        expect(await step(row, failure('unconfirmed'))).toEqual({ kind: 'stale' })
        expect(await stored(row)).toMatchObject({ status: 'sent' })
      })
    })

    describe('receipts of members of a group', () => {
      const ada = { phoneNumber: '+94771111111', lid: '777@lid' }
      const bob = { lid: '888@lid' }
      const tell = (row: OutboundRow, participant: Participant, step: ReceiptStep, second: number, epoch = 1) =>
        worker.receipt(row, row.whatsappId, epoch, { participant, step, at: at(second) })
      async function sent(): Promise<OutboundRow> {
        const row = await waiting({ chat: '120363001234567890@g.us' })
        await step(row, { status: 'sent', at: at(1) })
        return row
      }

      test('are counted once each; the status is as far as the first member', async () => {
        const row = await sent()
        expect(await tell(row, ada, 'delivered', 2)).toEqual({ kind: 'written' })
        expect(await tell(row, ada, 'delivered', 3)).toEqual({ kind: 'stale' })
        expect(await stored(row)).toMatchObject({
          status: 'delivered',
          deliveredAt: at(2),
          receipts: { delivered: 1, read: 0, played: 0 },
          version: 3,
        })
        expect(await tell(row, bob, 'read', 4)).toEqual({ kind: 'written' })
        expect(await tell(row, bob, 'delivered', 5)).toEqual({ kind: 'written' })
        expect(await tell(row, ada, 'read', 6)).toEqual({ kind: 'written' })
        expect(await stored(row)).toMatchObject({
          status: 'read',
          readAt: at(4),
          updatedAt: at(6),
          receipts: { delivered: 2, read: 2, played: 0 },
        })
      })

      test('a member who is told of by either id is one', async () => {
        const row = await sent()
        await tell(row, { phoneNumber: ada.phoneNumber }, 'delivered', 2)
        expect(await tell(row, ada, 'delivered', 3)).toEqual({ kind: 'stale' })
        await tell(row, ada, 'read', 4)
        expect(await stored(row)).toMatchObject({ receipts: { delivered: 1, read: 1, played: 0 } })
        expect(await side.receipts(row)).toEqual([{ participant: ada, deliveredAt: at(2), readAt: at(4) }])
      })

      test('told at the same time, all are counted', async () => {
        const row = await sent()
        const members = Array.from({ length: 5 }, (_, i) => ({ lid: `${i}@lid` }))
        await Promise.all(members.map((member) => tell(row, member, 'delivered', 2)))
        expect(await stored(row)).toMatchObject({ receipts: { delivered: 5, read: 0, played: 0 } })
        expect(await side.receipts(row)).toHaveLength(5)
      })

      test('a receipt is an ack as well, and an old owner writes none', async () => {
        const row = await waiting({ chat: '120363001234567890@g.us' })
        expect(await tell(row, ada, 'delivered', 2)).toEqual({ kind: 'written' })
        expect(await stored(row)).toMatchObject({ status: 'delivered', receipts: { delivered: 1 } })
        expect(await stored(row)).not.toHaveProperty('waitingPartition')
        await step(row, { status: 'read', at: at(3) }, 3)
        expect(await tell(row, bob, 'delivered', 4, 2)).toEqual({ kind: 'fenced' })
        expect(await tell({ ...row, whatsappId: 'unknown' }, bob, 'delivered', 4)).toEqual({ kind: 'gone' })
        expect(await side.receipts(row)).toHaveLength(1)
      })
    })

    describe('received messages', () => {
      test('are stored once, however often WhatsApp delivers them', async () => {
        expect(await worker.putInbound(received())).toEqual({ kind: 'created' })
        expect(await worker.putInbound(received({ receivedAt: at(9) }))).toEqual({ kind: 'exists' })
        expect(await side.inbound(received())).toEqual(received())
      })

      test('are no sends', async () => {
        await worker.putInbound(received())
        expect(await worker.getOutbounds(ref, [received().messageId])).toEqual(new Map())
        expect(await worker.getOutbound(ref, received().messageId)).toBeUndefined()
        expect(await worker.getByWhatsappId(ref, received().whatsappId)).toBeUndefined()
        expect(await worker.getByWhatsappIds(ref, [received().whatsappId])).toEqual(new Map())
      })
    })
  })
}
