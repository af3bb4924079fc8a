import { inboundMessageIdOf, messageKey } from '../../shared/aws/ids.ts'
import type { InboundRow } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef, Epoch, EpochMs } from '../../shared/domain/words.ts'
import type { InboundMessage } from '../ports.ts'

const keptMsDefault = 90 * 24 * 60 * 60_000

/** The row of a received message. Its id follows from chat, sender and WhatsApp's id, so that a redelivery finds it there. */
export function inboundRow(
  ref: ConnectionRef,
  epoch: Epoch,
  message: InboundMessage,
  now: EpochMs,
  keptMs = keptMsDefault,
): InboundRow {
  const messageId = inboundMessageIdOf(message.chat, message.sender, message.whatsappId)
  const at = new Date(now).toISOString()
  return {
    ...ref,
    direction: 'inbound',
    key: messageKey(messageId),
    messageId,
    whatsappId: message.whatsappId,
    chat: message.chat,
    sender: message.sender,
    from: {
      ...(message.senderPhoneNumber === undefined ? {} : { phoneNumber: message.senderPhoneNumber }),
      ...(message.senderLid === undefined ? {} : { lid: message.senderLid }),
      ...(message.name === undefined ? {} : { name: message.name }),
    },
    content: message.content,
    sentAt: new Date(message.sentAt).toISOString(),
    receivedAt: at,
    version: 1,
    epoch,
    createdAt: at,
    updatedAt: at,
    expireAt: Math.floor((now + keptMs) / 1_000),
  }
}
