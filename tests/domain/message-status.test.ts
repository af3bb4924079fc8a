import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canStep, type SendPosition, statusesBefore } from '../../shared/domain/message-status.ts'
import { sendErrorCodes, sendStatuses } from '../../shared/domain/words.ts'

const forward = ['queued', 'sent', 'delivered', 'read', 'played'] as const

describe('a send', () => {
  test.each(
    forward.flatMap((from, a) => forward.map((to, b) => [from, to, b > a] as const)),
  )('from %s to %s: %s', (from, to, may) => {
    expect(canStep({ status: from }, { status: to })).toBe(may)
  })

  test.each([
    ['unconfirmed', true],
    ['expired', true],
    ['rejected_by_whatsapp', false],
    ['not_on_whatsapp', false],
    ['new_chats_restricted', false],
    ['invalid_content', false],
    ['cancelled', false],
    ['connection_deleted', false],
    ['no_active_connection', true],
    ['internal', false],
  ] as const)('that failed as %s is overridden by an ack or a receipt: %s', (code, may) => {
    for (const status of ['sent', 'delivered', 'read', 'played'] as const) {
      expect(canStep({ status: 'failed', error: { code } }, { status })).toBe(may)
    }
  })

  test('that WhatsApp refused has failed, also after our own clock said so', () => {
    const refused: SendPosition = { status: 'failed', error: { code: 'rejected_by_whatsapp' } }
    expect(canStep({ status: 'queued' }, refused)).toBe(true)
    expect(canStep({ status: 'failed', error: { code: 'unconfirmed' } }, refused)).toBe(true)
    expect(canStep({ status: 'delivered' }, refused)).toBe(false)
  })

  test('that was sent is not undone by our own clock', () => {
    expect(canStep({ status: 'sent' }, { status: 'failed', error: { code: 'expired' } })).toBe(false)
  })

  test('comes to rest: however steps arrive, it never goes round in a circle', () => {
    const position = fc.record({
      status: fc.constantFrom(...sendStatuses),
      error: fc.record({ code: fc.constantFrom(...sendErrorCodes) }),
    })
    fc.assert(
      fc.property(fc.array(position, { maxLength: 60 }), (steps) => {
        let current: SendPosition = { status: 'queued' }
        let taken = 0
        for (const step of steps) {
          if (!canStep(current, step)) continue
          current = step
          taken += 1
        }
        // queued → failed (clock) → sent → failed is final; queued → … → played has four.
        expect(taken).toBeLessThanOrEqual(6)
        expect(current.status === 'queued' && taken > 0).toBe(false)
      }),
    )
  })

  test('adapters get the same rule as a list', () => {
    expect(statusesBefore({ status: 'delivered' })).toEqual(['queued', 'sent'])
    expect(statusesBefore({ status: 'failed', error: { code: 'expired' } })).toEqual(['queued'])
  })
})
