import type { BusinessProfileId, ConnectionId, EpochMs, IsoTime } from './words.ts'

/**
 * Words
 *   webhook     an endpoint of a business profile that events are posted to
 *   lane        the events of one connection on their way to one webhook: first in, first out. Events about no connection have
 *               a lane of their own
 *   doorbell    a message on the webhooks' FIFO queue that says "look at this lane"; its group is the lane
 *   dead letter an event that was tried for a day and given up, so that its lane could go on
 */

export interface WebhookRef {
  readonly businessProfileId: BusinessProfileId
  readonly webhookId: string
}

export interface LaneRef extends WebhookRef {
  readonly lane: ConnectionId | typeof profileLane
}

/** Lane of events that are about no connection. */
export const profileLane = '-'

export type WebhookState = 'active' | 'paused'

/** `requested`: by its owner. `failing`: nothing could be delivered for a day. `gone`: it answered 410. */
export const pauseReasons = ['requested', 'failing', 'gone'] as const
export type PauseReason = (typeof pauseReasons)[number]

export interface Webhook extends WebhookRef {
  readonly url: string
  readonly label?: string
  /** Names of events; absent: all. */
  readonly events?: readonly string[]
  /** Absent: all, and what is about no connection. */
  readonly connectionIds?: readonly ConnectionId[]
  /** What its owner may see of the headers that go with each request: their values may be keys. */
  readonly headerNames: readonly string[]
  /** Signing secrets and header values, encrypted; see `shared/aws/webhook-secrets.ts`. */
  readonly sealed: string
  readonly state: WebhookState
  readonly paused?: { readonly reason: PauseReason; readonly message: string; readonly at: IsoTime }
  /** From when on its events have a day: those that waited while it was paused too. */
  readonly resumedAt?: IsoTime
  /** How long its profile keeps events; absent: as long as everybody. */
  readonly eventsDays?: number
  /** Rises with what its owner changes, and with a pause. */
  readonly version: number
  readonly createdAt: IsoTime
  readonly updatedAt: IsoTime
  /** Rounds of failures in a row, over all lanes. Absent: the last delivery went well. */
  readonly failures?: number
  readonly failingSince?: IsoTime
  readonly lastError?: string
  /** No lane calls it before then. */
  readonly retryAt?: IsoTime
}

/** What decides when a failed delivery is tried again and when it is given up. Milliseconds. */
export interface DeliveryPolicy {
  readonly backoffBaseMs: number
  readonly backoffMaxMs: number
  /** How long an event is tried, and how long an endpoint may fail before it is paused. */
  readonly giveUpMs: number
}

/** Before the attempt after the n-th failure in a row: doubling from the base, with up to a fifth on top. */
export function retryDelayMs(failures: number, random: number, policy: DeliveryPolicy): number {
  const delayMs = Math.min(policy.backoffMaxMs, policy.backoffBaseMs * 2 ** Math.min(failures - 1, 30))
  return Math.round(delayMs * (1 + 0.2 * random))
}

export type Attempt =
  | { readonly kind: 'delivered'; readonly statusCode: number; readonly durationMs: number }
  | {
      readonly kind: 'failed'
      /** Absent where no answer came. */
      readonly statusCode?: number
      readonly durationMs: number
      /** One sentence, without anything of the answer's body. */
      readonly error: string
    }

export type AfterFailure =
  /** The lane waits; the event stays its first. */
  | { readonly kind: 'retry'; readonly atMs: EpochMs }
  /** The event is given up, the lane goes on. */
  | { readonly kind: 'give_up' }
  | { readonly kind: 'pause'; readonly reason: Exclude<PauseReason, 'requested'>; readonly message: string }

/**
 * What follows from a failed attempt. An endpoint that takes nothing for as long as an event is tried is paused, and its events
 * wait for it; where it takes others, the one event is given up.
 *
 * @param failures of this lane in a row, this one counted
 * @param waitingSinceMs when the event came
 * @param webhook as it was before this attempt
 */
export function afterFailure(
  attempt: Extract<Attempt, { kind: 'failed' }>,
  failures: number,
  waitingSinceMs: EpochMs,
  webhook: Pick<Webhook, 'failingSince' | 'resumedAt'>,
  nowMs: EpochMs,
  random: number,
  policy: DeliveryPolicy,
): AfterFailure {
  if (attempt.statusCode === 410) return { kind: 'pause', reason: 'gone', message: 'The endpoint answered 410 Gone.' }
  const { failingSince, resumedAt } = webhook
  if (failingSince !== undefined && nowMs - Date.parse(failingSince) >= policy.giveUpMs) {
    const hours = Math.round(policy.giveUpMs / 3_600_000)
    const message = `Nothing could be delivered for ${hours} h. Last: ${attempt.error}`
    return { kind: 'pause', reason: 'failing', message }
  }
  const sinceMs = Math.max(waitingSinceMs, resumedAt === undefined ? 0 : Date.parse(resumedAt))
  if (nowMs - sinceMs >= policy.giveUpMs) return { kind: 'give_up' }
  return { kind: 'retry', atMs: nowMs + retryDelayMs(failures, random, policy) }
}

/** Whether an endpoint wants an event. */
export function wants(
  { events, connectionIds }: Pick<Webhook, 'events' | 'connectionIds'>,
  event: { readonly event: string; readonly connectionId: ConnectionId | null },
): boolean {
  if (events !== undefined && !events.includes(event.event)) return false
  return connectionIds === undefined || (event.connectionId !== null && connectionIds.includes(event.connectionId))
}
