import { expect, it } from 'vitest'
import { failureWithout, type MissingWire, neverShown } from './missing-wire.ts'

/**
 * Local mode runs the template, so that a wire which is missing in the template is missing on the laptop as well. One kind here,
 * the others in `mutations-of-each-kind.test.ts`; `node tests/end-to-end/mutate-all.ts` removes every single one in turn.
 */
const wire: MissingWire = { kind: 'grant', name: /TaskRole.* sqs:ReceiveMessage$/, noticed: neverShown }

it('the story does not get beyond its first message without one grant', async () => {
  expect(await failureWithout(wire)).toMatch(wire.noticed)
})
