import { type FormEvent, useCallback, useState } from 'react'
import type { Answer } from '../../../shared/client/index.ts'
import { Awaited } from '../parts/awaited.tsx'
import { Time } from '../parts/clock.tsx'
import { Confirm, Dialog } from '../parts/dialog.tsx'
import { Empty } from '../parts/empty.tsx'
import { Field } from '../parts/field.tsx'
import { useSay } from '../parts/notices.tsx'
import { Secret } from '../parts/secret.tsx'
import { useLoaded } from '../parts/use-loaded.ts'
import { useSession } from '../session.tsx'

type ApiKey = Answer<'GET /api-keys'>['items'][number]

/** Keys of the business profile: made, rotated without a gap, revoked. */
export function KeysPage() {
  const { client } = useSession()
  const say = useSay()
  const [making, setMaking] = useState(false)
  const [revoking, setRevoking] = useState<ApiKey>()
  const [shown, setShown] = useState<string>()

  const read = useCallback(async () => (await client.http.request('GET /api-keys')).items, [client])
  const keys = useLoaded<readonly ApiKey[]>(read)
  const { load } = keys

  const rotate = (keyId: string) =>
    say.attempt(async () => {
      const { apiKey } = await client.http.request('POST /api-keys/{keyId}/rotate', { params: { keyId }, body: {} })
      setShown(apiKey)
      await load()
    })

  return (
    <>
      <div className="page-head">
        <h1>API keys</h1>
        <button type="button" className="primary" onClick={() => setMaking(true)}>
          New key
        </button>
      </div>
      <Awaited loaded={keys} what="keys">
        {(all) =>
          all.length === 0 ? (
            <Empty title="No keys">
              <p>A key lets a program of yours use the API.</p>
            </Empty>
          ) : (
            <Table keys={all} onRotate={(keyId) => void rotate(keyId)} onRevoke={setRevoking} />
          )
        }
      </Awaited>
      {making && (
        <NewKey
          onClose={() => setMaking(false)}
          onMade={(apiKey) => {
            setMaking(false)
            setShown(apiKey)
            void load()
          }}
        />
      )}
      {shown !== undefined && <Secret title="The new key" secret={shown} onClose={() => setShown(undefined)} />}
      {revoking !== undefined && (
        <Confirm
          title={`Revoke ${revoking.label}?`}
          action="Revoke"
          onClose={() => setRevoking(undefined)}
          onConfirm={() =>
            void say
              .attempt(() => client.http.request('DELETE /api-keys/{keyId}', { params: { keyId: revoking.keyId } }))
              .then(load)
          }
        >
          <p>Whoever uses it is refused within a minute.</p>
        </Confirm>
      )}
    </>
  )
}

interface TableProps {
  readonly keys: readonly ApiKey[]
  readonly onRotate: (keyId: string) => void
  readonly onRevoke: (key: ApiKey) => void
}

/** A row for each; on a phone a card for each. */
function Table({ keys, onRotate, onRevoke }: TableProps) {
  return (
    <table className="stacked">
      <thead>
        <tr>
          <th scope="col">Label</th>
          <th scope="col">May</th>
          <th scope="col">Created</th>
          <th scope="col">Last used</th>
          <th scope="col">State</th>
          <th scope="col">
            <span className="hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {keys.map((key) => (
          <tr key={key.keyId}>
            <th scope="row">{key.label}</th>
            <td data-label="May">{key.scopes.includes('tenant:*') ? 'Everything' : key.scopes.join(', ')}</td>
            <td data-label="Created">
              <Time at={key.createdAt} />
            </td>
            <td data-label="Last used">{key.lastUsedAt === undefined ? 'Never' : <Time at={key.lastUsedAt} />}</td>
            <td data-label="State">{stateOf(key)}</td>
            <td className="actions">
              {isActive(key) && (
                <>
                  <button type="button" onClick={() => onRotate(key.keyId)}>
                    Rotate<span className="hidden"> {key.label}</span>
                  </button>
                  <button type="button" onClick={() => onRevoke(key)}>
                    Revoke<span className="hidden"> {key.label}</span>
                  </button>
                </>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function NewKey({ onClose, onMade }: { readonly onClose: () => void; readonly onMade: (apiKey: string) => void }) {
  const { client } = useSession()
  const say = useSay()
  const [label, setLabel] = useState('')
  const [reach, setReach] = useState<'all' | 'send' | 'read'>('all')
  const scopes = {
    all: ['tenant:*'],
    send: ['connections:read', 'messages:send', 'messages:read', 'media'],
    read: ['connections:read', 'messages:read', 'live'],
  } as const
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    await say.attempt(async () => {
      const { apiKey } = await client.http.request('POST /api-keys', { body: { label, scopes: [...scopes[reach]] } })
      onMade(apiKey)
    })
  }
  return (
    <Dialog title="New API key" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <Field label="Label" hint="Who will use it." required maxLength={100} value={label} onChange={setLabel} />
        <label className="field">
          It may
          <select value={reach} onChange={(event) => setReach(event.target.value as typeof reach)}>
            <option value="all">do everything of this business profile</option>
            <option value="send">send messages and see what became of them</option>
            <option value="read">watch connections and messages</option>
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

const isActive = ({ revokedAt, expiresAt }: ApiKey): boolean =>
  revokedAt === undefined && (expiresAt === undefined || Date.parse(expiresAt) > Date.now())

function stateOf(key: ApiKey): string {
  if (key.revokedAt !== undefined) return 'Revoked'
  if (!isActive(key)) return 'Expired'
  return key.rotatedTo === undefined ? 'Active' : 'Active until its successor is alone'
}
