import { describe, expect, test } from 'vitest'
import { crashedOpening, livesBeforeMs, quarantineMsAfter } from '../../shared/domain/suspects.ts'

const minute = 60_000

test.each([
  ['nothing was being opened', undefined, false],
  ['another worker was opening it, and is gone', { workerId: 'w1', epoch: 4 }, true],
  ['the mark is its own', { workerId: 'w2', epoch: 5 }, false],
  ['it was the owner before, lost its lease and lives', { workerId: 'w2', epoch: 3 }, false],
] as const)('%s: a crash is %s', (_name, opening, crashed) => {
  expect(crashedOpening(opening === undefined ? {} : { opening }, { workerId: 'w2', epoch: 5 })).toBe(crashed)
})

describe('what so many crashes ask for', () => {
  test.each([
    [0, 0, 0],
    [1, 0, 0],
    [2, 30_000, 0],
    [3, 30_000, 15 * minute],
    [4, 30_000, 30 * minute],
    [5, 30_000, 60 * minute],
    [9, 30_000, 16 * 60 * minute],
    [10, 30_000, 24 * 60 * minute],
    [1_000, 30_000, 24 * 60 * minute],
  ])('%i: of the worker %i ms of life, of the connection %i ms of rest', (crashes, livesMs, restsMs) => {
    expect(livesBeforeMs(crashes, 30_000)).toBe(livesMs)
    expect(quarantineMsAfter(crashes, { quarantineMs: 15 * minute })).toBe(restsMs)
  })
})
