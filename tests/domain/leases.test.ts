import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decideLease,
  elapsedMs,
  emptyMemory,
  type FleetMemory,
  isLeaseValid,
  type LeaseQuestion,
  leaseRemainingMs,
  leaseTermProblems,
  observe,
  standingOf,
} from '../../shared/domain/leases.ts'
import type { FleetView, PartitionRow, WorkerRow } from '../../shared/domain/stores/fleet.ts'

const terms = { leaseMs: 12_000, marginMs: 2_000, renewMs: 3_000 }

describe('the deadline', () => {
  const stamp = { monotonic: 1_000, wall: 50_000 }
  const table: [string, { monotonic: number; wall: number }, number][] = [
    ['both clocks run', { monotonic: 4_000, wall: 53_000 }, 3_000],
    ['the machine was suspended: its monotonic clock stood still', { monotonic: 1_100, wall: 80_000 }, 30_000],
    ['the wall clock was set back', { monotonic: 5_000, wall: 10_000 }, 4_000],
    ['the wall clock was set forward', { monotonic: 2_000, wall: 60_000 }, 10_000],
  ]
  test.each(table)('%s', (_, now, elapsed) => {
    expect(elapsedMs(stamp, now)).toBe(elapsed)
    expect(leaseRemainingMs(stamp, now, terms)).toBe(10_000 - elapsed)
    expect(isLeaseValid(stamp, now, terms)).toBe(elapsed < 10_000)
  })

  test('without a confirmed renewal there is no lease', () => {
    expect(isLeaseValid(undefined, stamp, terms)).toBe(false)
  })

  test('terms that leave no room are named', () => {
    expect(leaseTermProblems(terms)).toEqual([])
    expect(leaseTermProblems({ ...terms, renewMs: 4_001 })).toEqual(['renewMs must be at most a third of leaseMs'])
    expect(leaseTermProblems({ ...terms, marginMs: 6_000 })).toEqual(['marginMs must be less than half of leaseMs'])
  })
})

describe('sightings', () => {
  test('a counter stands still from the answer that first showed it to the question that showed it last', () => {
    let memory = look(emptyMemory, viewOf([worker('a', 5)]), 0, 900)
    memory = look(memory, viewOf([worker('a', 5)]), 12_800, 13_500)
    expect(standingOf('a', worker('a', 5), memory, 12_800, terms)).toEqual({ kind: 'alive', stoodStillMs: 11_900 })
    expect(standingOf('a', worker('a', 5), memory, 12_900, terms)).toMatchObject({ kind: 'silent', counterSeen: 5 })
  })

  test('a counter that moved starts anew', () => {
    let memory = look(emptyMemory, viewOf([worker('a', 5)]), 0, 0)
    memory = look(memory, viewOf([worker('a', 6)]), 11_000, 11_000)
    expect(standingOf('a', worker('a', 6), memory, 20_000, terms).kind).toBe('alive')
  })

  test('an owner without a row is waited out like a silent one', () => {
    const view: FleetView = { workers: [], partitions: [partition({ owner: 'ghost', epoch: 3 })] }
    const memory = look(look(emptyMemory, view, 0, 0), view, 12_000, 12_000)
    expect(standingOf('ghost', undefined, memory, 11_000, terms).kind).toBe('alive')
    expect(standingOf('ghost', undefined, memory, 12_000, terms).kind).toBe('silent')
  })

  test('one that its row calls dead is dead from the first look', () => {
    const dead = { ...worker('a', 5), state: 'dead' as const }
    const memory = look(emptyMemory, viewOf([dead]), 0, 0)
    expect(standingOf('a', dead, memory, 100, terms)).toEqual({ kind: 'dead', counterSeen: 5, deadForMs: 100 })
  })
})

