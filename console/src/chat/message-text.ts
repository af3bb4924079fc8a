import type { Message } from '../../../shared/client/index.ts'

/** One line of a message, whatever its kind. */
export function inWords(message: Message): string {
  const { type } = message
  switch (type) {
    case 'text':
      return message.text?.body ?? ''
    case 'image':
    case 'video':
    case 'document':
      return message[type]?.caption ?? message[type]?.filename ?? names[type]
    case 'audio':
      return message.audio?.voice === true ? 'Voice note' : 'Audio'
    case 'sticker':
      return 'Sticker'
    case 'location':
      return message.location?.name ?? 'Location'
    case 'contacts':
      return message.contacts?.map(({ name }) => name.formatted_name).join(', ') ?? 'Contact'
    case 'poll':
      return `Poll: ${message.poll?.name ?? ''}`
    case 'poll_vote':
      return `Voted: ${message.poll_vote?.options.join(', ') ?? ''}`
    case 'reaction':
      return message.reaction?.emoji === '' ? 'Took a reaction back' : `Reacted ${message.reaction?.emoji ?? ''}`
    case 'edit':
      return `Edited: ${message.edit?.text ?? ''}`
    case 'delete':
      return 'Deleted a message'
    default:
      return 'A kind of message that cannot be shown'
  }
}

const names = { image: 'Image', video: 'Video', document: 'Document' } as const

/** What other messages did to one: its text now, its reactions, whether it is gone. */
export interface Upshot {
  readonly text?: string
  readonly reactions: readonly string[]
  readonly deleted: boolean
  readonly votes: readonly string[]
}

/**
 * The messages that stand for themselves, with what the others did to them.
 *
 * @param messages of one chat, oldest first
 */
export function withUpshots(
  messages: readonly Message[],
): readonly { readonly message: Message; readonly upshot: Upshot }[] {
  const acts = new Map<string, Message[]>()
  const own: Message[] = []
  for (const message of messages) {
    const target = targetOf(message)
    if (target === undefined) own.push(message)
    else acts.set(target, [...(acts.get(target) ?? []), message])
  }
  return own.map((message) => ({ message, upshot: upshotOf(acts.get(message.messageId) ?? []) }))
}

function targetOf({ reaction, edit, delete: deletion, poll_vote: vote }: Message): string | undefined {
  return (reaction ?? edit ?? deletion ?? vote)?.message_id
}

function upshotOf(acts: readonly Message[]): Upshot {
  const reactions = new Map<string, string>()
  const votes = new Map<string, readonly string[]>()
  let text: string | undefined
  let deleted = false
  for (const act of acts) {
    if (act.direction === 'outbound' && act.status === 'failed') continue
    const who = act.direction === 'outbound' ? 'we' : (act.from.phoneNumber ?? act.from.lid ?? 'they')
    if (act.reaction !== undefined) reactions.set(who, act.reaction.emoji)
    if (act.edit !== undefined) text = act.edit.text
    if (act.delete !== undefined) deleted = true
    if (act.poll_vote !== undefined) votes.set(who, act.poll_vote.options)
  }
  return {
    ...(text === undefined ? {} : { text }),
    reactions: [...reactions.values()].filter((emoji) => emoji !== ''),
    deleted,
    votes: [...votes.values()].flat(),
  }
}
