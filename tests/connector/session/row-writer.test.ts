import { expect, test } from 'vitest'
import { RowWriter } from '../../../connector/session/row-writer.ts'
import type { ConnectionChange, FencedWrite } from '../../../shared/domain/stores/connections.ts'
import { SeededRandom, VirtualClock } from '../virtual-clock.ts'
import { Stage } from './stage.ts'

function setUp() {
  const clock = new VirtualClock()
  const written: ConnectionChange[] = []
  const refused: string[] = []
  const world = { held: true, answer: (): FencedWrite => ({ kind: 'written' }), takesMs: 0 }
  const writer = new RowWriter({
    ref: { businessProfileId: 'bp_1', connectionId: 'con_1' },
    holding: { partition: 0, epoch: 1, held: () => world.held, fenced: () => undefined },
    connections: {
      get: async () => undefined,
      listByPartition: async () => [],
      remove: async () => ({ kind: 'gone' }),
      update: async (_ref, _epoch, change) => {
        if (world.takesMs > 0) await new Promise<void>((resolve) => clock.after(world.takesMs, resolve))
        const outcome = world.answer()
        written.push(change)
        return outcome
      },
    },
    clock,
    random: new SeededRandom(1),
    log: new Stage().log(),
    onRefused: (why) => refused.push(why),
  })
  return { clock, written, refused, world, writer }
}

test('what changes while a write is under way goes in one further write', async () => {
  const { clock, written, world, writer } = setUp()
  world.takesMs = 100
  writer.write({ reason: 'restoring' })
  writer.write({ reason: 'open', jid: 'a' })
  writer.write({ jid: 'b' })
  await clock.passTime(1_000)
  expect(written).toEqual([{ reason: 'restoring' }, { reason: 'open', jid: 'b' }])
})

test('after a failure the latest state is written, not the one that failed', async () => {
  const { clock, written, world, writer } = setUp()
  world.answer = () => {
    throw new Error('throttled')
  }
  world.takesMs = 100
  writer.write({ reason: 'restoring', jid: 'a' })
  await clock.passTime(10)
  writer.write({ reason: 'open' })
  await clock.passTime(100)
  world.answer = () => ({ kind: 'written' })
  await clock.passTime(5_000)
  expect(written).toEqual([{ reason: 'open', jid: 'a' }])
})

test('a lazy change waits four seconds for company, and no longer', async () => {
  const { clock, written, writer } = setUp()
  writer.write({ reason: 'restoring' }, true)
  await clock.passTime(3_900)
  expect(written).toEqual([])
  await clock.passTime(200)
  expect(written).toEqual([{ reason: 'restoring' }])
  writer.write({ reason: 'restoring' }, true)
  writer.write({ jid: 'a' })
  await clock.passTime(1)
  expect(written[1]).toEqual({ reason: 'restoring', jid: 'a' })
})

test('who lost the lease writes nothing, a retry neither, and nobody waits for it', async () => {
  const { clock, written, world, writer } = setUp()
  world.answer = () => {
    throw new Error('throttled')
  }
  writer.write({ reason: 'open' })
  await clock.passTime(10)
  world.held = false
  world.answer = () => ({ kind: 'written' })
  const landed = writer.landed()
  await clock.passTime(60_000)
  await landed
  expect(written).toEqual([])
  expect(clock.timers).toBe(0)
})

test.each(['fenced', 'gone'] as const)('%s ends the writing, and says so once', async (kind) => {
  const { clock, written, refused, world, writer } = setUp()
  world.answer = () => ({ kind })
  writer.write({ reason: 'open' })
  writer.write({ reason: 'restoring' })
  await clock.passTime(60_000)
  expect(refused).toEqual([kind])
  expect(written).toHaveLength(1)
})
