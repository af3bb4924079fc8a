import { describe, expect, it } from 'vitest'
import { failureWithout, type MissingWire, neverShown } from './missing-wire.ts'

/**
 * Local mode runs the template, so that a wire which is missing in the template is missing on the laptop as well. Two kinds here,
 * the others in `mutations-of-each-kind.test.ts`; `node tests/end-to-end/mutate-all.ts` removes every single one in turn.
 */
const examples: readonly MissingWire[] = [
  { kind: 'grant', name: /TaskRole.* sqs:ReceiveMessage$/, noticed: neverShown },
  { kind: 'environment', name: /Connector.* AUTH_BUCKET$/, noticed: /its tasks keep ending/ },
]

describe('the story does not get beyond its first message without', () => {
  it.each(examples)('one $kind: $name', async (wire) => {
    expect(await failureWithout(wire)).toMatch(wire.noticed)
  })
})
