import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LeaseDecision } from '../../shared/domain/leases.ts'
import {
  chooseGrant,
  chooseHeir,
  chooseRequest,
  gainOfMove,
  type Load,
  type PlacedPartition,
  planFree,
  weightOf,
} from '../../shared/domain/placement.ts'

const free = { kind: 'free', sinceMs: 0 } as const
const patienceMs = 3_000

describe('what is free', () => {
  test('workers that see the same fleet deal the same partitions to the same workers, each to one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 64 }),
        fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 6 }),
        (connections, names) => {
          const partitions = connections.map((count, id) => placed(id, count, free))
          const loads = names.map((name) => load(name))
          const taken = names.flatMap((name) =>
            planFree(name, partitions, loads, patienceMs).take.map(({ row }) => row.partition),
          )
          expect(taken.toSorted((a, b) => a - b)).toEqual(connections.map((_, id) => id))
        },
      ),
    )
  })

  test('empty partitions are spread evenly', () => {
    const partitions = Array.from({ length: 16 }, (_, id) => placed(id, 0, free))
    const loads = ['a', 'b', 'c'].map((name) => load(name))
    const counts = loads.map(({ workerId }) => planFree(workerId, partitions, loads, patienceMs).take.length)
    expect(counts.toSorted()).toEqual([5, 5, 6])
  })

  test('the newest deployment has precedence while it has room', () => {
    const partitions = [placed(0, 10, free), placed(1, 10, free)]
    const loads = [load('old', { deployment: '1' }), load('new', { deployment: '2', maxConnections: 15 })]
    expect(takes('new', partitions, loads)).toEqual([0])
    expect(takes('old', partitions, loads)).toEqual([1])
  })

  test('beyond every limit nobody takes, and it is said', () => {
    const partitions = [placed(0, 10, free), placed(1, 10, free)]
    const plan = planFree('a', partitions, [load('a', { maxConnections: 10 })], patienceMs)
    expect(plan.take.map(({ row }) => row.partition)).toEqual([0])
    expect(plan.unplaced).toEqual([1])
  })

  test('what was dealt to another and is still free after a while is taken by anybody', () => {
    const loads = [load('a', { weight: 1_000 }), load('gone')]
    expect(takes('a', [placed(0, 1, free)], loads)).toEqual([])
    expect(takes('a', [placed(0, 1, { kind: 'free', sinceMs: patienceMs + 1 })], loads)).toEqual([0])
  })

  test('a worker that stops takes nothing', () => {
    expect(takes('a', [placed(0, 1, free)], [load('a', { receives: false })])).toEqual([])
  })
})

