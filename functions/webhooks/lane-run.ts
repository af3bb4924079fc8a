import type { PendingEvent, WebhookLanes } from '../../shared/aws/webhook-lanes.ts'
import type { Webhooks } from '../../shared/aws/webhooks.ts'
import {
  type AfterFailure,
  type Attempt,
  afterFailure,
  type DeliveryPolicy,
  type LaneRef,
  profileLane,
  retryDelayMs,
  type Webhook,
} from '../../shared/domain/webhooks.ts'
import { assertNever, type EpochMs } from '../../shared/domain/words.ts'
import { log } from '../log.ts'
import { type DeliverPorts, deliver } from './deliver.ts'
import type { Poster } from './post.ts'

export interface LanePorts extends DeliverPorts {
  readonly webhooks: Pick<Webhooks, 'get' | 'pause' | 'noteFailure' | 'noteSuccess'>
  readonly lanes: WebhookLanes
  readonly openPoster: () => Poster
  /** Tells everybody else that an endpoint is about to be paused. Rejects where that could not be stored. */
  readonly announcePause: (webhook: Webhook, pause: Extract<AfterFailure, { kind: 'pause' }>) => Promise<void>
}

export interface LaneSettings extends DeliveryPolicy {
  /** Lanes that may call one endpoint at the same time, so that a slow one does not take every place there is. */
  readonly lanesAtOnce: number
  /** After this no further event of the lane is begun. */
  readonly runMs: number
}

export type LaneOutcome =
  /** Nothing waits, or nobody may deliver it now: the doorbell is answered. */
  | { readonly kind: 'answered' }
  /** More waits: ring anew. */
  | { readonly kind: 'more' }
  /** The doorbell comes again then. */
  | { readonly kind: 'later'; readonly atMs: EpochMs }

const eventsRead = 10
/** How long a place at an endpoint is held at most: longer than any run. */
const slotMs = 60_000
const slotRetryMs = 1_500

/**
 * Answers a doorbell: delivers what waits in a lane, in order, until it is empty, an attempt fails, or time is up. Rejects where
 * a store does not answer; the doorbell then comes again by itself.
 */
export async function runLane(ports: LanePorts, settings: LaneSettings, ref: LaneRef): Promise<LaneOutcome> {
  const { webhooks, lanes } = ports
  const startedAtMs = Date.now()
  const [webhook, lane] = await Promise.all([webhooks.get(ref), lanes.get(ref)])
  // Of a webhook that is gone everything is removed by a doorbell of its own.
  if (webhook === undefined || lane === undefined || !lane.open) return { kind: 'answered' }
  if (webhook.state === 'paused') {
    await lanes.park(ref)
    return { kind: 'answered' }
  }
  const notBeforeMs = Math.max(timeOf(lane.nextAttemptAt), timeOf(webhook.retryAt))
  if (notBeforeMs > startedAtMs) return later(notBeforeMs + Math.random() * settings.backoffBaseMs * 0.1)

  const slot = await lanes.takeSlot(ref, settings.lanesAtOnce, startedAtMs, startedAtMs + slotMs)
  if (slot === undefined) return later(startedAtMs + slotRetryMs * (1 + Math.random()))
  const poster = ports.openPoster()
  try {
    return await run(poster, webhook)
  } finally {
    poster.close()
    await lanes.giveBack(ref, slot).catch(() => undefined)
  }

  async function later(atMs: EpochMs): Promise<LaneOutcome> {
    await lanes.postpone(ref, atMs)
    return { kind: 'later', atMs }
  }

  async function run(poster: Poster, seen: Webhook): Promise<LaneOutcome> {
    let healthy = seen.failures === undefined
    for (;;) {
      const current = await lanes.get(ref)
      if (current === undefined || !current.open) return { kind: 'answered' }
      let { attempts } = current
      const waiting = await lanes.next(ref, eventsRead)
      if (waiting.length === 0) {
        if (await lanes.close(ref, current.generation)) return { kind: 'answered' }
        continue
      }
      for (const event of waiting) {
        if (Date.now() - startedAtMs > settings.runMs) return { kind: 'more' }
        const attempt = await deliver(ports, poster, seen, event, connectionOf(ref), attempts + 1)
        if (attempt.kind === 'failed') {
          const after = await failed(seen, event, attempt, attempts + 1)
          if (after.kind !== 'more') return after
          attempts = 0
          continue
        }
        await lanes.done(ref, event)
        if (!healthy) {
          await webhooks.noteSuccess(ref)
          healthy = true
        }
        if (attempts > 0) await lanes.clearAttempts(ref)
        attempts = 0
      }
    }
  }

  /** `more`: the event is given up, the lane goes on. */
  async function failed(
    seen: Webhook,
    event: PendingEvent,
    attempt: Extract<Attempt, { kind: 'failed' }>,
    failures: number,
  ): Promise<LaneOutcome> {
    const nowMs = Date.now()
    const waitingSinceMs = Date.parse(event.waitingSince)
    const after = afterFailure(attempt, failures, waitingSinceMs, seen, nowMs, Math.random(), settings)
    const { webhookId } = ref
    log.info('not delivered', { webhookId, eventId: event.eventId, failures, reason: attempt.error, next: after.kind })
    switch (after.kind) {
      case 'retry': {
        const rounds = (seen.failures ?? 0) + 1
        const retryAt = iso(nowMs + retryDelayMs(rounds, 0, settings))
        await webhooks.noteFailure(ref, rounds, attempt.error, iso(startedAtMs), retryAt)
        await lanes.retry(ref, failures, after.atMs)
        return { kind: 'later', atMs: after.atMs }
      }
      case 'give_up':
        await lanes.bury(ref, event, failures, attempt.error, nowMs, seen.eventsDays)
        await lanes.clearAttempts(ref)
        return { kind: 'more' }
      case 'pause': {
        // Told first: a crash in between tells it again, under the same id.
        await ports.announcePause(seen, after)
        const paused = await webhooks.pause(ref, after.reason, after.message, iso(nowMs), seen.version)
        // Its owner changed something meanwhile, perhaps just what was wrong.
        if (paused.kind === 'changed') return later(nowMs + settings.backoffBaseMs)
        await lanes.park(ref)
        return { kind: 'answered' }
      }
      default:
        return assertNever(after)
    }
  }
}

const iso = (ms: EpochMs): string => new Date(ms).toISOString()
const timeOf = (time: string | undefined): EpochMs => (time === undefined ? 0 : Date.parse(time))
const connectionOf = ({ lane }: LaneRef): string | null => (lane === profileLane ? null : lane)
