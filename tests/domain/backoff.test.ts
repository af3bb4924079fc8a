import fc from 'fast-check'
import { expect, test } from 'vitest'
import { reconnectDelayMs, storeRetryDelayMs } from '../../shared/domain/backoff.ts'

const exact = { backoffBaseMs: 5_000, backoffJitter: 0 }

test('the series is 5, 10, 20, 40, 80 s, exactly, without jitter', () => {
  expect([1, 2, 3, 4, 5].map((attempt) => reconnectDelayMs(attempt, 0.99, exact))).toEqual([
    5_000, 10_000, 20_000, 40_000, 80_000,
  ])
})

test('jitter only adds, and no more than its share', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, random, backoffJitter) => {
        const series = reconnectDelayMs(attempt, 0, exact)
        const delay = reconnectDelayMs(attempt, random, { ...exact, backoffJitter })
        expect(delay).toBeGreaterThanOrEqual(series)
        expect(delay).toBeLessThanOrEqual(series * (1 + backoffJitter))
      },
    ),
  )
})

test('an attempt below 1 is a bug, not a short wait', () => {
  expect(() => reconnectDelayMs(0, 0, exact)).toThrow(/attempt/)
})

test('store retries double up to their limit', () => {
  expect([1, 2, 3, 4, 20].map((failures) => storeRetryDelayMs(failures, 0))).toEqual([200, 400, 800, 1_600, 10_000])
})
