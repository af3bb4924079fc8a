import { expect, test } from 'vitest'
import { RowTurns } from '../../../connector/session/row-turns.ts'
import { rest, VirtualClock } from '../virtual-clock.ts'

function bench() {
  const clock = new VirtualClock()
  const turns = new RowTurns(clock)
  const started: number[] = []
  const ends: (() => void)[] = []
  const write = (n: number): Promise<void> =>
    turns.run(() => {
      started.push(n)
      return new Promise<void>((resolve) => {
        ends[n] = resolve
      })
    })
  return { clock, turns, started, ends, write }
}
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

test('four are written at a time, in the order in which they came', async () => {
  const { clock, started, ends, write } = bench()
  const writes = upTo(40).map(write)
  await rest()
  expect(started).toEqual(upTo(4))
  ends[3]?.()
  await rest()
  expect(started).toEqual(upTo(5))
  for (let n = 0; n < 40; n++) {
    ends[n]?.()
    await rest()
  }
  await Promise.all(writes)
  expect(started).toEqual(upTo(40))
  expect(clock.timers).toBe(0)
  void write(40)
  expect(started).toEqual(upTo(41))
})

test('one that takes long holds up the others for a moment, and its end makes no room twice', async () => {
  const { clock, started, ends, write } = bench()
  for (const n of upTo(12)) void write(n)
  await clock.passTime(25)
  expect(started).toEqual(upTo(8))
  for (const n of upTo(4)) ends[n]?.()
  await rest()
  expect(started).toEqual(upTo(8))
})

test('one that fails makes room, and says so to whoever asked', async () => {
  const { turns, started, write } = bench()
  const failing = upTo(4).map(() => turns.run(() => Promise.reject(new Error('no answer'))))
  void write(0)
  const outcomes = await Promise.allSettled(failing)
  expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
  await rest()
  expect(started).toEqual([0])
})
