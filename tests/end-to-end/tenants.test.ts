import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bounded } from '../../functions/bounded.ts'
import { liveRequestSchema } from '../../shared/api/live.ts'
import { Watcher } from './callers.ts'
import { type RunningPlace, startPlace } from './place.ts'
import { Stored } from './stored.ts'
import { type Tenant, Tenants } from './tenants/tenant.ts'
import { leaksIn, ownView, walkAdmin, walkIds, walkLists } from './tenants/walk.ts'

/** Nothing of a business profile is seen, changed or heard of by another one's key. */

const count = Number(process.env.TENANTS ?? 100)
/** With whose ids all routes are tried, by the key of the next one. */
const owners = [0, Math.floor(count / 2)]
const walked = owners.flatMap((nth) => [nth, nth + 1])

let place: RunningPlace
let makers: Tenants
let tenants: readonly Tenant[]

beforeAll(async () => {
  // No worker: nothing but the calls themselves changes anything.
  place = await startPlace({ workers: 0 })
  makers = new Tenants(place)
  const made: Tenant[] = []
  const numbers = Array.from({ length: count }, (_, nth) => nth)
  await bounded(numbers, 2, async (nth) => {
    made[nth] = await makers.make(`mark${nth}x`, walked.includes(nth) ? 2 : 1)
  })
  tenants = made
}, 600_000)
afterAll(async () => {
  makers?.close()
  await place?.stop()
})

const at = (nth: number): Tenant => {
  const tenant = tenants[nth % count]
  if (tenant === undefined) throw new Error(`there is no tenant ${nth}`)
  return tenant
}

describe(`${count} tenants`, () => {
  it('every list, also with the cursor of another: only its own', async () => {
    for (const nth of owners) expect(await walkLists(at(nth), at(nth + 1))).toEqual([])
  })

  it('every route, with the ids of another: nothing is found, and nothing has changed', async () => {
    for (const nth of owners) {
      const [owner, stranger] = [at(nth), at(nth + 1)]
      const before = await ownView(owner)
      expect(before).toContain(owner.mark)
      const steps = await walkIds(owner, stranger.rest)
      expect(steps.length).toBeGreaterThan(40)
      expect(leaksIn(steps, owner)).toEqual([])
      expect(await ownView(owner)).toBe(before)
    }
  })

  it('no admin route opens to them, and health tells them no details', async () => {
    expect(await walkAdmin(at(0), at(1), place.httpUrl)).toEqual([])
    expect((await at(1).rest.get('/health')).body).not.toHaveProperty('details')
  })

  it("each one's things with its neighbour's key", async () => {
    const found: string[] = []
    await bounded(tenants, 4, async (owner) => {
      const stranger = at(tenants.indexOf(owner) + 1)
      const { connectionId, messageId, mediaId, webhookId, operationId, erasureId } = owner.ids
      for (const path of [
        `/connections/${connectionId}`,
        `/connections/${connectionId}/messages`,
        `/connections/${connectionId}/messages/${messageId}`,
        `/connections/${connectionId}/operations/${operationId}`,
        `/media/${mediaId}`,
        `/webhooks/${webhookId}/deliveries`,
        `/erasures/${erasureId}`,
      ]) {
        const { status, body } = await stranger.rest.get(path)
        if (status !== 404) found.push(`${path}: ${status} ${JSON.stringify(body)}`)
        if ((await owner.rest.get(path)).status !== 200) found.push(`${path}: its owner does not have it`)
      }
    })
    expect(found).toEqual([])
  })

  it('the addresses of media lead to their own only, and are good for nothing else', async () => {
    for (const tenant of tenants) {
      const { pathname } = new URL(tenant.upload.url)
      expect(pathname).toMatch(new RegExp(`/media/${tenant.businessProfileId}/${tenant.ids.mediaId}$`))
    }
    const [owner, stranger] = [at(0), at(1)]
    const moved = new URL(stranger.upload.url)
    moved.pathname = new URL(owner.upload.url).pathname
    const stored = new Stored(place)
    const send = (url: string | URL) =>
      fetch(url, {
        method: 'PUT',
        headers: stranger.upload.headers,
        body: new Uint8Array(Number(stranger.upload.headers['Content-Length'])),
      })
    expect((await send(moved)).status).toBe(403)
    expect((await stored.objects()).filter((key) => key.includes(owner.businessProfileId))).toEqual([])
    expect((await send(stranger.upload.url)).status).toBe(200)
    const { body } = await stranger.rest.get(`/media/${stranger.ids.mediaId}`)
    const download = new URL(body.download.url)
    expect((await fetch(download)).status).toBe(200)
    download.pathname = new URL(owner.upload.url).pathname
    expect((await fetch(download)).status).toBe(403)
    stored.close()
  })
})

describe('the live API', () => {
  it('a ticket opens the sockets of its own profile, once; a connection of another is not found by any action', async () => {
    const [owner, stranger] = [at(0), at(1)]
    const watcher = await Watcher.open(stranger.rest, place.liveUrl)
    const snapshot = await watcher.next('the snapshot', ({ event }) => event === 'snapshot')
    expect(JSON.stringify(snapshot)).toContain(stranger.mark)
    const actions = liveRequestSchema.options.map(({ shape }) => shape.action.value)
    expect(actions).toContain('subscribe')
    for (const action of actions) {
      const answered = await watcher.ask({ action, connectionId: owner.ids.connectionId })
      // Who hears of all may leave out what it never heard of.
      if (action !== 'unsubscribe') expect([action, answered.event]).toEqual([action, 'error'])
    }
    // Named when the socket is opened.
    const narrow = await Watcher.open(stranger.rest, place.liveUrl, {
      connectionId: owner.ids.connectionId ?? '',
    }).catch((error: unknown) => error)
    if (narrow instanceof Watcher) {
      expect((await narrow.next('its snapshot', ({ event }) => event === 'snapshot')).data.connections ?? []).toEqual(
        [],
      )
      narrow.close()
    }
    expect(JSON.stringify(watcher.frames)).not.toContain(owner.mark)
    watcher.close()
  })

  it('a change of each is heard by its own socket and by no other', async () => {
    const sockets: Watcher[] = []
    await bounded(tenants, 8, async (tenant) => {
      const watcher = await Watcher.open(tenant.rest, place.liveUrl)
      sockets[tenants.indexOf(tenant)] = watcher
      await watcher.next('the snapshot', ({ event }) => event === 'snapshot')
    })
    await bounded(tenants, 8, async (tenant) => {
      const change = JSON.stringify({ label: `${tenant.mark} changed` })
      const path = `/connections/${tenant.ids.connectionId}`
      const changed = await tenant.rest.raw('PATCH', path, change, { 'content-type': 'application/json' })
      expect(changed.status).toBe(200)
    })
    await Promise.all(
      tenants.map((tenant, nth) =>
        sockets[nth]?.next('its own change', ({ data }) => data?.label === `${tenant.mark} changed`, 120_000),
      ),
    )
    for (const [nth, socket] of sockets.entries()) {
      const text = JSON.stringify(socket.frames)
      const strange = tenants.filter((tenant, other) => other !== nth && text.includes(tenant.mark))
      expect([nth, strange.map(({ mark }) => mark)]).toEqual([nth, []])
      socket.close()
    }
  })
})

it('no call was made that the template does not allow', () => {
  expect(place.local.calls().counts.filter((each) => 'refused' in each && Number(each.refused) > 0)).toEqual([])
})
