import { type FormEvent, useCallback, useState } from 'react'
import { Link } from 'wouter'
import type { Answer } from '../../../shared/client/index.ts'
import { Awaited } from '../parts/awaited.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Empty } from '../parts/empty.tsx'
import { Field } from '../parts/field.tsx'
import { useSay } from '../parts/notices.tsx'
import { Secret } from '../parts/secret.tsx'
import { useLoaded } from '../parts/use-loaded.ts'
import { useSession } from '../session.tsx'

export type Webhook = Answer<'GET /webhooks/{webhookId}'>

/** Endpoints that events are posted to. */
export function WebhooksPage() {
  const { client } = useSession()
  const [making, setMaking] = useState(false)
  const [secret, setSecret] = useState<string>()
  const read = useCallback(() => client.webhooks.list(), [client])
  const webhooks = useLoaded<readonly Webhook[]>(read)
  return (
    <>
      <div className="page-head">
        <h1>Webhooks</h1>
        <button type="button" className="primary" onClick={() => setMaking(true)}>
          New webhook
        </button>
      </div>
      <Awaited loaded={webhooks} what="webhooks">
        {(all) => <List webhooks={all} />}
      </Awaited>
      {making && (
        <NewWebhook
          onClose={() => setMaking(false)}
          onMade={(made) => {
            setMaking(false)
            setSecret(made)
            void webhooks.load()
          }}
        />
      )}
      {secret !== undefined && (
        <Secret title="The signing secret" secret={secret} onClose={() => setSecret(undefined)} />
      )}
    </>
  )
}

function List({ webhooks }: { readonly webhooks: readonly Webhook[] }) {
  if (webhooks.length === 0) {
    return (
      <Empty title="No webhook yet">
        <p>Events are posted to your own address: each one signed, in order, and tried again for a day.</p>
      </Empty>
    )
  }
  return (
    <ul className="cards">
      {webhooks.map((webhook) => (
        <li key={webhook.webhookId} className="card">
          <div className="card-head">
            <h2>
              <Link href={`/webhooks/${webhook.webhookId}`}>{webhook.label ?? webhook.url}</Link>
            </h2>
            <WebhookState webhook={webhook} />
          </div>
          <p className="number address">{webhook.url}</p>
          <p>{webhook.events === undefined ? 'All events' : webhook.events.join(', ')}</p>
          {webhook.failing !== undefined && <p className="problem">{webhook.failing.error}</p>}
        </li>
      ))}
    </ul>
  )
}

export function WebhookState({ webhook }: { readonly webhook: Webhook }) {
  const { state, failing } = webhook
  const [shape, word] =
    state === 'paused' ? ['qr_pending', 'Paused'] : failing ? ['reconnecting', 'Failing'] : ['connected', 'Active']
  return (
    <span className={`status ${shape}`}>
      <span className="dot" aria-hidden="true" />
      {word}
    </span>
  )
}

/** The events that most want; more of them by the API. */
const reaches = {
  all: undefined,
  messages: ['message-received', 'message-status'],
  connections: ['whatsapp-qr', 'whatsapp-connected', 'whatsapp-reconnecting', 'whatsapp-disconnected'],
} as const

function NewWebhook({ onClose, onMade }: { readonly onClose: () => void; readonly onMade: (secret: string) => void }) {
  const { client } = useSession()
  const say = useSay()
  const [url, setUrl] = useState('')
  const [label, setLabel] = useState('')
  const [reach, setReach] = useState<keyof typeof reaches>('all')
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    await say.attempt(async () => {
      const events = reaches[reach]
      const { secret } = await client.webhooks.create({
        url: url.trim(),
        ...(label.trim() === '' ? {} : { label }),
        ...(events === undefined ? {} : { events: [...events] }),
      })
      onMade(secret)
    })
  }
  return (
    <Dialog title="New webhook" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <Field
          label="Address"
          hint="A public https address of yours, such as https://shop.example/hooks."
          type="url"
          required
          value={url}
          onChange={setUrl}
        />
        <Field label="Label" hint="For you and your colleagues." maxLength={100} value={label} onChange={setLabel} />
        <label className="field">
          Events
          <select value={reach} onChange={(event) => setReach(event.target.value as typeof reach)}>
            <option value="all">all</option>
            <option value="messages">messages that come in, and what became of those sent</option>
            <option value="connections">the status of connections</option>
          </select>
        </label>
        <div className="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="primary">
            Create
          </button>
        </div>
      </form>
    </Dialog>
  )
}
