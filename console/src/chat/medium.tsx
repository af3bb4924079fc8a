import { useState } from 'react'
import type { Medium as ClientMedium, Message } from '../../../shared/client/index.ts'
import { useSay } from '../parts/notices.tsx'
import { useSession } from '../session.tsx'

export interface MediumProps {
  readonly message: Message
  readonly type: 'image' | 'video' | 'audio' | 'document' | 'sticker'
}

const signs = { image: '🖼', video: '🎞', audio: '🎧', document: '📄', sticker: '🏷' } as const

const kinds = { image: 'Picture', video: 'Video', audio: 'Audio', document: 'Document', sticker: 'Sticker' } as const

/** What is known of a medium, and the medium itself once somebody asks for it: then it is downloaded from WhatsApp. */
export function Medium({ message, type }: MediumProps) {
  const { client } = useSession()
  const say = useSay()
  const [had, setHad] = useState<ClientMedium>()
  const [busy, setBusy] = useState(false)
  const medium = message[type]
  const name = medium?.filename ?? (medium?.voice === true ? 'Voice note' : kinds[type])
  const load = async () => {
    setBusy(true)
    await say.attempt(async () => {
      const { connectionId, messageId } = message
      const found = await client.media.ofMessage(connectionId, messageId)
      if (found.state !== 'ready') throw new Error('It is still on its way from WhatsApp: try again in a moment.')
      setHad(found)
    })
    setBusy(false)
  }
  return (
    <>
      {had?.download === undefined ? (
        <p className="text">
          {signs[type]} {name} <span className="hint">{size(medium?.bytes)}</span>{' '}
          <button type="button" disabled={busy} onClick={() => void load()}>
            {busy ? 'Loading…' : 'Show'}
            <span className="hidden"> {name}</span>
          </button>
        </p>
      ) : (
        <Shown type={type} url={had.download.url} name={name} alt={medium?.caption ?? name} />
      )}
      {medium?.caption !== undefined && <p className="text">{medium.caption}</p>}
    </>
  )
}

interface ShownProps {
  readonly type: MediumProps['type']
  readonly url: string
  readonly name: string
  readonly alt: string
}

/** Pictures are shown; the rest is a link, which saves what a browser should not open. */
function Shown({ type, url, name, alt }: ShownProps) {
  if (type === 'image' || type === 'sticker') return <img src={url} alt={alt} />
  return (
    <p className="text">
      {signs[type]}{' '}
      <a href={url} target="_blank" rel="noreferrer">
        Open {name}
      </a>
    </p>
  )
}

function size(bytes: number | undefined): string {
  if (bytes === undefined) return ''
  if (bytes < 1_000_000) return `${Math.max(1, Math.round(bytes / 1_000))} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}
