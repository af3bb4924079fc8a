import * as ids from '../../shared/aws/ids.ts'
import type { InboundRow, OutboundRow, SendStep } from '../../shared/domain/stores/messages.ts'
import type { SendErrorCode } from '../../shared/domain/words.ts'

export const ref = { businessProfileId: 'bp_1', connectionId: 'con_1' }
export const at = (second: number): string => new Date(Date.UTC(2026, 0, 31, 12, 0, second)).toISOString()
export const expired = { code: 'expired', message: 'Not sent before its deadline.' } as const
export const failure = (code: SendErrorCode): SendStep => ({
  status: 'failed',
  at: at(1),
  error: { code, message: 'Failed.' },
})

/** A send as the API accepts it: queued, waiting in partition 3. */
export function send(changes: Partial<OutboundRow> = {}): Omit<OutboundRow, 'seq'> {
  const where = { ...ref, ...changes }
  const messageId =
    changes.messageId ??
    (changes.idempotencyKey === undefined ? ids.newMessageId() : ids.messageIdOf(where, changes.idempotencyKey))
  return {
    ...ref,
    direction: 'outbound',
    key: ids.messageKey(messageId),
    messageId,
    whatsappId: ids.whatsappIdOf(messageId),
    chat: '94714515253@s.whatsapp.net',
    to: '+94714515253',
    content: { type: 'text', text: { body: 'Hello' } },
    status: 'queued',
    partition: 3,
    waitingPartition: 3,
    generation: 0,
    version: 1,
    epoch: 0,
    bodyHash: 'hash of the body',
    createdAt: at(0),
    updatedAt: at(0),
    deadlineAt: at(3_600),
    expireAt: 2_000_000_000,
    ...changes,
  }
}

/** A message that came in. */
export function received(changes: Partial<InboundRow> = {}): InboundRow {
  const whatsappId = changes.whatsappId ?? '3A0000000000000001'
  const chat = '94714515253@s.whatsapp.net'
  const messageId = ids.inboundMessageIdOf(chat, chat, whatsappId)
  return {
    ...ref,
    direction: 'inbound',
    key: ids.messageKey(messageId),
    messageId,
    whatsappId,
    chat,
    from: { phoneNumber: '+94714515253', name: 'A' },
    content: { type: 'text', text: { body: 'Hi' } },
    version: 1,
    epoch: 1,
    sentAt: at(0),
    receivedAt: at(1),
    createdAt: at(1),
    updatedAt: at(1),
    expireAt: 2_000_000_000,
    ...changes,
  }
}
