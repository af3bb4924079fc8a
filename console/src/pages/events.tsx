import { useState } from 'react'
import type { Heard } from '../live-store.ts'
import { Empty } from '../parts/empty.tsx'
import { useLive, useSession } from '../session.tsx'

/** What happens, as it happens: the same events that webhooks and the bus carry. */
export function EventsPage() {
  const { heard, connections } = useLive()
  const { store } = useSession()
  const [filter, setFilter] = useState('')
  const [kind, setKind] = useState('')
  const [paused, setPaused] = useState<readonly Heard[]>()
  const all = paused ?? heard
  const kinds = [...new Set(heard.map(({ event }) => event))].sort()
  const labels = new Map(connections.map(({ connectionId, label }) => [connectionId, label]))
  const wanted = filter.trim().toLowerCase()
  const shown = all.filter(
    ({ event, data }) =>
      (kind === '' || event === kind) &&
      (wanted === '' || `${event} ${JSON.stringify(data)}`.toLowerCase().includes(wanted)),
  )
  const missed = paused === undefined ? 0 : heard.filter(({ key }) => key > (paused[0]?.key ?? 0)).length
  return (
    <>
      <div className="page-head">
        <h1>Events</h1>
        <div className="actions">
          <button
            type="button"
            aria-pressed={paused !== undefined}
            onClick={() => setPaused(paused === undefined ? heard : undefined)}
          >
            {paused === undefined ? 'Pause' : `Go on${missed > 0 ? ` (${missed} new)` : ''}`}
          </button>
          <button
            type="button"
            onClick={() => {
              store.clearHeard()
              setPaused(undefined)
            }}
          >
            Clear
          </button>
        </div>
      </div>
      <div className="filters">
        <label>
          Event
          <select value={kind} onChange={(event) => setKind(event.target.value)}>
            <option value="">All</option>
            {kinds.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Contains
          <input type="search" value={filter} onChange={(event) => setFilter(event.target.value)} />
        </label>
      </div>
      {shown.length === 0 ? (
        <Empty title={all.length === 0 ? 'Nothing has happened yet' : 'Nothing matches'}>
          <p>Events appear here while this page is open. The newest comes first; 500 are kept.</p>
        </Empty>
      ) : (
        <ul className="events">
          {shown.map(({ key, at, event, connectionId, data }) => (
            <li key={key}>
              <details>
                <summary>
                  <time dateTime={at.toISOString()}>{at.toLocaleTimeString()}</time> <strong>{event}</strong>{' '}
                  <span>{connectionId === undefined ? '' : (labels.get(connectionId) ?? connectionId)}</span>{' '}
                  <span className="hint">{inShort(data)}</span>
                </summary>
                <pre>{JSON.stringify(data, null, 2)}</pre>
              </details>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

function inShort(data: unknown): string {
  const { status, reason, text, message } = data as {
    status?: string
    reason?: string
    text?: { body?: string }
    message?: string
  }
  return text?.body ?? (reason === undefined ? (status ?? '') : (message ?? `${status} / ${reason}`))
}
