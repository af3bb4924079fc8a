import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bounded } from '../../functions/bounded.ts'
import { parts } from '../../functions/live/pack.ts'
import { RecentValues } from '../../functions/recent-values.ts'

test('parts hold all items in order, each within the limit unless one item alone is above it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary', maxLength: 60 })),
      fc.integer({ min: 20, max: 200 }),
      (items, max) => {
        const cut = parts(items, max)
        expect(cut.flat()).toEqual(items)
        for (const part of cut) {
          expect(part.length).toBeGreaterThan(0)
          if (part.length > 1) expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThanOrEqual(max + 1)
        }
      },
    ),
  )
})

test('no more than the limit run at once, and results keep their order', async () => {
  let running = 0
  let most = 0
  const results = await bounded([5, 1, 4, 2, 3], 2, async (n) => {
    most = Math.max(most, ++running)
    for (let turn = 0; turn < n; turn++) await Promise.resolve()
    running--
    return n * 10
  })
  expect(results).toEqual([50, 10, 40, 20, 30])
  expect(most).toBe(2)
})

test('a failure stops no other item and is passed on when all are done', async () => {
  const done: number[] = []
  const work = async (n: number) => {
    if (n === 1) throw new Error('no')
    await Promise.resolve()
    done.push(n)
  }
  await expect(bounded([1, 2, 3], 2, work)).rejects.toThrow('no')
  expect(done).toEqual([2, 3])
})

test('values are remembered for as long as said, and no more of them than said', () => {
  let now = 0
  const values = new RecentValues<number>({ keepMs: 10, entriesMax: 2, now: () => now })
  values.set('a', 1)
  values.set('b', 2)
  values.set('c', 3)
  expect([values.get('a'), values.get('b'), values.get('c')]).toEqual([undefined, 2, 3])
  now = 10
  expect(values.get('b')).toBeUndefined()
})
