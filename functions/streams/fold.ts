import type { ChangeFrame } from '../../shared/api/live.ts'
import type { BusinessProfileId } from '../../shared/domain/words.ts'
import { latest } from '../live/frames.ts'

/** What a stream record has to tell. */
export interface News {
  readonly businessProfileId: BusinessProfileId
  /** Of news with the same key only the latest is told. */
  readonly key: string
  readonly frame: ChangeFrame
}

/** What one business profile's sockets are to hear, and which records it came from. */
export interface Outgoing {
  readonly businessProfileId: BusinessProfileId
  readonly frames: readonly ChangeFrame[]
  readonly sequenceNumbers: readonly string[]
}

/** The latest per key, in the order of each key's last change, per business profile. */
export function fold(news: readonly (News & { readonly sequenceNumber: string })[]): readonly Outgoing[] {
  const profiles = Map.groupBy(news, ({ businessProfileId }) => businessProfileId)
  return [...profiles].map(([businessProfileId, ofProfile]) => {
    const byKey = new Map<string, ChangeFrame>()
    for (const { key, frame } of ofProfile) {
      const earlier = byKey.get(key)
      byKey.delete(key)
      byKey.set(key, earlier === undefined ? frame : latest(earlier, frame))
    }
    return {
      businessProfileId,
      frames: [...byKey.values()],
      sequenceNumbers: ofProfile.map(({ sequenceNumber }) => sequenceNumber),
    }
  })
}
