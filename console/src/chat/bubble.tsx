import { useState } from 'react'
import type { Connection, Message } from '../../../shared/client/index.ts'
import { Countdown, Time } from '../parts/clock.tsx'
import { useSay } from '../parts/notices.tsx'
import { useSession } from '../session.tsx'
import { Content } from './content.tsx'
import type { Upshot } from './message-text.ts'

export interface BubbleProps {
  readonly connection: Connection
  readonly message: Message
  readonly upshot: Upshot
  readonly to: string
}

/** One message with its ticks, and what can be done with it. */
export function Bubble({ connection, message, upshot, to }: BubbleProps) {
  const { direction } = message
  return (
    <article className={`bubble ${direction}`}>
      {direction === 'inbound' && message.group === true && (
        <p className="author">{message.from.name ?? message.from.phoneNumber ?? message.from.lid}</p>
      )}
      {upshot.deleted ? (
        <p className="gone">This message was deleted.</p>
      ) : (
        <Content message={message} upshot={upshot} />
      )}
      {upshot.reactions.length > 0 && <p className="reactions">{upshot.reactions.join(' ')}</p>}
      <footer>
        {upshot.text !== undefined && <span>edited</span>}
        <Time at={message.createdAt} />
        {message.direction === 'outbound' && <Ticks message={message} />}
        {!upshot.deleted && <Deeds connection={connection} message={message} to={to} />}
      </footer>
    </article>
  )
}

const ticks = {
  queued: ['🕓', 'Waiting'],
  sent: ['✓', 'Sent: WhatsApp has it'],
  delivered: ['✓✓', 'Delivered to the phone'],
  read: ['✓✓', 'Read'],
  played: ['✓✓', 'Played'],
  failed: ['!', 'Failed'],
} as const

type Outbound = Extract<Message, { direction: 'outbound' }>

function Ticks({ message }: { readonly message: Outbound }) {
  const { status, error, note, sendAt } = message
  const [sign, words] = ticks[status]
  return (
    <>
      <span className={`ticks ${status}`} role="img" aria-label={words} title={words}>
        {sign}
      </span>
      {status === 'queued' && sendAt !== undefined && <Countdown until={sendAt} before="goes out in" after="is due" />}
      {status === 'queued' && note !== undefined && <span className="note">{note}</span>}
      {status === 'failed' && <span className="note failed">{error?.message ?? 'Failed.'}</span>}
    </>
  )
}

const emojis = ['👍', '❤️', '😂', '😮', '🙏'] as const

function Deeds({ connection, message, to }: Omit<BubbleProps, 'upshot'>) {
  const { client } = useSession()
  const say = useSay()
  const [editing, setEditing] = useState<string>()
  const { messageId, direction } = message
  const send = (body: Parameters<typeof client.messages.send>[1]) =>
    say.attempt(() => client.messages.send(connection.connectionId, body, { idempotencyKey: crypto.randomUUID() }))
  if (editing !== undefined) {
    return (
      <form
        className="inline"
        onSubmit={(event) => {
          event.preventDefault()
          void send({ to, type: 'edit', edit: { message_id: messageId, text: editing } })
          setEditing(undefined)
        }}
      >
        <input aria-label="New text" required value={editing} onChange={(event) => setEditing(event.target.value)} />
        <button type="submit">Change</button>
        <button type="button" onClick={() => setEditing(undefined)}>
          Keep
        </button>
      </form>
    )
  }
  const waits = direction === 'outbound' && message.status === 'queued'
  const ours = direction === 'outbound' && message.status !== 'failed' && !waits
  return (
    <details className="deeds">
      <summary aria-label="What to do with this message">⋯</summary>
      <div>
        {!waits &&
          emojis.map((emoji) => (
            <button
              key={emoji}
              type="button"
              className="plain"
              aria-label={`React with ${emoji}`}
              onClick={() => void send({ to, type: 'reaction', reaction: { message_id: messageId, emoji } })}
            >
              {emoji}
            </button>
          ))}
        {ours && message.type === 'text' && (
          <button type="button" onClick={() => setEditing(message.text?.body ?? '')}>
            Edit
          </button>
        )}
        {ours && (
          <button type="button" onClick={() => void send({ to, type: 'delete', delete: { message_id: messageId } })}>
            Delete for everyone
          </button>
        )}
        {waits && (
          <button
            type="button"
            onClick={() => void say.attempt(() => client.messages.cancel(connection.connectionId, messageId))}
          >
            Cancel
          </button>
        )}
        {direction === 'inbound' && (
          <button
            type="button"
            onClick={() =>
              void say.attempt(() => client.messages.markRead(connection.connectionId, messageId), 'Marked as read.')
            }
          >
            Mark as read
          </button>
        )}
      </div>
    </details>
  )
}
