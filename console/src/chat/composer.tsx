import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from 'react'
import type { Connection, HoldfastClient } from '../../../shared/client/index.ts'
import { useSay } from '../parts/notices.tsx'
import { useSession } from '../session.tsx'
import { Attach } from './attach.tsx'
import { kindOfFile, mediumOf } from './outgoing-file.ts'

type Send = Parameters<HoldfastClient['messages']['send']>[1]
type Kind = 'text' | 'file' | 'location' | 'contact' | 'poll'

const kinds: Readonly<Record<Kind, string>> = {
  text: 'Text',
  file: 'File',
  location: 'Location',
  contact: 'Contact',
  poll: 'Poll',
}

/** Says that somebody writes at most so often. */
const typingMs = 4_000

/** Writes a message of any common kind. The same try of one message never sends twice. */
export function Composer({ connection, to }: { readonly connection: Connection; readonly to: string }) {
  const { client } = useSession()
  const say = useSay()
  const [kind, setKind] = useState<Kind>('text')
  const [fields, setFields] = useState<Readonly<Record<string, string>>>({})
  const [busy, setBusy] = useState(false)
  const [file, setFile] = useState<File>()
  const [uploaded, setUploaded] = useState<number>()
  const attempt = useRef<string>(undefined)
  const typedAt = useRef(0)
  const text = useRef<HTMLTextAreaElement>(null)
  useEffect(() => text.current?.focus(), [])

  const field = (name: string) => fields[name] ?? ''
  const set = (name: string) => (value: string) => setFields((now) => ({ ...now, [name]: value }))

  const typing = () => {
    if (connection.status !== 'connected' || Date.now() - typedAt.current < typingMs) return
    typedAt.current = Date.now()
    // For the moment only: whether it is seen makes no difference to anybody here.
    client.connections.setPresence(connection.connectionId, { to, presence: 'typing' }).catch(() => undefined)
  }

  const submit = async (event?: FormEvent) => {
    event?.preventDefault()
    const simple = kind === 'file' ? undefined : messageOf(kind, to, field)
    if (simple === undefined && (kind !== 'file' || file === undefined)) return
    setBusy(true)
    attempt.current ??= crypto.randomUUID()
    const options = { idempotencyKey: attempt.current }
    const accepted = await say.attempt(async () => {
      const message = simple ?? (await withFile(to, file as File, field('caption')))
      const { status, error } = await client.messages.send(connection.connectionId, message, options)
      if (status === 'failed') throw new Error(error?.message ?? 'The message was not sent.')
    })
    attempt.current = undefined
    setBusy(false)
    setUploaded(undefined)
    if (!accepted) return
    setFields({})
    setFile(undefined)
    setKind('text')
  }

  const withFile = async (recipient: string, chosen: File, caption: string): Promise<Send> => {
    const { mediaId } = await client.media.upload(chosen, {
      onProgress: (sentBytes, totalBytes) => setUploaded(sentBytes / totalBytes),
    })
    return mediumOf(recipient, chosen, mediaId, caption)
  }

  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    void submit()
  }

  const input = (name: string, label: string, more: { readonly type?: string; readonly step?: string } = {}) => (
    <label key={name}>
      {label}
      <input required value={field(name)} onChange={(event) => set(name)(event.target.value)} {...more} />
    </label>
  )
  return (
    <form className="composer" onSubmit={(event) => void submit(event)}>
      <label className="kind">
        <span className="hidden">Kind of message</span>
        <select value={kind} onChange={(event) => setKind(event.target.value as Kind)}>
          {Object.entries(kinds).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {kind === 'text' && (
        <label className="grow">
          <span className="hidden">Message</span>
          <textarea
            ref={text}
            rows={1}
            required
            placeholder="Message"
            value={field('text')}
            onKeyDown={onKey}
            onChange={(event) => {
              set('text')(event.target.value)
              typing()
            }}
          />
        </label>
      )}
      {kind === 'file' && (
        <div className="fields">
          <Attach file={file} uploaded={uploaded} onChosen={setFile} />
          {file !== undefined && kindOfFile(file) !== 'audio' && (
            <label>
              Caption
              <input value={field('caption')} onChange={(event) => set('caption')(event.target.value)} />
            </label>
          )}
        </div>
      )}
      {kind === 'location' && (
        <div className="fields">
          {input('latitude', 'Latitude', { type: 'number', step: 'any' })}
          {input('longitude', 'Longitude', { type: 'number', step: 'any' })}
          {input('place', 'Name')}
        </div>
      )}
      {kind === 'contact' && (
        <div className="fields">
          {input('name', 'Name')}
          {input('phone', 'Phone number', { type: 'tel' })}
        </div>
      )}
      {kind === 'poll' && (
        <div className="fields">
          {input('question', 'Question')}
          {input('options', 'Answers, with commas between')}
        </div>
      )}
      <button type="submit" className="primary" disabled={busy}>
        Send
      </button>
    </form>
  )
}

function messageOf(kind: Exclude<Kind, 'file'>, to: string, field: (name: string) => string): Send | undefined {
  switch (kind) {
    case 'text':
      return field('text').trim() === '' ? undefined : { to, type: 'text', text: { body: field('text') } }
    case 'location':
      return {
        to,
        type: 'location',
        location: { latitude: Number(field('latitude')), longitude: Number(field('longitude')), name: field('place') },
      }
    case 'contact':
      return {
        to,
        type: 'contacts',
        contacts: [{ name: { formatted_name: field('name') }, phones: [{ phone: field('phone'), type: 'CELL' }] }],
      }
    case 'poll':
      return {
        to,
        type: 'poll',
        poll: {
          name: field('question'),
          options: field('options')
            .split(',')
            .map((option) => option.trim())
            .filter((option) => option !== ''),
          selectableCount: 1,
        },
      }
  }
}
