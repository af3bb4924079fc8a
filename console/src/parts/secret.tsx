import { useState } from 'react'
import { Dialog } from './dialog.tsx'

/** Shown this once. */
export function Secret({
  title,
  secret,
  onClose,
}: {
  readonly title: string
  readonly secret: string
  readonly onClose: () => void
}) {
  const [copied, setCopied] = useState(false)
  return (
    <Dialog title={title} onClose={onClose}>
      <p>Keep it now: it is not shown again.</p>
      <p>
        <code className="secret">{secret}</code>
      </p>
      <div className="actions">
        <button
          type="button"
          onClick={() => {
            navigator.clipboard.writeText(secret).then(
              () => setCopied(true),
              () => setCopied(false),
            )
          }}
        >
          {copied ? 'Copied' : 'Copy'}
        </button>
        <button type="button" className="primary" onClick={onClose}>
          I have it
        </button>
      </div>
    </Dialog>
  )
}
