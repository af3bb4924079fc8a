import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { rest } from '../end-to-end/callers.ts'
import { ok } from '../faults/asking.ts'
import { Fleet, type Line } from '../faults/fleet.ts'
import { seeded } from '../faults/seeded.ts'
import { Correspondence } from './correspondence.ts'
import { Disturbance } from './disturbance.ts'
import { size } from './size.ts'

const clocks = {
  BACKOFF_BASE_MS: '300',
  STABLE_AFTER_MS: '2000',
  WAKE_GAP_MS: '500',
  // Minutes on AWS: how long a connection rests whose attempts are spent.
  SLOW_LANE_MS: '3000',
  ACK_TIMEOUT_MS: '1500',
  PROBE_TIMEOUT_MS: '1500',
  PROBE_INTERVAL_MS: '5000',
  OPEN_TIMEOUT_MS: '5000',
  // Half a minute and a quarter of an hour on AWS, where kills are not minutes' work.
  PROVEN_AFTER_MS: '2000',
  QUARANTINE_MS: '3000',
}
const { connections, workers, boundMs, seed, strokes } = size
const perChat = Math.ceil(size.sends / connections / 3)
const perInboundChat = Math.ceil(size.inbound / connections / 3)
/** To accept, to arrive, and what a busy machine adds. */
const timeout = Math.max(180_000, 4 * boundMs)
const silentMs = size.byTheClock ? 20_000 : 1_000
/** REST sends one at a time, the queues ten: so many steps of progress there are. */
const steps = (each: number) => connections * (each + 2 * Math.ceil(each / 10))

