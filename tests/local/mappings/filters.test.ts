import { describe, expect, it } from 'vitest'
import { compileQueueFilter, compileRecordFilter } from '../../../local/engine/mappings/filters.ts'
import { createShardProgress } from '../../../local/engine/mappings/shard-progress.ts'

describe('a queue filter', () => {
  it.each([
    [{ body: { a: [1] } }, '{"a":1}', true],
    [{ body: { a: [1] } }, '{"a":2}', false],
    [{ body: { a: [1] } }, 'text', false],
    [{ body: [{ prefix: 'te' }] }, 'text', true],
    [{ body: [{ prefix: '{' }] }, '{"a":1}', false],
    [{ attributes: { MessageGroupId: ['g'] } }, 'text', true],
  ])('%j on %s: %s', (pattern, body, passes) => {
    const record = { body, attributes: { MessageGroupId: 'g' } }
    expect(compileQueueFilter([pattern])(record)).toBe(passes)
  })

  it('passes what any of its patterns matches, and everything without one', () => {
    expect(compileRecordFilter([{ a: [1] }, { a: [2] }])({ a: 2 })).toBe(true)
    expect(compileRecordFilter([])({})).toBe(true)
  })
})

describe('the progress of a shard', () => {
  it('moves only over what is done without a gap', () => {
    const progress = createShardProgress()
    progress.add(['1', '2', '3', '4'])
    expect(progress.done(['2', '3'])).toBeUndefined()
    expect(progress.done(['1'])).toBe('3')
    expect(progress.open()).toBe(1)
    expect(progress.done(['4'])).toBe('4')
    expect(progress.open()).toBe(0)
  })
})