describe('what a partition row means', () => {
  const alive = { kind: 'alive', stoodStillMs: 0 } as const
  const table: [string, Partial<LeaseQuestion>, object][] = [
    ['mine, as held', { row: partition({ owner: 'me', epoch: 4 }), heldEpoch: 4 }, { kind: 'hold' }],
    ['a look older than my take', { row: partition({ owner: 'b', epoch: 3 }), heldEpoch: 4 }, { kind: 'hold' }],
    ['another took it', { row: partition({ owner: 'b', epoch: 5 }), heldEpoch: 4 }, { kind: 'lost' }],
    ['another at my epoch', { row: partition({ owner: 'b', epoch: 4 }), heldEpoch: 4 }, { kind: 'lost' }],
    ['nobody at my epoch', { row: partition({ epoch: 4 }), heldEpoch: 4 }, { kind: 'lost' }],
    ['mine, not held', { row: partition({ owner: 'me', epoch: 4 }) }, { kind: 'retake' }],
    ['a living owner', { row: partition({ owner: 'b' }), owner: alive }, { kind: 'owned', by: 'b' }],
    [
      'a silent owner',
      { row: partition({ owner: 'b' }), owner: { kind: 'silent', counterSeen: 7, stoodStillMs: 12_500 } },
      { kind: 'free', previousOwner: { workerId: 'b', counterSeen: 7 }, sinceMs: 500 },
    ],
    [
      'a dead owner',
      { row: partition({ owner: 'b' }), owner: { kind: 'dead', counterSeen: 7, deadForMs: 100 } },
      { kind: 'free', previousOwner: { workerId: 'b', counterSeen: 7 }, sinceMs: 100 },
    ],
    ['never owned', { row: partition({}) }, { kind: 'free', sinceMs: 0 }],
    ['granted to me', { row: partition({ grant: { to: 'me', grantId: 'g' } }) }, { kind: 'claim', grantId: 'g' }],
    ['offered to anyone', { row: partition({ grant: { grantId: 'g' } }) }, { kind: 'claim', grantId: 'g' }],
    [
      'granted to another just now',
      {
        row: partition({ grant: { to: 'b', grantId: 'g' } }),
        ownerless: { epoch: 0, grantId: 'g', since: 0 },
        askedAt: 2_999,
      },
      { kind: 'promised', to: 'b' },
    ],
    [
      'granted to another who did not claim it in time',
      {
        row: partition({ grant: { to: 'b', grantId: 'g' } }),
        ownerless: { epoch: 0, grantId: 'g', since: 0 },
        askedAt: 3_000,
      },
      { kind: 'free', sinceMs: 0 },
    ],
  ]
  test.each(table)('%s', (_, question, decision) => {
    const asked: LeaseQuestion = {
      self: 'me',
      row: partition({}),
      heldEpoch: undefined,
      owner: undefined,
      ownerless: undefined,
      askedAt: 0,
      terms,
      ...question,
    }
    expect(decideLease(asked)).toEqual(decision)
  })
})

/**
 * The claim that everything rests on. A holder renews (or tries to: requests get lost, late, or answered late) on its clock, an
 * observer looks on its own; rates differ by up to 5 % either way. When the observer takes, the holder's deadline is past.
 */
test('with clocks that differ by five per cent either way, a partition is never taken before its holder stopped', () => {
  const rate = fc.constantFrom(0.95, 0.98, 1, 1.02, 1.05)
  /** Mostly at once, now and then slow. */
  const delay = (max: number) =>
    fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 20 }) }, fc.integer({ min: 0, max }))
  const renewals = fc.array(
    fc.record({
      gap: fc.integer({ min: 100, max: 6_000 }),
      toStore: delay(8_000),
      back: delay(8_000),
      lost: fc.boolean(),
    }),
    { maxLength: 4 },
  )
  const looks = fc.array(
    fc.record({ gap: fc.integer({ min: 50, max: 1_000 }), there: delay(3_000), back: delay(3_000) }),
    {
      minLength: 60,
      maxLength: 80,
    },
  )
  fc.assert(
    fc.property(rate, rate, renewals, looks, delay(3_000), (holderRate, observerRate, sent, looked, takeDelay) => {
      let at = 0
      const writes = sent.map((renewal, index) => {
        at += renewal.gap
        return {
          counter: index + 1,
          stampedAt: at,
          storedAt: at + renewal.toStore,
          confirmedAt: renewal.lost ? Number.POSITIVE_INFINITY : at + renewal.toStore + renewal.back,
        }
      })
      const counterAt = (time: number) =>
        Math.max(0, ...writes.filter((write) => write.storedAt <= time).map((write) => write.counter))
      // The first registration counts as a renewal at time 0.
      const confirmedStampAt = (time: number) =>
        Math.max(0, ...writes.filter((write) => write.confirmedAt <= time).map((write) => write.stampedAt))

      let memory: FleetMemory = emptyMemory
      let time = 0
      for (const { gap, there, back } of looked) {
        const askedAt = time + gap
        const counter = counterAt(askedAt + there)
        const view = viewOf([worker('a', counter)])
        memory = look(memory, view, askedAt * observerRate, (askedAt + there + back) * observerRate)
        time = askedAt + there + back
        const standing = standingOf('a', worker('a', counter), memory, askedAt * observerRate, terms)
        if (standing.kind !== 'silent') continue
        const takenAt = time + takeDelay
        // The take's own condition: the counter has still not moved. A take refuses renewals that arrive after it.
        if (counterAt(takenAt) !== standing.counterSeen) continue
        const stamp = { monotonic: confirmedStampAt(takenAt) * holderRate, wall: 0 }
        const now = { monotonic: takenAt * holderRate, wall: 0 }
        expect(isLeaseValid(stamp, now, terms)).toBe(false)
        return
      }
    }),
    { numRuns: 2_000 },
  )
})

function look(memory: FleetMemory, view: FleetView, askedAt: number, answeredAt: number): FleetMemory {
  return observe(memory, view, { askedAt, answeredAt })
}

function viewOf(workers: WorkerRow[]): FleetView {
  return { workers, partitions: [] }
}

function worker(workerId: string, counter: number): WorkerRow {
  return {
    workerId,
    counter,
    state: 'live',
    taskArn: '',
    deployment: '1',
    maxConnections: 100,
    connections: 0,
    startedAt: '',
  }
}

function partition(row: Partial<PartitionRow>): PartitionRow {
  return { partition: 0, epoch: 0, connections: 0, ...row }
}
