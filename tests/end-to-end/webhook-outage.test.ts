import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { OutwardEvent } from '../../shared/api/events.ts'
import { seeded } from '../faults/seeded.ts'
import { type Rest, rest } from './callers.ts'
import { Endpoint } from './endpoint.ts'
import { type RunningPlace, startPlace } from './place.ts'

/** Nothing is shortened: backoff, timeouts and the queue's visibility are those of the template. */
const outageMs = 120_000
const connections = 5
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000)
/** An attempt waits up to 155 s and a fifth for its turn after such an outage, and a killed function is missed after 90 s. */
const settledMs = 900_000
const [delivering, announcing] = ['WebhooksDeliver', 'Events'] as const

let place: RunningPlace
let tenant: Rest

beforeAll(async () => {
  place = await startPlace({ workers: 0, targets: 'any' })
  const admin = rest(place.httpUrl, place.adminApiKey)
  const { body: profile } = await admin.post('/admin/business-profiles', { name: 'Tea House' })
  const keys = `/admin/business-profiles/${profile.businessProfileId}/api-keys`
  tenant = rest(place.httpUrl, (await admin.post(keys, { label: 'shop' })).body.apiKey)
})
afterAll(() => place?.stop())

it(
  `an endpoint fails for two minutes and functions are killed meanwhile: every event, in the order of its connection, and signed; seed ${seed}`,
  {
    timeout: outageMs + settledMs + 60_000,
  },
  async () => {
    const random = seeded(seed)
    const endpoint = await Endpoint.open()
    const created = await tenant.post('/webhooks', { url: endpoint.url })
    expect(created.status).toBe(201)
    endpoint.secret = created.body.secret
    const ids: string[] = []
    for (let n = 0; n < connections; n += 1) {
      ids.push((await tenant.post('/connections', { label: `Desk ${n}`, pairing: 'qr' })).body.connectionId)
    }
    const brokenOff: Record<typeof delivering | typeof announcing, number> = { WebhooksDeliver: 0, Events: 0 }
    const kill = async (title: typeof delivering | typeof announcing) => {
      const count = await place.local.killFunctions(title)
      brokenOff[title] += count
      return count
    }
    let changes = 0
    const changeAll = async () => {
      changes += 1
      for (const id of ids) {
        const label = JSON.stringify({ label: `Change ${changes}` })
        expect(
          (await tenant.raw('PATCH', `/connections/${id}`, label, { 'content-type': 'application/json' })).status,
        ).toBe(200)
      }
    }

    endpoint.mood = 'failing'
    for (const end = Date.now() + outageMs; Date.now() < end; ) {
      const changing = changeAll()
      if (changes % 4 === 0) {
        // Who reads the streams, at some moment of the changes.
        await delay(300 * random())
        await kill(announcing)
      }
      await changing
      // Who posts, while it waits for an answer. Now and then it may have its 503.
      if (endpoint.mood === 'hanging' && (await kill(delivering)) > 0) endpoint.mood = 'failing'
      else if (endpoint.refused > 0 && random() < 0.3) endpoint.mood = 'hanging'
      await delay(500 + 1_000 * random())
    }
    expect(endpoint.taken).toEqual([])
    expect(endpoint.refused).toBeGreaterThan(connections)
    endpoint.mood = 'well'
    // One more of each, while it catches up.
    await endpoint.until('the first events after the outage', (taken) => taken.length > 0, settledMs)
    await kill(delivering)
    await changeAll()
    await kill(announcing)

    const versionOf = async (id: string): Promise<number> => (await tenant.get(`/connections/${id}`)).body.version
    const last = new Map(await Promise.all(ids.map(async (id) => [id, await versionOf(id)] as const)))
    const has = (id: string, taken: readonly OutwardEvent[]) =>
      taken.some(({ connectionId, version }) => connectionId === id && version >= (last.get(id) ?? 0))
    await endpoint.until('all events', (taken) => ids.every((id) => has(id, taken)), settledMs)
    expect(endpoint.invalid).toEqual([])
    const byConnection = endpoint.byConnection()
    for (const id of ids) {
      const versions = (byConnection.get(id) ?? []).map(({ version }) => version)
      expect(versions.length).toBeGreaterThan(changes)
      expect(versions).toEqual(versions.map((_, at) => at + 1))
    }
    // Else nothing was killed in the middle of anything, and the test has shown nothing.
    expect(Math.min(...Object.values(brokenOff)), JSON.stringify(brokenOff)).toBeGreaterThanOrEqual(2)
    await endpoint.close()
  },
)
