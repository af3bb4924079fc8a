import { describe, expect, test } from 'vitest'
import {
  dayIn,
  decidePace,
  gapMs,
  type Pace,
  type PaceState,
  presenceBefore,
  quietForMs,
} from '../../shared/domain/pace.ts'

const now = Date.parse('2026-01-31T12:00:00.000Z')
const minute = 60_000
const state = (change: Partial<PaceState> = {}): PaceState => ({ standing: 'unasked', nextAt: 0, ...change })
const quietHours = { from: '11:30', to: '13:00', timeZone: 'UTC' }

describe('what may go', () => {
  test.each<[string, Pace | undefined, Partial<PaceState>, object]>([
    ['no pace', undefined, { nextAt: now + 1 }, { kind: 'go' }],
    ['an empty pace', {}, {}, { kind: 'go' }],
    [
      'within the gap',
      { minGapMs: 500 },
      { nextAt: now + 300 },
      { kind: 'wait', until: now + 300, why: 'gap', holds: 'all' },
    ],
    ['after the gap', { minGapMs: 500 }, { nextAt: now }, { kind: 'go' }],
    [
      'in quiet hours',
      { quietHours },
      {},
      { kind: 'wait', until: now + 30 * minute, why: 'quiet_hours', holds: 'all' },
    ],
    ['outside of them', { quietHours: { ...quietHours, to: '12:00' } }, {}, { kind: 'go' }],
    ['a chat not yet asked for', { newChatsPerDay: 2 }, {}, { kind: 'ask', what: 'standing', day: '2026-01-31' }],
    ['a known chat', { newChatsPerDay: 0 }, { standing: 'known' }, { kind: 'go' }],
    ['a new chat', { newChatsPerDay: 2 }, { standing: 'new' }, { kind: 'ask', what: 'admit', day: '2026-01-31' }],
    ['an admitted chat', { newChatsPerDay: 2 }, { standing: 'admitted', fullDay: '2026-01-31' }, { kind: 'go' }],
    [
      'a new chat on a full day',
      { newChatsPerDay: 2 },
      { standing: 'new', fullDay: '2026-01-31' },
      { kind: 'wait', why: 'new_chats_per_day', holds: 'chat' },
    ],
    [
      'the day after',
      { newChatsPerDay: 2 },
      { standing: 'new', fullDay: '2026-01-30' },
      { kind: 'ask', what: 'admit' },
    ],
    ['a new chat while restricted', undefined, { standing: 'new', restrictedUntil: now + 1 }, { kind: 'refuse' }],
    ['a known chat while restricted', undefined, { standing: 'known', restrictedUntil: now + 1 }, { kind: 'go' }],
    ['any chat while restricted', undefined, { restrictedUntil: now + 1 }, { kind: 'ask', what: 'standing' }],
    ['a new chat when that is over', undefined, { standing: 'new', restrictedUntil: now }, { kind: 'go' }],
  ])('%s', (_, pace, change, decision) => {
    expect(decidePace(pace, state(change), now)).toMatchObject(decision)
  })
})

test('quiet hours are the wall clock of their zone, also over midnight and when clocks change', () => {
  const night = { from: '22:00', to: '07:00', timeZone: 'Asia/Colombo' }
  // 17:30 in Colombo.
  expect(quietForMs(night, now)).toBe(0)
  expect(quietForMs(night, Date.parse('2026-01-31T16:30:00Z'))).toBe(9 * 60 * minute)
  expect(quietForMs(night, Date.parse('2026-01-31T20:00:30Z'))).toBe(5 * 60 * minute + 29 * minute + 30_000)
  expect(quietForMs(night, Date.parse('2026-02-01T01:30:00Z'))).toBe(0)
  const berlin = { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin' }
  // The night of 28 March 2026 is an hour shorter: at 07:00 summer time it is over.
  expect(quietForMs(berlin, Date.parse('2026-03-29T04:59:00Z'))).toBe(minute)
  expect(quietForMs(berlin, Date.parse('2026-03-29T05:00:00Z'))).toBe(0)
  expect(quietForMs({ ...berlin, to: '22:00' }, now)).toBe(0)
})

test('a day begins at midnight of its zone', () => {
  expect(dayIn('Asia/Colombo', Date.parse('2026-01-31T18:29:59Z'))).toBe('2026-01-31')
  expect(dayIn('Asia/Colombo', Date.parse('2026-01-31T18:30:00Z'))).toBe('2026-02-01')
})

test('jitter only lengthens a gap', () => {
  expect(gapMs({ minGapMs: 1_000, jitter: 0.5 }, 0)).toBe(1_000)
  expect(gapMs({ minGapMs: 1_000, jitter: 0.5 }, 0.999)).toBe(1_500)
  expect(gapMs({}, 0.5)).toBe(0)
})

describe('what is shown before a message', () => {
  const text = (characters: number) => ({ type: 'text', text: { body: 'x'.repeat(characters) } }) as const

  test('typing, as long as the text takes, within bounds', () => {
    expect([1, 100, 10_000].map((characters) => presenceBefore(text(characters)))).toEqual([
      { shown: 'typing', forMs: 800 },
      { shown: 'typing', forMs: 5_000 },
      { shown: 'typing', forMs: 10_000 },
    ])
  })

  test('typing for a caption, nothing for a medium without one', () => {
    const image = (caption?: string) =>
      ({ type: 'image', image: { id: 'med_1', ...(caption && { caption }) } }) as const
    expect(presenceBefore(image('x'.repeat(40)))).toEqual({ shown: 'typing', forMs: 2_000 })
    expect(presenceBefore(image())).toBeUndefined()
  })

  test('recording before a voice note, as long as it is where that is known; nothing before music', () => {
    const audio = (voice: boolean) => ({ type: 'audio', audio: { id: 'med_1', voice } }) as const
    expect(presenceBefore(audio(true), 6)).toEqual({ shown: 'recording', forMs: 6_000 })
    expect(presenceBefore(audio(true))).toEqual({ shown: 'recording', forMs: 3_000 })
    expect(presenceBefore(audio(false))).toBeUndefined()
  })
})