describe(
  `${size.sends} sends and ${size.inbound} received messages on ${connections} connections, seed ${seed}`,
  { timeout },
  () => {
    let fleet: Fleet
    let lines: readonly Line[]
    const disturbances: Disturbance[] = []

    beforeAll(async () => {
      fleet = await Fleet.start(clocks, { workers })
      lines = await fleet.pair(connections)
    }, timeout)
    afterAll(() => fleet?.stop())
    // One that failed goes on with killing otherwise.
    afterEach(async () => {
      await Promise.allSettled(disturbances.splice(0).map((each) => each.over()))
    })

    const disturb = (progressSteps: number, deployAt?: number) => {
      const disturbance = new Disturbance(fleet, {
        workers,
        every: Math.max(1, Math.floor(progressSteps / (strokes + 1))),
        random: seeded(seed),
        ...(size.byTheClock ? { betweenMs: [5_000, 10_000] as const } : {}),
        ...(deployAt === undefined ? {} : { deployAt }),
      })
      disturbances.push(disturbance)
      return disturbance
    }

    async function allWell(correspondence: Correspondence, strokesFell?: number): Promise<void> {
      const problems = await correspondence.problems(boundMs)
      const stats = await fleet.stats()
      if (size.byTheClock) {
        const { name, accepted, writingMs, settledInMs } = correspondence
        const { undecryptable, messagesArrivedTwice, conflicts } = stats
        const figures = { name, accepted, strokesFell, writingMs, settledInMs, problems: problems.slice(0, 3) }
        process.stdout.write(
          `${JSON.stringify({ ...figures, undecryptable, messagesArrivedTwice, conflicts, workers, seed })}\n`,
        )
      }
      expect(problems).toEqual([])
      expect(stats).toMatchObject({ undecryptable: 0, conflicts: 0, maxSocketsPerDevice: 1 })
      correspondence.close()
    }

    it('through REST and both queues every send is shown once and in order, while workers are killed and one deployment runs', async () => {
      const correspondence = await Correspondence.open(fleet, 'kills', lines)
      const disturbance = disturb(steps(perChat), Math.ceil(strokes / 2))
      await correspondence.write(perChat, disturbance.progress)
      await disturbance.over()
      expect(disturbance.strokes).toBeGreaterThanOrEqual(strokes)
      await allWell(correspondence, disturbance.strokes)
    })

    it('so it is when one ack in twenty is lost', async () => {
      const fault = await fleet.fault({ kind: 'drop-acks', share: 0.05, target: { all: true } })
      const correspondence = await Correspondence.open(fleet, 'acks', lines)
      const disturbance = disturb(steps(perChat))
      await correspondence.write(perChat, disturbance.progress)
      await disturbance.over()
      await allWell(correspondence, disturbance.strokes)
      await fault.end()
    })

    it('so it is when the table fails, is slow and loses answers', async () => {
      const { local } = fleet.place
      const faults = [
        { share: 0.1, how: { kind: 'refuse', status: 500 } },
        { share: 0.05, how: { kind: 'lose_answer' } },
        { share: 0.05, how: { kind: 'delay', delayMs: 1_500 } },
      ] as const
      const standing = faults.map((fault) => local.injectFault({ service: 'dynamodb', caller: 'connector', ...fault }))
      const correspondence = await Correspondence.open(fleet, 'storage', lines)
      const disturbance = disturb(steps(perChat))
      await correspondence.write(perChat, disturbance.progress)
      await disturbance.over()
      for (const fault of standing) expect(fault.met).toBeGreaterThan(0)
      for (const fault of standing) fault.end()
      await allWell(correspondence, disturbance.strokes)
    })

    it('what comes in under the same kills is stored and published once', async () => {
      const correspondence = await Correspondence.open(fleet, 'inbound', lines)
      const disturbance = disturb(connections * 3 * perInboundChat)
      await correspondence.receive(perInboundChat, disturbance.progress)
      await disturbance.over()
      expect(disturbance.strokes).toBeGreaterThanOrEqual(strokes)
      await allWell(correspondence, disturbance.strokes)
    })

    it('poison on every way in blocks nothing, is kept with its reason, and is looked after by the admin API', async () => {
      const admin = rest(fleet.place.httpUrl, fleet.place.adminApiKey)
      const [line] = lines as readonly [Line]
      const foreign = {
        version: 1,
        businessProfileId: 'bp_other',
        connectionId: line.connectionId,
        to: '+4915112345678',
      }
      const bodies = {
        malformed: '{"version":1,',
        incomplete: '{"version":1}',
        foreign: JSON.stringify({ ...foreign, type: 'text', text: { body: 'hello' } }),
        oversize: JSON.stringify({ ...foreign, type: 'text', text: { body: 'x'.repeat(70_000) } }),
      }
      const correspondence = await Correspondence.open(fleet, 'poison', lines)
      await correspondence.poison(Object.values(bodies))
      await correspondence.write(3)
      for (const queue of ['sends', 'sends-fifo', 'doorbells'] as const) {
        let items: readonly { readonly id: string; readonly body: string; readonly reason?: string }[] = []
        const look = async () => {
          items = ok(await admin.get(`/admin/dead-letters/${queue}/messages?limit=${Object.keys(bodies).length}`)).items
          return items.length
        }
        await expect.poll(look, { timeout: boundMs, interval: 500 }).toBe(Object.keys(bodies).length)
        expect(items.map(({ body }) => body).sort()).toEqual(Object.values(bodies).sort())
        for (const { reason } of items) expect(reason).toEqual(expect.any(String))
        const ids = items.map(({ id }) => id)
        const dropped = ok(await admin.post(`/admin/dead-letters/${queue}/drop`, { ids }))
        expect(dropped.items).toEqual(ids.map((id) => ({ id, outcome: 'dropped' })))
      }
      await allWell(correspondence)
    })

    it('what is accepted while WhatsApp is silent arrives afterwards, once, and is called sent by no one before', async () => {
      const fault = await fleet.fault({ kind: 'silent', target: { all: true } })
      const until = performance.now() + silentMs
      const correspondence = await Correspondence.open(fleet, 'silent', lines)
      await correspondence.write(Math.ceil(Math.min(size.sends, 300) / connections / 3))
      await delay(Math.max(0, until - performance.now()))
      const early = fleet.observer.frames.filter(
        ({ event, data }) =>
          event === 'message-status' && data.text?.body?.startsWith('silent ') && data.sentAt !== undefined,
      )
      expect(early).toEqual([])
      await fault.end()
      await allWell(correspondence)
    })
  },
)
