import { beforeEach, describe, expect, test } from 'vitest'
import type { Doorbell, DoorbellQueue, DoorbellRinger, ReceivedDoorbell } from '../../shared/domain/stores/doorbell.ts'
import type { Gesture } from '../../shared/domain/words.ts'

export interface DoorbellParts {
  readonly ringer: DoorbellRinger
  readonly queue: DoorbellQueue
  /** Posts a text that no ringer wrote. */
  post(partition: number, body: string): Promise<void>
  /** What was put aside, with its reason. */
  rejected(): Promise<readonly { readonly body: string; readonly reason?: string }[]>
}

/** What the doorbells of a partition must do; `fresh` gives empty queues of partitions 0 and 1. */
export function doorbellContract(name: string, fresh: () => Promise<DoorbellParts>): void {
  describe(`doorbells: ${name}`, () => {
    let parts: DoorbellParts
    let ringer: DoorbellRinger
    let queue: DoorbellQueue

    beforeEach(async () => {
      parts = await fresh()
      ;({ ringer, queue } = parts)
    })

    /** One poll that brings something. */
    async function poll(partition = 0): Promise<readonly ReceivedDoorbell[]> {
      for (;;) {
        const received = await queue.receive(partition, 2)
        if (received.length > 0) return received
      }
    }
    const receipts = (received: readonly ReceivedDoorbell[]) => received.map((one) => one.receipt)
    const doorbells = (received: readonly ReceivedDoorbell[]) => received.map((one) => one.doorbell)

    /** Receives and settles, poll after poll, as a worker does: how many of a group a poll brings is the queue's business. */
    async function work(count: number, partition = 0): Promise<(Doorbell | undefined)[]> {
      const seen: (Doorbell | undefined)[] = []
      while (seen.length < count) {
        const received = await poll(partition)
        seen.push(...doorbells(received))
        await queue.done(partition, receipts(received))
      }
      return seen
    }

    test('what was rung is received, sends of a connection in order', async () => {
      const rung = ['msg_1', 'msg_2', 'msg_3'].map((messageId) => send(messageId))
      for (const doorbell of rung) await ringer.ring(0, doorbell)
      expect(await work(3)).toEqual(rung)
    })

    test('a command is received as it was rung', async () => {
      await ringer.ring(0, command('cmd_1'))
      expect(await work(1)).toEqual([command('cmd_1')])
    })

    test('gestures are received as they were rung', async () => {
      const read = gesture('g_1', { kind: 'read', messageId: 'wam_1' })
      const typing = gesture('g_2', { kind: 'presence', chat: '1@s.whatsapp.net', presence: 'typing' })
      for (const rung of [read, typing]) await ringer.ring(0, rung)
      expect(await work(2)).toEqual([read, typing])
    })

    test("a command overtakes a connection's sends that were received and not settled", async () => {
      await ringer.ring(0, send('msg_1'))
      await poll()
      await ringer.ring(0, send('msg_2'))
      await ringer.ring(0, command('cmd_1'))
      expect(doorbells(await queue.receive(0, 1))).toEqual([command('cmd_1')])
    })

    test('partitions do not hear of one another', async () => {
      await ringer.ring(1, send('msg_1'))
      expect(await queue.receive(0, 0)).toEqual([])
      expect(await work(1, 1)).toEqual([send('msg_1')])
    })

    test('the same ring twice is heard once, a new generation again', async () => {
      await ringer.ring(0, send('msg_1', 0))
      await ringer.ring(0, send('msg_1', 0))
      await ringer.ring(0, send('msg_1', 1))
      expect(await work(2)).toEqual([send('msg_1', 0), send('msg_1', 1)])
      expect(await queue.receive(0, 0)).toEqual([])
    })

    test('what is settled does not come back and lets the next ones through', async () => {
      for (let i = 0; i < 25; i++) await ringer.ring(0, send(`msg_${i}`))
      expect(await work(25)).toEqual(Array.from({ length: 25 }, (_, i) => send(`msg_${i}`)))
      expect(await queue.receive(0, 0)).toEqual([])
    })

    test('more than a batch is settled in one call', async () => {
      for (let i = 0; i < 12; i++) await ringer.ring(0, send('msg_1', i, `con_${i}`))
      const received: ReceivedDoorbell[] = []
      while (received.length < 12) received.push(...(await poll()))
      await queue.done(0, receipts(received))
      expect(await queue.receive(0, 0)).toEqual([])
    })

    test('what is handed back comes again at once, in order', async () => {
      const rung = ['msg_1', 'msg_2', 'msg_3'].map((messageId) => send(messageId))
      for (const doorbell of rung) await ringer.ring(0, doorbell)
      await queue.handBack(0, receipts(await poll()))
      expect(await work(3)).toEqual(rung)
    })

    test('settling twice, or nothing, is no failure', async () => {
      await ringer.ring(0, send('msg_1'))
      const received = await poll()
      await queue.done(0, receipts(received))
      await queue.done(0, receipts(received))
      await queue.done(0, [])
    })

    test.each([
      ['not JSON', 'body'],
      ['[]', 'body'],
      ['{"kind":"send","businessProfileId":"bp_1","connectionId":"con_1","generation":0}', 'messageId'],
      [
        '{"kind":"command","businessProfileId":"bp_1","connectionId":"con_1","command":"dance","commandId":"c"}',
        'command',
      ],
      ['{"kind":"wave"}', 'kind'],
    ])('a malformed body names what is wrong: %s', async (body, field) => {
      await parts.post(0, body)
      const [received] = await poll()
      expect(received).toMatchObject({ body })
      expect(received?.doorbell).toBeUndefined()
      expect(received?.problem).toContain(field)
    })

    test('what a newer ringer says besides is no mistake', async () => {
      await parts.post(0, JSON.stringify({ ...send('msg_1'), priority: 'high' }))
      expect(await work(1)).toEqual([send('msg_1')])
    })

    test('a malformed one is put aside with its reason, and blocks nothing', async () => {
      await parts.post(0, 'not JSON')
      const [malformed] = await poll()
      await queue.reject(0, malformed!)
      await ringer.ring(0, send('msg_1'))
      expect(await work(1)).toEqual([send('msg_1')])
      expect(await parts.rejected()).toEqual([{ body: 'not JSON', reason: malformed?.problem }])
    })
  })
}

const send = (messageId: string, generation = 0, connectionId = 'con_1'): Doorbell => ({
  kind: 'send',
  businessProfileId: 'bp_1',
  connectionId,
  messageId,
  generation,
})

const gesture = (gestureId: string, what: Gesture): Doorbell => ({
  kind: 'gesture',
  businessProfileId: 'bp_1',
  connectionId: 'con_1',
  gestureId,
  gesture: what,
})

const command = (commandId: string): Doorbell => ({
  kind: 'command',
  businessProfileId: 'bp_1',
  connectionId: 'con_1',
  command: 'restart',
  commandId,
})
