import type { proto } from '@whiskeysockets/baileys'
import type { InboundContent, ReceivedMedium } from '../../shared/domain/content.ts'
import { assertNever, type SendContent } from '../../shared/domain/words.ts'
import { writeVcard } from './vcard.ts'

/** What a reply shows of the message that it answers, from the stored row. */
export function quotedContent(content: SendContent | InboundContent): proto.IMessage {
  switch (content.type) {
    case 'text':
      return { conversation: content.text.body }
    case 'location': {
      const { latitude, longitude, name, address } = content.location
      return { locationMessage: { degreesLatitude: latitude, degreesLongitude: longitude, name, address } }
    }
    case 'contacts': {
      const [first, ...others] = content.contacts
      if (first === undefined) return { conversation: '' }
      const contacts = [first, ...others].map((card) => ({
        displayName: card.name.formatted_name,
        vcard: writeVcard(card),
      }))
      if (others.length === 0) return { contactMessage: contacts[0] }
      return { contactsArrayMessage: { displayName: first.name.formatted_name, contacts } }
    }
    case 'poll':
      return {
        pollCreationMessage: {
          name: content.poll.name,
          options: content.poll.options.map((optionName) => ({ optionName })),
          selectableOptionsCount: content.poll.selectableCount,
        },
      }
    case 'image':
      return { imageMessage: medium(content.image) }
    case 'video':
      return { videoMessage: medium(content.video) }
    case 'audio':
      return { audioMessage: { ...medium(content.audio), ptt: content.audio.voice } }
    case 'document':
      return { documentMessage: { ...medium(content.document), fileName: content.document.filename } }
    case 'sticker':
      return { stickerMessage: medium(content.sticker) }
    // What is done to a message is not answered; what is not known can't be shown.
    case 'reaction':
    case 'edit':
    case 'delete':
    case 'poll_vote':
    case 'unsupported':
      return { conversation: '' }
    default:
      return assertNever(content)
  }
}

function medium({ mimeType, caption, seconds, width, height }: ReceivedMedium) {
  return { mimetype: mimeType, caption, seconds, width, height }
}
