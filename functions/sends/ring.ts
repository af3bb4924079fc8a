import type { DoorbellRinger } from '../../shared/domain/stores/doorbell.ts'
import type { ApiMessages, OutboundRow } from '../../shared/domain/stores/messages.ts'
import type { IsoTime } from '../../shared/domain/words.ts'

/** Rings for a waiting send under a new generation, so that the queue's deduplication never swallows it, and notes it. */
export async function ringForSend(
  stores: { readonly doorbells: DoorbellRinger; readonly messages: Pick<ApiMessages, 'markEnqueued'> },
  row: OutboundRow,
  at: IsoTime,
): Promise<void> {
  const { businessProfileId, connectionId, messageId, whatsappId, partition } = row
  const ref = { businessProfileId, connectionId }
  const generation = row.generation + 1
  await stores.doorbells.ring(partition, { kind: 'send', ...ref, messageId, generation }, row.origin?.trace)
  await stores.messages.markEnqueued(ref, whatsappId, generation, at)
}
