import { describe, expect, it } from 'vitest'
import type { EventPattern } from '../../../local/engine/contracts.ts'
import { compilePattern } from '../../../local/engine/events/pattern.ts'

interface Row {
  readonly what: string
  readonly pattern: EventPattern
  readonly matches?: readonly unknown[]
  readonly refuses?: readonly unknown[]
}

const rows: readonly Row[] = [
  {
    what: 'exact values match by type',
    pattern: { a: ['x', 1, true, null] },
    matches: [{ a: 'x' }, { a: 1 }, { a: true }, { a: null }],
    refuses: [{ a: 'X' }, { a: '1' }, { a: false }, {}, { b: 'x' }, null, 'x'],
  },
  {
    what: 'all fields must match',
    pattern: { a: ['x'], b: { c: ['y'] } },
    matches: [{ a: 'x', b: { c: 'y' }, d: 1 }],
    refuses: [{ a: 'x' }, { a: 'x', b: { c: 'z' } }, { b: { c: 'y' } }],
  },
  {
    what: 'an array in the event stands for its elements',
    pattern: { a: ['x'] },
    matches: [{ a: ['w', 'x'] }],
    refuses: [{ a: ['w'] }, { a: [] }],
  },
  {
    what: 'an array of objects must match within one element',
    pattern: { list: { k: ['a'], v: ['b'] } },
    matches: [
      {
        list: [
          { k: 'z', v: 'z' },
          { k: 'a', v: 'b' },
        ],
      },
    ],
    refuses: [
      {
        list: [
          { k: 'a', v: 'z' },
          { k: 'z', v: 'b' },
        ],
      },
      { list: [] },
    ],
  },
  {
    what: 'prefix',
    pattern: { a: [{ prefix: 'ab' }] },
    matches: [{ a: 'abc' }, { a: ['z', 'ab'] }],
    refuses: [{ a: 'ba' }, { a: 'ABc' }, { a: 1 }, {}],
  },
  {
    what: 'prefix whatever the case',
    pattern: { a: [{ prefix: { 'equals-ignore-case': 'aB' } }] },
    matches: [{ a: 'ABc' }],
    refuses: [{ a: 'bab' }],
  },
  { what: 'suffix', pattern: { a: [{ suffix: '.png' }] }, matches: [{ a: 'x.png' }], refuses: [{ a: 'png.x' }] },
  {
    what: 'equals-ignore-case',
    pattern: { a: [{ 'equals-ignore-case': 'Alice' }] },
    matches: [{ a: 'aLICE' }],
    refuses: [{ a: 'alic' }],
  },
  {
    what: 'anything-but a value, but not its absence',
    pattern: { a: [{ 'anything-but': 'x' }] },
    matches: [{ a: 'y' }, { a: 1 }, { a: ['x', 'y'] }],
    refuses: [{ a: 'x' }, {}, { a: ['x'] }],
  },
  {
    what: 'anything-but a list',
    pattern: { a: [{ 'anything-but': ['x', 1] }] },
    matches: [{ a: 'y' }, { a: 2 }],
    refuses: [{ a: 'x' }, { a: 1 }],
  },
  {
    what: 'anything-but a prefix',
    pattern: { a: [{ 'anything-but': { prefix: 'in' } }] },
    matches: [{ a: 'out' }],
    refuses: [{ a: 'init' }],
  },
  {
    what: 'anything-but several suffixes',
    pattern: { a: [{ 'anything-but': { suffix: ['.png', '.gif'] } }] },
    matches: [{ a: 'a.txt' }],
    refuses: [{ a: 'a.gif' }, { a: 'a.png' }],
  },
  {
    what: 'numeric ranges',
    pattern: { a: [{ numeric: ['>', 0, '<=', 5] }] },
    matches: [{ a: 5 }, { a: 0.1 }],
    refuses: [{ a: 0 }, { a: 6 }, { a: '3' }],
  },
  { what: 'numeric equality', pattern: { a: [{ numeric: ['=', 300] }] }, matches: [{ a: 300.0 }], refuses: [{ a: 3 }] },
  {
    what: 'exists looks at leaves',
    pattern: { a: { b: [{ exists: true }] } },
    matches: [{ a: { b: null } }, { a: { b: 0 } }],
    refuses: [{ a: {} }, { a: { b: { c: 1 } } }, { a: { b: [] } }, {}],
  },
  {
    what: 'absence, also below an absent object',
    pattern: { a: { b: [{ exists: false }] } },
    matches: [{ a: {} }, {}],
    refuses: [{ a: { b: 1 } }],
  },
  {
    what: 'a value or absence',
    pattern: { a: ['x', { exists: false }] },
    matches: [{}, { a: 'x' }],
    refuses: [{ a: 'y' }],
  },
  {
    what: 'wildcard',
    pattern: { a: [{ wildcard: 'dir/*/x.png' }] },
    matches: [{ a: 'dir/a/b/x.png' }],
    refuses: [{ a: 'dir/xapng' }, { a: 'dir/a/xxpng' }],
  },
  {
    what: 'an escaped asterisk',
    pattern: { a: [{ wildcard: 'a\\**' }] },
    matches: [{ a: 'a*b' }],
    refuses: [{ a: 'ab' }],
  },
  {
    what: 'address blocks',
    pattern: { a: [{ cidr: '10.0.0.0/24' }] },
    matches: [{ a: '10.0.0.255' }],
    refuses: [{ a: '10.0.1.0' }, { a: '::1' }, { a: 'x' }],
  },
  {
    what: '$or beside a field',
    pattern: { s: ['x'], $or: [{ a: [1] }, { b: { c: [2] } }] },
    matches: [
      { s: 'x', a: 1 },
      { s: 'x', b: { c: 2 } },
    ],
    refuses: [{ s: 'x' }, { a: 1 }],
  },
  {
    what: '$or below a field',
    pattern: { d: { $or: [{ a: [1] }, { b: [2] }] } },
    matches: [{ d: { b: 2 } }],
    refuses: [{ b: 2 }],
  },
]

describe('an event pattern', () => {
  for (const { what, pattern, matches = [], refuses = [] } of rows) {
    it(what, () => {
      const compiled = compilePattern(pattern)
      for (const event of matches) expect(compiled(event), JSON.stringify(event)).toBe(true)
      for (const event of refuses) expect(compiled(event), JSON.stringify(event)).toBe(false)
    })
  }

  it.each([
    [{}, 'the pattern is empty'],
    [{ a: 'x' }, 'a: expected a list of matchers'],
    [{ a: [] }, 'a: an empty list'],
    [{ a: { b: {} } }, 'a.b: expected at least one field'],
    [{ a: [{ sounds: 'x' }] }, 'a: unknown operator sounds'],
    [{ a: [{ prefix: 'x', suffix: 'y' }] }, 'a: a matcher has exactly one operator'],
    [{ a: [{ numeric: ['>'] }] }, 'a: numeric expects'],
    [{ a: [{ exists: 'yes' }] }, 'a: exists expects'],
    [{ a: [{ cidr: '10.0.0.0/33' }] }, 'a: cidr expects'],
    [{ a: [{ wildcard: 'a**b' }] }, 'a: wildcard has'],
    [{ a: [['x']] }, 'a: expected a value or a matcher'],
  ] as const)('%j is refused', (pattern, message) => {
    expect(() => compilePattern(pattern as EventPattern)).toThrow(message)
  })
})
