import { type ChangeFrame, resumeSeconds } from '../../shared/api/live.ts'
import type { LiveStore, Subscription } from '../../shared/aws/live.ts'
import type { ChangedMessage, LiveChanges } from '../../shared/aws/live-changes.ts'
import type { BusinessProfileId, EpochMs } from '../../shared/domain/words.ts'
import { bounded } from '../bounded.ts'
import { log } from '../log.ts'
import { stillTrue } from './expiry.ts'
import { isMessageFrame, payloads } from './pack.ts'
import { type Sockets, socketsAtOnce } from './sockets.ts'

/** A socket that API Gateway does not know yet may still be connecting for this long. */
export const connectingMs = 30_000
/** Posts are begun for so long. With the time that a post may take, it is less than the function has. */
const postingMsMax = 18_000

export interface FanOutPorts {
  readonly live: Pick<LiveStore, 'subscriptionsOf' | 'removeSocket'>
  readonly changes: Pick<LiveChanges, 'note'>
  readonly sockets: Sockets
}

export interface FanOutResult {
  readonly delivered: number
  /** Missed a change and could not be closed either: close them later. */
  readonly unclosed: readonly string[]
}

/**
 * Sends changes to every socket of the business profile that listens to them. Rejects when its sockets cannot be read.
 *
 * What changed is noted before the sockets are read: a client is among them, or it connects later and finds the note.
 */
export async function fanOut(
  { live, changes, sockets }: FanOutPorts,
  businessProfileId: BusinessProfileId,
  told: readonly ChangeFrame[],
  nowMs: EpochMs,
): Promise<FanOutResult> {
  const frames = told.map((frame) => stillTrue(frame, nowMs))
  const changed = frames.flatMap(changedMessage)
  if (changed.length > 0) await changes.note(businessProfileId, changed, nowMs, resumeSeconds * 1_000)
  const subscriptions = await live.subscriptionsOf(businessProfileId)
  const endsAt = performance.now() + postingMsMax
  const everything = payloads(frames)
  const results = await bounded(subscriptions, socketsAtOnce, async (subscription) => {
    const messages =
      subscription.interest.kind === 'all'
        ? everything
        : payloads(frames.filter((frame) => listens(subscription, frame.connectionId)))
    return { kind: await deliver(subscription, messages), socketId: subscription.socketId }
  })
  return {
    delivered: results.filter(({ kind }) => kind === 'delivered').length,
    unclosed: results.filter(({ kind }) => kind === 'unclosed').map(({ socketId }) => socketId),
  }

  async function deliver(
    subscription: Subscription,
    messages: readonly string[],
  ): Promise<'delivered' | 'gone' | 'closed' | 'unclosed'> {
    for (const message of messages) {
      if (performance.now() > endsAt) return forget(subscription, 'no time was left')
      const delivery = await sockets.post(subscription.socketId, message)
      if (delivery.kind === 'delivered') continue
      if (delivery.kind === 'failed') return forget(subscription, delivery.error)
      if (!mayBeConnecting(subscription, nowMs)) await live.removeSocket(subscription.socketId, businessProfileId)
      return 'gone'
    }
    return 'delivered'
  }

  /**
   * It has missed a change and does not know: closed, it comes back for a snapshot and for what it missed. Forgotten first, it
   * hears of nothing later either, so what it heard last is from before what it missed.
   */
  async function forget({ socketId }: Subscription, why: Error | string): Promise<'closed' | 'unclosed'> {
    log.warn('socket is closed: a change could not be delivered', { socketId, why: String(why) })
    await live.removeSocket(socketId, businessProfileId)
    if (performance.now() > endsAt) return 'unclosed'
    return (await sockets.close(socketId)).kind === 'failed' ? 'unclosed' : 'closed'
  }
}

function changedMessage(frame: ChangeFrame): readonly ChangedMessage[] {
  return isMessageFrame(frame) ? [{ connectionId: frame.connectionId, messageId: frame.data.messageId }] : []
}

export function listens({ interest }: Subscription, connectionId: string): boolean {
  return interest.kind === 'all' || interest.connectionIds.includes(connectionId)
}

export function mayBeConnecting({ connectedAt }: Subscription, nowMs: EpochMs): boolean {
  return nowMs - Date.parse(connectedAt) < connectingMs
}
