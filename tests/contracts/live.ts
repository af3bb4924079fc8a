import { beforeEach, describe, expect, test } from 'vitest'
import type { LiveStore, Subscription } from '../../shared/aws/live.ts'
import type { LiveChanges } from '../../shared/aws/live-changes.ts'

/** What a store of tickets and sockets must do; `fresh` gives an empty one. */
export function liveStoreContract(name: string, fresh: () => Promise<LiveStore>): void {
  describe(`live store: ${name}`, () => {
    let live: LiveStore

    beforeEach(async () => {
      live = await fresh()
    })

    async function connected(socketId = 'socket-1', businessProfileId = 'bp_1'): Promise<Subscription> {
      const ticket = await live.createTicket(businessProfileId, at(60))
      const outcome = await live.spendTicket(ticket, socketId, at(0))
      if (outcome.kind !== 'spent') throw new Error(`expected spent, got ${outcome.kind}`)
      return outcome.subscription
    }

    test('a ticket opens one socket, which hears everything of its business profile', async () => {
      const subscription = await connected()
      expect(subscription).toMatchObject({
        businessProfileId: 'bp_1',
        socketId: 'socket-1',
        interest: { kind: 'all' },
        version: 1,
        connectedAt: at(0),
      })
      expect(await live.subscriptionsOf('bp_1')).toEqual([subscription])
      expect(await live.subscriptionOf('socket-1')).toEqual(subscription)
      expect(await live.subscriptionsOf('bp_2')).toEqual([])
    })

    test('a ticket is spent with what the socket wants to hear of, and since when', async () => {
      const interest = { kind: 'connections', connectionIds: ['con_1'] } as const
      const outcome = await live.spendTicket(await live.createTicket('bp_1', at(60)), 'socket-1', at(0), {
        interest,
        since: at(-9),
      })
      expect(outcome).toMatchObject({ kind: 'spent', subscription: { interest, since: at(-9), version: 1 } })
      expect(await live.subscriptionsOf('bp_1')).toMatchObject([{ interest, since: at(-9) }])
    })

    test('a ticket is spent once, by however many at the same time', async () => {
      const ticket = await live.createTicket('bp_1', at(60))
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, (_, i) => live.spendTicket(ticket, `socket-${i}`, at(1))),
      )
      expect(outcomes.filter((outcome) => outcome.kind === 'spent')).toHaveLength(1)
      expect(await live.subscriptionsOf('bp_1')).toHaveLength(1)
      expect(await live.spendTicket(ticket, 'socket-9', at(2))).toEqual({ kind: 'refused' })
    })

    test('a ticket past its time is refused, and so is one that nobody gave out', async () => {
      const ticket = await live.createTicket('bp_1', at(60))
      expect(await live.spendTicket(ticket, 'socket-1', at(60))).toEqual({ kind: 'refused' })
      expect(await live.spendTicket('lt_forged', 'socket-1', at(0))).toEqual({ kind: 'refused' })
      expect(await live.spendTicket('', 'socket-1', at(0))).toEqual({ kind: 'refused' })
      expect(await live.subscriptionsOf('bp_1')).toEqual([])
      expect(await live.subscriptionOf('socket-1')).toBeUndefined()
    })

    test("sockets of a business profile are all found, and no other's", async () => {
      for (let i = 0; i < 5; i++) await connected(`socket-${i}`)
      await connected('socket-x', 'bp_2')
      const ids = (await live.subscriptionsOf('bp_1')).map((one) => one.socketId).sort()
      expect(ids).toEqual(['socket-0', 'socket-1', 'socket-2', 'socket-3', 'socket-4'])
    })

    test('a change of interest raises the version', async () => {
      const before = await connected()
      const interest = { kind: 'connections', connectionIds: ['con_1', 'con_2'] } as const
      const changed = await live.changeInterest(before, interest, at(5))
      const after = { ...before, interest, version: 2, lastSeenAt: at(5) }
      expect(changed).toEqual({ kind: 'changed', subscription: after })
      expect(await live.subscriptionsOf('bp_1')).toEqual([after])
    })

    test('of two changes from the same state one is told to read again', async () => {
      const before = await connected()
      const outcomes = await Promise.all([
        live.changeInterest(before, { kind: 'connections', connectionIds: ['con_1'] }, at(1)),
        live.changeInterest(before, { kind: 'connections', connectionIds: ['con_2'] }, at(1)),
      ])
      expect(outcomes.map((outcome) => outcome.kind).sort()).toEqual(['changed', 'moved'])
      expect((await live.subscriptionOf('socket-1'))?.version).toBe(2)
    })

    test('a touch says only that it is still there', async () => {
      const before = await connected()
      await live.touch(before, at(9))
      expect(await live.subscriptionOf('socket-1')).toEqual({ ...before, lastSeenAt: at(9) })
    })

    test('a removed socket is gone from both sides and does not come back', async () => {
      const before = await connected()
      const other = await connected('socket-2')
      await live.removeSocket('socket-1')
      await live.touch(before, at(9))
      expect(await live.changeInterest(before, { kind: 'all' }, at(9))).toEqual({ kind: 'gone' })
      expect(await live.subscriptionOf('socket-1')).toBeUndefined()
      expect(await live.subscriptionsOf('bp_1')).toEqual([other])
      await live.removeSocket('socket-1')
      await live.removeSocket('socket-2', 'bp_1')
      expect(await live.subscriptionsOf('bp_1')).toEqual([])
      expect(await live.subscriptionOf('socket-2')).toBeUndefined()
    })
  })
}

/** What notes of changed messages must do; `fresh` gives an empty one. */
export function liveChangesContract(name: string, fresh: () => Promise<LiveChanges>): void {
  describe(`changes for clients that come back: ${name}`, () => {
    const message = (n: number, connectionId = 'con_1') => ({ connectionId, messageId: `msg_${n}` })
    const ms = (second: number) => Date.parse(at(second))

    test('what was noted since then, each once, in the order of its last change', async () => {
      const changes = await fresh()
      await changes.note('bp_1', [message(1), message(2)], ms(1), 60_000)
      await changes.note('bp_1', [message(3, 'con_2'), message(1)], ms(2), 60_000)
      await changes.note('bp_2', [message(4)], ms(2), 60_000)
      expect(await changes.since('bp_1', ms(0))).toEqual([message(2), message(3, 'con_2'), message(1)])
      expect(await changes.since('bp_1', ms(2))).toEqual([message(3, 'con_2'), message(1)])
      expect(await changes.since('bp_1', ms(3))).toEqual([])
    })

    test('notes of the same time do not take the place of each other, and one may be long', async () => {
      const changes = await fresh()
      const many = Array.from({ length: 1_500 }, (_, n) => message(n))
      await Promise.all([many.slice(0, 700), many.slice(700)].map((part) => changes.note('bp_1', part, ms(1), 60_000)))
      const found = await changes.since('bp_1', ms(1))
      expect(new Set(found.map(({ messageId }) => messageId)).size).toBe(1_500)
    })
  })
}

const at = (second: number): string => new Date(Date.UTC(2026, 0, 31, 12, 0, second)).toISOString()
