import { useState } from 'react'
import { Link, useLocation } from 'wouter'
import type { Connection } from '../../../shared/client/index.ts'
import { Chats } from '../chat/chats.tsx'
import { Time } from '../parts/clock.tsx'
import { Confirm } from '../parts/dialog.tsx'
import { Empty } from '../parts/empty.tsx'
import { useSay } from '../parts/notices.tsx'
import { StatusBadge, StatusText } from '../parts/status.tsx'
import { useConnection, useLive, useSession } from '../session.tsx'
import { LinkPanel } from './link-panel.tsx'

export interface ConnectionPageProps {
  readonly connectionId: string
  readonly tab: string
}

/** One connection: how it is, how it is linked, its chats. */
export function ConnectionPage({ connectionId, tab }: ConnectionPageProps) {
  const connection = useConnection(connectionId)
  const { complete } = useLive()
  if (connection === undefined) {
    return complete ? (
      <Empty title="There is no such connection">
        <Link href="/">All connections</Link>
      </Empty>
    ) : (
      <p role="status">Loading…</p>
    )
  }
  const linking = connection.status === 'qr_pending'
  return (
    <>
      <p className="crumbs">
        <Link href="/">Connections</Link>
      </p>
      <div className="page-head">
        <div>
          <h1>{connection.label}</h1>
          <p className="number">{connection.phoneNumber ?? 'Number not known yet'}</p>
        </div>
        <StatusBadge status={connection.status} />
      </div>
      <StatusText connection={connection} />
      {linking ? (
        <LinkPanel connection={connection} />
      ) : (
        <>
          <Actions connection={connection} />
          <nav className="tabs" aria-label="Of this connection">
            <Link href={`/connections/${connectionId}`} aria-current={tab === 'chats' ? 'page' : undefined}>
              Chats
            </Link>
            <Link href={`/connections/${connectionId}/details`} aria-current={tab === 'details' ? 'page' : undefined}>
              Details
            </Link>
          </nav>
          {tab === 'details' ? <Details connection={connection} /> : <Chats connection={connection} />}
        </>
      )}
    </>
  )
}

function Actions({ connection }: { readonly connection: Connection }) {
  const { connectionId, label, remedy, pairing } = connection
  const { client } = useSession()
  const say = useSay()
  const [, go] = useLocation()
  const [asking, setAsking] = useState<'logout' | 'delete'>()
  const linkAgain = remedy === 'scan_qr' || remedy === 'enter_code'
  const unlinked = linkAgain || connection.linkedAt === undefined
  return (
    <div className="actions start">
      {linkAgain && (
        <button
          type="button"
          className="primary"
          onClick={() => void say.attempt(() => client.connections.pair(connectionId, { pairing }))}
        >
          Link again
        </button>
      )}
      {!unlinked && (
        <button
          type="button"
          onClick={() => void say.attempt(() => client.connections.restart(connectionId), 'The connection restarts.')}
        >
          Restart
        </button>
      )}
      {!unlinked && (
        <button type="button" onClick={() => setAsking('logout')}>
          Log out
        </button>
      )}
      <button type="button" onClick={() => setAsking('delete')}>
        Delete
      </button>
      {asking === 'logout' && (
        <Confirm
          title={`Log out ${label}?`}
          action="Log out"
          onClose={() => setAsking(undefined)}
          onConfirm={() => void say.attempt(() => client.connections.logout(connectionId))}
        >
          <p>The device is unlinked from the phone. To use it again, the phone has to be linked again.</p>
        </Confirm>
      )}
      {asking === 'delete' && (
        <Confirm
          title={`Delete ${label}?`}
          action="Delete for good"
          onClose={() => setAsking(undefined)}
          onConfirm={() =>
            void say
              .attempt(() => client.connections.delete(connectionId), `${label} is being deleted.`)
              .then((well) => well && go('/'))
          }
        >
          <p>The device is unlinked, and the connection goes with its settings and its messages.</p>
        </Confirm>
      )}
    </div>
  )
}

function Details({ connection }: { readonly connection: Connection }) {
  const rows = [
    ['Connection id', <code key="id">{connection.connectionId}</code>],
    ['Status', `${connection.status} / ${connection.reason}`],
    ['Linked', <Time key="linked" at={connection.linkedAt} />],
    ['Last connected', <Time key="last" at={connection.lastConnectedAt} />],
    ['Created', <Time key="created" at={connection.createdAt} />],
    ['Pace', connection.pace === undefined ? 'No limits' : <code key="pace">{JSON.stringify(connection.pace)}</code>],
    ['Ignored', ignored(connection)],
  ] as const
  return (
    <div className="card">
      <Rename connection={connection} />
      <dl className="details">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

/** What the connection does not take in. */
function ignored({ ignore }: Connection): string {
  // What the API says where nothing is set.
  const { groups = false, status = true, channels = true } = ignore ?? {}
  const which = [groups && 'groups', status && 'status updates', channels && 'channels'].filter(
    (name) => name !== false,
  )
  if (which.length === 0) return 'Nothing'
  const text = which.join(', ')
  return `${text[0]?.toUpperCase()}${text.slice(1)}`
}

function Rename({ connection }: { readonly connection: Connection }) {
  const { client } = useSession()
  const say = useSay()
  const [label, setLabel] = useState(connection.label)
  return (
    <form
      className="inline"
      onSubmit={(event) => {
        event.preventDefault()
        void say.attempt(
          () => client.connections.update(connection.connectionId, { label }, { version: connection.version }),
          'The name is changed.',
        )
      }}
    >
      <label>
        Name
        <input required maxLength={100} value={label} onChange={(event) => setLabel(event.target.value)} />
      </label>
      <button type="submit" disabled={label.trim() === '' || label === connection.label}>
        Rename
      </button>
    </form>
  )
}
