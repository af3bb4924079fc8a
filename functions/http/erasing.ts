import { given } from '../../shared/api/connections.ts'
import type { Erasure, ErasureSubject, Erasures } from '../../shared/aws/erasures.ts'
import { newErasureId } from '../../shared/aws/ids.ts'
import type { BusinessProfileId } from '../../shared/domain/words.ts'
import { isoNow } from '../time.ts'

/** Starts a job that the minutely function goes on with. */
export async function startErasure(
  erasures: Erasures,
  businessProfileId: BusinessProfileId,
  subject: ErasureSubject,
  erasureId = newErasureId(Date.now()),
): Promise<Erasure> {
  const now = isoNow()
  const erasure: Erasure = {
    erasureId,
    businessProfileId,
    subject,
    state: 'running',
    progress: 'It begins within a minute.',
    erasedMessages: 0,
    erasedConnections: 0,
    connectionIds: [],
    createdAt: now,
    updatedAt: now,
  }
  await erasures.start(erasure)
  return erasure
}

export function publicErasure(erasure: Erasure) {
  const { erasureId, businessProfileId, subject, state, progress, erasedMessages, erasedConnections } = erasure
  const { createdAt, updatedAt, endedAt } = erasure
  return {
    erasureId,
    businessProfileId,
    subject: { ...subject },
    state,
    progress,
    erasedMessages,
    erasedConnections,
    createdAt,
    updatedAt,
    ...given('endedAt', endedAt),
  }
}