describe('asking and granting', () => {
  const owned = (by: string): LeaseDecision => ({ kind: 'owned', by })

  test('a worker below its share asks the one that carries most, for what brings both closest', () => {
    const partitions = [placed(0, 8, owned('a')), placed(1, 5, owned('a')), placed(2, 1, owned('b'))]
    const loads = [carrying('a', 13, 2), carrying('b', 1, 1), carrying('me', 4, 1)]
    expect(chooseRequest('me', partitions, loads, new Set())?.row.partition).toBe(1)
  })

  test('nobody asks where moving would only swap who carries more', () => {
    const partitions = [placed(0, 5, owned('a'))]
    expect(chooseRequest('me', partitions, [carrying('a', 5, 1), load('me')], new Set())).toBeUndefined()
  })

  test('nobody asks while something is free, for what was refused, or when of an older deployment', () => {
    const partitions = [placed(0, 5, owned('a')), placed(1, 5, owned('a'))]
    const loads = [carrying('a', 10, 2), load('me')]
    expect(chooseRequest('me', [...partitions, placed(2, 0, free)], loads, new Set())).toBeUndefined()
    expect(chooseRequest('me', partitions, loads, new Set([0, 1]))).toBeUndefined()
    expect(chooseRequest('me', partitions, [carrying('a', 10, 2, '2'), load('me')], new Set())).toBeUndefined()
    expect(chooseRequest('me', partitions, loads, new Set())).toBeDefined()
  })

  const requested = (id: number, connections: number, by: string): PlacedPartition => {
    const { row } = placed(id, connections, { kind: 'hold' })
    return { row: { ...row, owner: 'me', request: { by, requestId: 'r' } }, decision: { kind: 'hold' } }
  }

  test('an owner grants what lowers the imbalance most, and nothing else', () => {
    const partitions = [requested(0, 1, 'b'), requested(1, 4, 'b')]
    const loads = [carrying('me', 10, 2), load('b')]
    expect(chooseGrant('me', partitions, loads, () => true)).toMatchObject({ row: { partition: 1 }, to: 'b' })
    expect(chooseGrant('me', partitions, [carrying('me', 5, 2), carrying('b', 5, 1)], () => true)).toBeUndefined()
  })

  test('not to a worker that is unknown, stops, has no room, or is of an older deployment; not before it rested', () => {
    const partitions = [requested(0, 4, 'b')]
    const mine = carrying('me', 10, 2)
    const cases: Load[][] = [
      [mine],
      [mine, load('b', { receives: false })],
      [mine, load('b', { maxConnections: 3 })],
      [mine, load('b', { deployment: '0' })],
    ]
    for (const loads of cases) expect(chooseGrant('me', partitions, loads, () => true)).toBeUndefined()
    expect(chooseGrant('me', partitions, [mine, load('b')], () => false)).toBeUndefined()
  })

  test('moves one after the other always end, with shares that no further move improves', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 32 }),
        fc.integer({ min: 2, max: 5 }),
        (connections, workers) => {
          const owner = connections.map(() => 0)
          const loads = () =>
            Array.from({ length: workers }, (_, index) => {
              const mine = connections.filter((_, id) => owner[id] === index)
              return carrying(
                `w${index}`,
                mine.reduce((sum, count) => sum + count, 0),
                mine.length,
              )
            })
          let moves = 0
          for (let again = true; again; ) {
            again = false
            for (let asker = 0; asker < workers; asker++) {
              const partitions = connections.map((count, id) =>
                placed(id, count, owner[id] === asker ? { kind: 'hold' } : owned(`w${owner[id]}`)),
              )
              const wish = chooseRequest(`w${asker}`, partitions, loads(), new Set())
              if (wish === undefined) continue
              owner[wish.row.partition] = asker
              again = true
              expect(++moves).toBeLessThan(connections.length * workers * 4)
            }
          }
          for (const [id, count] of connections.entries()) {
            const from = loads()[owner[id] ?? 0]
            for (const to of loads())
              if (from !== undefined && to !== from)
                expect(gainOfMove({ connections: count }, from, to)).toBeLessThanOrEqual(0)
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('heirs', () => {
  test('the newest deployment first, then who carries least; never oneself; nobody where nobody has room', () => {
    const loads = [load('me'), load('old'), carrying('new1', 5, 1, '2'), load('new2', { deployment: '2' })]
    expect(chooseHeir({ partition: 0, connections: 5 }, loads, 'me')).toBe('new2')
    expect(chooseHeir({ partition: 0, connections: 5 }, [load('me')], 'me')).toBeUndefined()
    expect(chooseHeir({ partition: 0, connections: 200_000 }, loads, 'me')).toBeUndefined()
  })
})

function takes(self: string, partitions: PlacedPartition[], loads: Load[]): number[] {
  return planFree(self, partitions, loads, patienceMs).take.map(({ row }) => row.partition)
}

function placed(id: number, connections: number, decision: LeaseDecision): PlacedPartition {
  const owner = decision.kind === 'owned' ? { owner: decision.by } : {}
  return { row: { partition: id, epoch: 1, connections, ...owner }, decision }
}

function load(workerId: string, change: Partial<Load> = {}): Load {
  const nothing = { deployment: '1', weight: 0, connections: 0, maxConnections: 100_000, receives: true }
  return { workerId, ...nothing, ...change }
}

function carrying(workerId: string, connections: number, partitions: number, deployment = '1'): Load {
  const weight = weightOf({ connections }) + partitions - 1
  return load(workerId, { weight, connections, deployment })
}
