import type { ChangeFrame } from '../../shared/api/live.ts'
import type { BusinessProfileId } from '../../shared/domain/words.ts'

/** A change of one item as a stream record tells it. */
export interface Change<Row> {
  readonly businessProfileId: BusinessProfileId
  /** Changes with the same key are folded into one, from the first `before` to the last `after`. */
  readonly key: string
  readonly before?: Row
  readonly after?: Row
  readonly sequenceNumber: string
}

/** What came of the records with one key. */
export interface Folded<Row> {
  readonly businessProfileId: BusinessProfileId
  readonly before?: Row
  readonly after?: Row
  readonly sequenceNumbers: readonly string[]
}

/** Keeps the latest state per key, in the order of each key's last change. */
export function fold<Row>(changes: readonly Change<Row>[]): readonly Folded<Row>[] {
  const byKey = new Map<string, Folded<Row>>()
  for (const { key, businessProfileId, before, after, sequenceNumber } of changes) {
    const earlier = byKey.get(key)
    byKey.delete(key)
    const first = earlier === undefined ? before : earlier.before
    byKey.set(key, {
      businessProfileId,
      ...(first === undefined ? {} : { before: first }),
      ...(after === undefined ? {} : { after }),
      sequenceNumbers: [...(earlier?.sequenceNumbers ?? []), sequenceNumber],
    })
  }
  return [...byKey.values()]
}

/** What one business profile's sockets are to hear, and which records it came from. */
export interface Outgoing {
  readonly businessProfileId: BusinessProfileId
  readonly frames: ChangeFrame[]
  readonly sequenceNumbers: string[]
}

export function byBusinessProfile<Row>(
  folded: readonly Folded<Row>[],
  frameOf: (before: Row | undefined, after: Row | undefined) => ChangeFrame | undefined,
): readonly Outgoing[] {
  const outgoing = new Map<BusinessProfileId, Outgoing>()
  for (const { businessProfileId, before, after, sequenceNumbers } of folded) {
    const frame = frameOf(before, after)
    if (frame === undefined) continue
    const entry = outgoing.get(businessProfileId) ?? { businessProfileId, frames: [], sequenceNumbers: [] }
    entry.frames.push(frame)
    entry.sequenceNumbers.push(...sequenceNumbers)
    outgoing.set(businessProfileId, entry)
  }
  return [...outgoing.values()]
}
