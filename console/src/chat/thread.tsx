import { useEffect, useRef } from 'react'
import type { Connection, Message } from '../../../shared/client/index.ts'
import { Bubble } from './bubble.tsx'
import { Composer } from './composer.tsx'
import { withUpshots } from './message-text.ts'

export interface ThreadProps {
  readonly connection: Connection
  /** JID of the chat, or the number of one that is not begun yet. */
  readonly to: string
  readonly title: string
  readonly messages: readonly Message[]
  readonly onBack: () => void
}

/** One conversation, the newest message in sight. */
export function Thread({ connection, to, title, messages, onBack }: ThreadProps) {
  const end = useRef<HTMLDivElement>(null)
  const count = messages.length
  // biome-ignore lint/correctness/useExhaustiveDependencies: when a message comes
  useEffect(() => {
    end.current?.scrollIntoView({ block: 'nearest' })
  }, [count])
  return (
    <section className="thread" aria-label={`Chat with ${title}`}>
      <div className="thread-head">
        <button type="button" className="plain back" onClick={onBack} aria-label="All chats">
          ←
        </button>
        <h2>{title}</h2>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <div className="bubbles" role="log" aria-label="Messages" tabIndex={0}>
        {withUpshots(messages).map(({ message, upshot }) => (
          <Bubble key={message.messageId} connection={connection} message={message} upshot={upshot} to={to} />
        ))}
        <div ref={end} />
      </div>
      <Composer connection={connection} to={to} />
    </section>
  )
}
