import { type FormEvent, useEffect, useState } from 'react'
import type { Connection, Message } from '../../../shared/client/index.ts'
import { Time } from '../parts/clock.tsx'
import { Empty } from '../parts/empty.tsx'
import { problemText } from '../parts/notices.tsx'
import { useSession } from '../session.tsx'
import { inWords } from './message-text.ts'
import { Thread } from './thread.tsx'
import { useMessages } from './use-messages.ts'

interface Chat {
  readonly chat: string
  readonly title: string
  readonly messages: readonly Message[]
  readonly last: Message
}

/** The conversations of a connection, the latest first, and the one that is open. */
export function Chats({ connection }: { readonly connection: Connection }) {
  const { place } = useSession()
  const { loaded, messages, problem, more } = useMessages(connection.connectionId)
  const [chosen, setChosen] = useState<string>()
  const [starting, setStarting] = useState<string>()
  const chats = chatsOf(messages)
  const open = chats.find(({ chat }) => chat === chosen)
  // A new chat becomes an ordinary one with its first message.
  useEffect(() => {
    if (starting === undefined) return
    const digits = starting.replace(/\D/g, '')
    const begun = chats.find(({ chat }) => chat.startsWith(`${digits}@`))
    if (begun !== undefined) {
      setChosen(begun.chat)
      setStarting(undefined)
    }
  }, [starting, chats])

  if (problem !== undefined) {
    return (
      <Empty title="The messages cannot be shown">
        <p>{problemText(problem)}</p>
      </Empty>
    )
  }
  if (!loaded) return <p role="status">Loading messages…</p>
  const isOpen = open !== undefined || starting !== undefined
  return (
    <div className={`chats ${isOpen ? 'open' : ''}`}>
      <section className="chat-list" aria-label="Chats">
        <NewChat
          // On one's own machine there is a phone that waits to be written to.
          suggested={chats.length === 0 ? place.local?.customer : undefined}
          onStart={(to) => {
            setChosen(undefined)
            setStarting(to)
          }}
        />
        {chats.length === 0 && <p className="hint">No messages yet. Write the first one.</p>}
        <ul>
          {chats.map(({ chat, title, last }) => (
            <li key={chat}>
              <button
                type="button"
                aria-current={chat === chosen ? 'true' : undefined}
                onClick={() => {
                  setStarting(undefined)
                  setChosen(chat)
                }}
              >
                <span className="chat-title">{title}</span>
                <Time at={last.createdAt} />
                <span className="chat-last">{inWords(last)}</span>
              </button>
            </li>
          ))}
        </ul>
        {more !== undefined && (
          <button type="button" onClick={() => void more()}>
            Older messages
          </button>
        )}
      </section>
      {isOpen ? (
        <Thread
          key={open?.chat ?? starting}
          connection={connection}
          to={open?.chat ?? starting ?? ''}
          title={open?.title ?? starting ?? ''}
          messages={open?.messages ?? []}
          onBack={() => {
            setChosen(undefined)
            setStarting(undefined)
          }}
        />
      ) : (
        <section className="thread nothing">
          <p>Choose a chat, or write to a number.</p>
        </section>
      )}
    </div>
  )
}

interface NewChatProps {
  readonly suggested: string | undefined
  readonly onStart: (to: string) => void
}

function NewChat({ suggested, onStart }: NewChatProps) {
  const [to, setTo] = useState(suggested ?? '')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onStart(to.trim())
    setTo('')
  }
  return (
    <form className="inline" onSubmit={submit}>
      <label>
        Write to
        <input
          required
          value={to}
          placeholder="+49 151 12345678"
          pattern="\+?[0-9 \-]{5,20}|[0-9\-]+@(g\.us|s\.whatsapp\.net|lid)"
          title="A phone number with country code, or the id of a group"
          onChange={(event) => setTo(event.target.value)}
        />
      </label>
      <button type="submit">Open</button>
    </form>
  )
}

function chatsOf(messages: readonly Message[]): readonly Chat[] {
  const numbers = numbersByLid(messages)
  const byChat = Map.groupBy(messages, ({ chat }) => numbers.get(chat) ?? chat)
  return [...byChat]
    .map(([chat, ofChat]) => ({ chat, title: titleOf(chat, ofChat), messages: ofChat, last: ofChat.at(-1) as Message }))
    .sort((a, b) => b.last.createdAt.localeCompare(a.last.createdAt))
}

/** WhatsApp knows a person by number and by LID: what they wrote under the one belongs to what was written to the other. */
function numbersByLid(messages: readonly Message[]): ReadonlyMap<string, string> {
  const numbers = new Map<string, string>()
  for (const message of messages) {
    if (message.direction !== 'inbound' || !message.chat.endsWith('@lid')) continue
    const { phoneNumber } = message.from
    if (phoneNumber !== undefined) numbers.set(message.chat, `${phoneNumber.replace(/\D/g, '')}@s.whatsapp.net`)
  }
  return numbers
}

function titleOf(chat: string, messages: readonly Message[]): string {
  if (chat.endsWith('@g.us')) return `Group ${chat.split('@')[0]}`
  const written = messages.findLast((message) => message.direction === 'inbound')
  if (written?.direction === 'inbound') return written.from.name ?? written.from.phoneNumber ?? chat
  const sent = messages.find((message) => message.direction === 'outbound')
  return sent?.direction === 'outbound' ? sent.to : chat
}
