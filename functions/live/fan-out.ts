import type { ChangeFrame } from '../../shared/api/live.ts'
import type { LiveStore, Subscription } from '../../shared/aws/live.ts'
import type { BusinessProfileId, EpochMs } from '../../shared/domain/words.ts'
import { bounded } from '../bounded.ts'
import { log } from '../log.ts'
import { payloads } from './pack.ts'
import type { Sockets } from './sockets.ts'

/** A socket that API Gateway does not know yet may still be connecting for this long. */
export const connectingMs = 30_000
const postsAtOnce = 25

export interface FanOutPorts {
  readonly live: Pick<LiveStore, 'subscriptionsOf' | 'removeSocket'>
  readonly sockets: Sockets
}

export interface FanOutResult {
  readonly delivered: number
  /** Missed a change and could not be closed either: close them later. */
  readonly unclosed: readonly string[]
}

/** Sends changes to every socket of the business profile that listens to them. Rejects when its sockets cannot be read. */
export async function fanOut(
  { live, sockets }: FanOutPorts,
  businessProfileId: BusinessProfileId,
  frames: readonly ChangeFrame[],
  nowMs: EpochMs,
): Promise<FanOutResult> {
  const subscriptions = await live.subscriptionsOf(businessProfileId)
  const results = await bounded(subscriptions, postsAtOnce, async (subscription) => {
    const wanted = frames.filter((frame) => listens(subscription, frame.connectionId))
    const kind = await deliver(subscription, payloads(wanted))
    return { kind, socketId: subscription.socketId }
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
      const delivery = await sockets.post(subscription.socketId, message)
      if (delivery.kind === 'delivered') continue
      if (delivery.kind === 'gone') {
        if (!mayBeConnecting(subscription, nowMs)) await live.removeSocket(subscription.socketId, businessProfileId)
        return 'gone'
      }
      // It has missed a change and does not know: closed, it comes back and gets a snapshot.
      log.warn('socket is closed: a change could not be delivered', {
        socketId: subscription.socketId,
        error: delivery.error,
      })
      return (await sockets.close(subscription.socketId)).kind === 'failed' ? 'unclosed' : 'closed'
    }
    return 'delivered'
  }
}

export function listens({ interest }: Subscription, connectionId: string): boolean {
  return interest.kind === 'all' || interest.connectionIds.includes(connectionId)
}

export function mayBeConnecting({ connectedAt }: Subscription, nowMs: EpochMs): boolean {
  return nowMs - Date.parse(connectedAt) < connectingMs
}
