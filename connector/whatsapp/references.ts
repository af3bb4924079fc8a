import { createHash } from 'node:crypto'
import { decryptPollVote, jidDecode } from '@whiskeysockets/baileys'
import type { InboundContent } from '../../shared/domain/content.ts'
import type { MessageLookup, MessageRow } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import type { ConnectionAuthState } from '../auth/auth-state.ts'
import type { InboundMessage } from '../ports.ts'
import type { ReadMessage } from './inbound-content.ts'
import { pollSecret } from './outbound-content.ts'
import { idsOfPerson } from './person-ids.ts'

type State = Pick<ConnectionAuthState, 'creds' | 'read'>

/** Names what an inbound message is about by our message ids, and opens votes. */
export class References {
  readonly #ref: ConnectionRef
  readonly #state: State
  readonly #messages: MessageLookup | undefined

  constructor(ref: ConnectionRef, state: State, messages: MessageLookup | undefined) {
    this.#ref = ref
    this.#state = state
    this.#messages = messages
  }

  /** WhatsApp's own id stays where the message is not stored. Rejects where the messages can't be read now. */
  async resolve({ target, vote, ...message }: ReadMessage): Promise<InboundMessage> {
    if (target === undefined) return message
    const author = target.author ?? message.sender
    const found = await this.#messages?.find(this.#ref, target.whatsappId, this.#places(message.chat, author))
    const row = found && isMeant(found, message.chat, target.author) ? found : undefined
    const messageId = row?.messageId ?? target.whatsappId
    const content = withReference(message.content, messageId, target.author && this.#shown(target.author))
    if (content.type !== 'poll_vote') return { ...message, content }
    const options = vote && row && this.#options(message, vote, row)
    return options === undefined
      ? { ...message, content: { type: 'unsupported', kind: 'pollUpdateMessage' } }
      : { ...message, content: { type: 'poll_vote', poll_vote: { message_id: messageId, options } } }
  }

  #places(chat: string, author: string): readonly { readonly chat: string; readonly sender: string }[] {
    return idsOfPerson(author, this.#state).map((sender) => ({ chat: isPersonal(chat) ? sender : chat, sender }))
  }

  /** E.164 where known. */
  #shown(jid: string): string {
    const phone = this.#ids(jid).find((id) => id.endsWith('@s.whatsapp.net'))
    return phone === undefined ? jid : `+${jidDecode(phone)?.user}`
  }

  /** Ours too, of which no mapping is kept. */
  #ids(jid: string): readonly string[] {
    const own = [this.#state.creds.me?.id, this.#state.creds.me?.lid].flatMap((id) =>
      id === undefined ? [] : idsOfPerson(id, this.#state),
    )
    const ids = idsOfPerson(jid, this.#state)
    return ids.some((id) => own.includes(id)) ? [...new Set([...ids, ...own])] : ids
  }

  /** WhatsApp binds a vote to the JIDs of creator and voter, of which either form may have been used. */
  #options(message: InboundMessage, vote: NonNullable<ReadMessage['vote']>, poll: MessageRow): string[] | undefined {
    const { content } = poll
    const { me, advSecretKey } = this.#state.creds
    if (content.type !== 'poll' || me === undefined) return undefined
    const ours = poll.direction === 'outbound'
    const received = 'secret' in content.poll ? content.poll.secret : undefined
    const pollEncKey = ours
      ? pollSecret(advSecretKey ?? '', poll.whatsappId)
      : received === undefined
        ? undefined
        : Buffer.from(received, 'base64')
    if (pollEncKey === undefined) return undefined
    for (const pollCreatorJid of this.#ids(ours ? me.id : (poll.sender ?? ''))) {
      for (const voterJid of this.#ids(message.sender)) {
        const context = { pollCreatorJid, pollMsgId: poll.whatsappId, pollEncKey, voterJid }
        try {
          const chosen = decryptPollVote(vote, context).selectedOptions ?? []
          const hashes = new Set(chosen.map((hash) => Buffer.from(hash).toString('hex')))
          return content.poll.options.filter((option) => hashes.has(createHash('sha256').update(option).digest('hex')))
        } catch {
          // Not bound to these two.
        }
      }
    }
    return undefined
  }
}

/** Whose message is meant must be said where it is ours: nobody edits or deletes what another wrote by its id alone. */
function isMeant(row: MessageRow, chat: string, author: string | undefined): boolean {
  if (row.direction === 'outbound' && author === undefined) return false
  return isPersonal(chat) || row.chat === chat
}

/** One chat under two JIDs. Groups and status have one. */
const isPersonal = (chat: string): boolean => /@(?:lid|s\.whatsapp\.net)$/.test(chat)

function withReference(content: InboundContent, message_id: string, quotedFrom: string | undefined): InboundContent {
  switch (content.type) {
    case 'reaction':
      return { ...content, reaction: { ...content.reaction, message_id } }
    case 'edit':
      return { ...content, edit: { ...content.edit, message_id } }
    case 'delete':
      return { ...content, delete: { message_id } }
    case 'poll_vote':
      return { ...content, poll_vote: { ...content.poll_vote, message_id } }
    case 'unsupported':
      return content
    default:
      return { ...content, context: { message_id }, ...(quotedFrom !== undefined && { quotedFrom }) }
  }
}
