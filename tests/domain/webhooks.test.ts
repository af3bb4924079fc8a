import { describe, expect, test } from 'vitest'
import { afterFailure, retryDelayMs, wants } from '../../shared/domain/webhooks.ts'

const policy = { backoffBaseMs: 5_000, backoffMaxMs: 900_000, giveUpMs: 86_400_000 }
const hour = 3_600_000
const now = Date.UTC(2026, 0, 31, 12)
const ago = (hours: number) => new Date(now - hours * hour).toISOString()
const refused = { kind: 'failed', statusCode: 503, durationMs: 10, error: 'The endpoint answered 503.' } as const

describe('a failed delivery', () => {
  test('is tried again after 5, 10, 20 … seconds, at most a quarter of an hour apart, with a fifth on top', () => {
    expect([1, 2, 3, 8, 9, 200].map((n) => retryDelayMs(n, 0, policy))).toEqual([
      5_000, 10_000, 20_000, 640_000, 900_000, 900_000,
    ])
    expect(retryDelayMs(1, 1, policy)).toBe(6_000)
  })

  test.each([
    ['just came', refused, ago(0), {}, { kind: 'retry', atMs: now + 10_000 }],
    ['a day old, the endpoint takes others', refused, ago(24), { failingSince: ago(2) }, { kind: 'give_up' }],
    ['a day old, but resumed an hour ago', refused, ago(30), { resumedAt: ago(1) }, { kind: 'retry' }],
    [
      'the endpoint took nothing for a day',
      refused,
      ago(1),
      { failingSince: ago(24) },
      { kind: 'pause', reason: 'failing' },
    ],
    ['410', { ...refused, statusCode: 410 }, ago(0), {}, { kind: 'pause', reason: 'gone' }],
  ])('%s', (_, attempt, since, webhook, expected) => {
    expect(afterFailure(attempt, 2, Date.parse(since), webhook, now, 0, policy)).toMatchObject(expected)
  })
})

test.each([
  [{}, 'message-received', 'con_1', true],
  [{ events: ['message-status'] }, 'message-received', 'con_1', false],
  [{ connectionIds: ['con_1'] }, 'message-received', 'con_1', true],
  [{ connectionIds: ['con_1'] }, 'message-received', 'con_2', false],
  [{ connectionIds: ['con_1'] }, 'webhook-paused', null, false],
  [{ events: ['webhook-paused'] }, 'webhook-paused', null, true],
])('an endpoint with %j wants %s of %s: %s', (filter, event, connectionId, wanted) => {
  expect(wants(filter, { event, connectionId })).toBe(wanted)
})
