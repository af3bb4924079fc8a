import type { Message } from '../../../shared/client/index.ts'

export interface MediumProps {
  readonly message: Message
  readonly type: 'image' | 'video' | 'audio' | 'document' | 'sticker'
}

const signs = { image: '🖼', video: '🎞', audio: '🎧', document: '📄', sticker: '🏷' } as const

/** What is known of a medium without its bytes. */
export function Medium({ message, type }: MediumProps) {
  const medium = message[type]
  return (
    <>
      <p className="text">
        {signs[type]} {medium?.filename ?? (medium?.voice === true ? 'voice note' : type)}{' '}
        <span className="hint">{size(medium?.bytes)}</span>
      </p>
      {medium?.caption !== undefined && <p className="text">{medium.caption}</p>}
    </>
  )
}

function size(bytes: number | undefined): string {
  if (bytes === undefined) return ''
  if (bytes < 1_000_000) return `${Math.max(1, Math.round(bytes / 1_000))} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}
