import { generateWAMessage, jidDecode, type proto } from '@whiskeysockets/baileys'
import type { MessageLookup } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef, SendContent } from '../../shared/domain/words.ts'
import type { ConnectionAuthState } from '../auth/auth-state.ts'
import type { OutboundMedia } from '../media/outbound.ts'
import { type OutboundContent, outboundContent, pollSecret, referenceOf } from './outbound-content.ts'
import { idsOfPerson } from './person-ids.ts'

/** Makes of a send what Baileys sends, with what it refers to found in the stored messages. */
export class Composer {
  readonly #ref: ConnectionRef
  readonly #state: Pick<ConnectionAuthState, 'creds' | 'read'>
  readonly #messages: MessageLookup | undefined
  readonly #media: Pick<OutboundMedia, 'uploaded'> | undefined

  constructor(
    ref: ConnectionRef,
    state: Pick<ConnectionAuthState, 'creds' | 'read'>,
    messages: MessageLookup | undefined,
    media?: Pick<OutboundMedia, 'uploaded'>,
  ) {
    this.#ref = ref
    this.#state = state
    this.#messages = messages
    this.#media = media
  }

  /** Rejects where the messages or media can't be read now. */
  async compose(whatsappId: string, chat: string, content: SendContent): Promise<OutboundContent> {
    const reference = referenceOf(content)
    const where = idsOfPerson(chat, this.#state).map((jid) => ({ chat: jid, sender: jid }))
    const referred = reference && (await this.#messages?.find(this.#ref, reference.id, where))
    const upload = await this.#media?.uploaded(this.#ref, whatsappId, content)
    return outboundContent(content, {
      chat,
      ...(upload && { upload }),
      ...(referred && { referred }),
      pollSecret: pollSecret(this.#state.creds.advSecretKey ?? '', whatsappId),
    })
  }

  /** What was sent, for a contact whose phone asks for it again. Undefined where it can't be made any more. */
  async again(whatsappId: string, chat: string, content: SendContent): Promise<proto.IMessage | undefined> {
    const composed = await this.compose(whatsappId, chat, content)
    const { me } = this.#state.creds
    if (composed.kind !== 'message' || me === undefined || jidDecode(chat) === undefined) return undefined
    const { content: message, options } = composed.message
    const made = await generateWAMessage(chat, message, {
      ...options,
      messageId: whatsappId,
      userJid: me.id,
      upload: () => Promise.reject(new Error('nothing is uploaded for a message that is sent again')),
    })
    return made.message ?? undefined
  }
}
