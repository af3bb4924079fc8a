import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFailed, vi } from 'vitest'
import { watchedMetrics } from '../infra/watched-metrics.ts'
import { type RunningPlace, startPlace } from './place.ts'
import { Story } from './story.ts'

describe('the product, on one machine, through its public interfaces', () => {
  let place: RunningPlace
  let story: Story

  beforeAll(async () => {
    place = await startPlace()
    story = new Story(place, { stepMs: 60_000 })
  })
  // Each step needs the one before: after the first that failed, the rest would only repeat it.
  let failed = false
  beforeEach((context) => {
    context.skip(failed, 'an earlier step failed')
    onTestFailed(() => {
      failed = true
    })
  })
  afterAll(async () => {
    story?.close()
    await place?.stop()
  })

  it('an admin creates a business profile and a key', () => story.adminCreatesProfileAndKey())
  it('a client watches and gets a snapshot', () => story.clientWatches())
  it('a QR arrives, a phone scans it, the connection is connected', () => story.phoneIsLinkedByQr())
  it('a message is decrypted by the phone; sent, delivered and read arrive live, in order', () =>
    story.messageReachesThePhone('Your tea is ready.', 'order-1'))
  it('the connector is killed and is back without a scan', () => story.connectorIsKilledAndComesBack())
  it('a second message arrives', () => story.messageReachesThePhone('And the scones.', 'order-2'))
  it('a message posted to the sends queue by a plain SQS client arrives', () =>
    story.messageFromAnotherServiceArrives('Sent from a queue.'))
  it('an inbound text is seen as message-received', () => story.inboundTextIsSeen('Thank you!'))
  it('logout ends it, and a further send says so', () => story.logoutEndsIt())
  it('WhatsApp saw one socket at a time, no conflict, and everything could be read', () =>
    story.nothingWentWrongAtWhatsApp())

  it('no call was made that the template does not allow', () => {
    const refused = place.local.calls().counts.filter((count) => 'refused' in count && Number(count.refused) > 0)
    expect(refused).toEqual([])
  })

  it('what alarms, dashboard and scaling watch was written by this run', async () => {
    const watched = new Set(watchedMetrics())
    // Made by what goes wrong; tests/faults/lifecycle-rows, bad-input and webhooks look for them.
    for (const elsewhere of ['PartitionsWithoutWorker', 'Alarms', 'SendsRejected', 'WebhooksPaused'])
      expect(watched.delete(elsewhere)).toBe(true)
    const missing = () => {
      const written = place.local.metrics().filter(({ dimensions }) => JSON.stringify(dimensions) === '{"Stage":"dev"}')
      return [...watched].filter((name) => !written.some((metric) => metric.name === name))
    }
    await vi.waitFor(() => expect(missing()).toEqual([]), { timeout: 30_000, interval: 100 })
  })

  it('no private session key is in any log', () => {
    const text = place.local
      .logs()
      .map((line) => JSON.stringify(line))
      .join('\n')
    expect(text.length).toBeGreaterThan(1000)
    expect(text).not.toMatch(/privKey|rootKey|chainKey|Closing session|SessionEntry|<Buffer/i)
    expect(text).not.toContain(place.adminApiKey)
  })
})
