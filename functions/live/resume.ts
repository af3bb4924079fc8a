import { type ChangeFrame, type ResumedFrame, resumeSeconds } from '../../shared/api/live.ts'
import type { Subscription } from '../../shared/aws/live.ts'
import type { LiveChanges } from '../../shared/aws/live-changes.ts'
import type { MessageRow } from '../../shared/domain/stores/messages.ts'
import type { BusinessProfileId, EpochMs, MessageId } from '../../shared/domain/words.ts'
import { isoNow } from '../time.ts'
import { listens } from './fan-out.ts'
import { messageFrame } from './frames.ts'
import { payloads } from './pack.ts'

/** Of more than this a client reads by REST. */
const messagesMax = 1_000
/**
 * Changes are noted by the clock of whoever publishes them, before they go out, and `since` is of another clock: a frame heard
 * last says that all was heard that was noted this long before.
 */
const overlapMs = 60_000

export interface ResumePorts {
  readonly changes: Pick<LiveChanges, 'since'>
  /** In the order asked for; what is gone is left out. */
  readonly messages: (
    names: readonly {
      readonly businessProfileId: BusinessProfileId
      readonly connectionId: string
      readonly messageId: MessageId
    }[],
  ) => Promise<readonly MessageRow[]>
}

/**
 * The messages that changed while a client was away, each as it is now, and the word that this was all. Empty for a client that
 * was not connected before.
 */
export async function resumePayloads(
  { changes, messages }: ResumePorts,
  subscription: Subscription,
  nowMs: EpochMs,
): Promise<readonly string[]> {
  const { since, businessProfileId, connectedAt, socketId, version } = subscription
  if (since === undefined) return []
  // A clock that is ahead must not hide anything.
  const fromMs = Math.min(Date.parse(since), Date.parse(connectedAt)) - overlapMs
  const kept = fromMs >= nowMs - resumeSeconds * 1_000
  const changed = kept
    ? (await changes.since(businessProfileId, fromMs)).filter(({ connectionId }) => listens(subscription, connectionId))
    : []
  const complete = kept && changed.length <= messagesMax
  const rows = complete ? await messages(changed.map((name) => ({ ...name, businessProfileId }))) : []
  const frames = rows.map(messageFrame)
  const resumed: ResumedFrame = {
    id: `resumed:${socketId}:${version}`,
    event: 'resumed',
    at: isoNow(),
    connectionId: null,
    version,
    data: { since, complete },
  }
  return [...payloads(frames satisfies ChangeFrame[]), JSON.stringify(resumed)]
}
