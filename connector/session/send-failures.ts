import type { SendError } from '../../shared/domain/words.ts'

/** Why a send failed, in a sentence for the person who sent it. */
export const expired: SendError = {
  code: 'expired',
  message: 'The message could not be sent before its deadline.',
}

/** A later ack or receipt overrides it. */
export const unconfirmed: SendError = {
  code: 'unconfirmed',
  message: 'The message may have been sent, but WhatsApp did not confirm it in time.',
}

export const newChatsRestricted: SendError = {
  code: 'new_chats_restricted',
  message: 'WhatsApp does not let this number start new chats at the moment.',
}

export function rejected(whatsappCode: string): SendError {
  return {
    code: 'rejected_by_whatsapp',
    message: `WhatsApp refused the message (code ${whatsappCode}).`,
    whatsappCode,
  }
}
