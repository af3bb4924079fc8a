import type { Message } from '../../../shared/client/index.ts'
import { Medium } from './medium.tsx'
import { inWords, type Upshot } from './message-text.ts'

/** What a message says, by its kind. */
export function Content({ message, upshot }: { readonly message: Message; readonly upshot: Upshot }) {
  switch (message.type) {
    case 'text':
      return <p className="text">{upshot.text ?? message.text?.body}</p>
    case 'image':
    case 'video':
    case 'audio':
    case 'document':
    case 'sticker':
      return <Medium message={message} type={message.type} />
    case 'location':
      return (
        <p className="text">
          📍 {message.location?.name ?? 'Location'}
          {message.location?.address !== undefined && <br />}
          {message.location?.address}
          <br />
          <span className="hint">
            {message.location?.latitude}, {message.location?.longitude}
          </span>
        </p>
      )
    case 'contacts':
      return (
        <ul className="plain-list">
          {message.contacts?.map((contact) => (
            <li key={contact.name.formatted_name}>
              👤 {contact.name.formatted_name} {contact.phones?.map(({ phone }) => phone).join(', ')}
            </li>
          ))}
        </ul>
      )
    case 'poll':
      return (
        <>
          <p className="text">📊 {message.poll?.name}</p>
          <ul className="plain-list">
            {message.poll?.options.map((option) => (
              <li key={option}>
                {option} <span className="hint">{upshot.votes.filter((vote) => vote === option).length}</span>
              </li>
            ))}
          </ul>
        </>
      )
    default:
      return <p className="gone">{inWords(message)}</p>
  }
}
