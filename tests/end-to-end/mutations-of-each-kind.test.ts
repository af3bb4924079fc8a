import { describe, expect, it } from 'vitest'
import { failureWithout, type MissingWire, neverShown } from './missing-wire.ts'

/** What `mutations.test.ts` leaves to the longer run. */
const examples: readonly MissingWire[] = [
  { kind: 'environment', name: /Connector.* AUTH_BUCKET$/, noticed: /its tasks keep ending/ },
  { kind: 'mapping', name: /LivePublishConnections/, noticed: neverShown },
  { kind: 'route', name: /POST \/connections\/\{connectionId\}\/messages$/, noticed: /status: 405/ },
  { kind: 'permission', name: /RestLiveTickets/, noticed: /server response: 401/ },
]

describe('the story does not get beyond its first message without', () => {
  it.each(examples)('one $kind: $name', async (wire) => {
    expect(await failureWithout(wire)).toMatch(wire.noticed)
  })
})
