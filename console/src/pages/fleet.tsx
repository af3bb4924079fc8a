import { useCallback, useRef } from 'react'
import type { Answer, HoldfastClient } from '../../../shared/client/index.ts'
import { Time } from '../parts/clock.tsx'
import { Empty } from '../parts/empty.tsx'
import { Operator } from '../parts/operator.tsx'
import { usePolled } from '../parts/use-polled.ts'

type Fleet = Answer<'GET /admin/fleet'>
type FleetWorker = Fleet['workers'][number]

const lookAgainMs = 3_000
/** A worker whose heartbeat stands still for so long has lost its lease. */
const silentMs = 14_000

/** The workers, what they hold, and how far a restore is. */
export function FleetPage() {
  return (
    <>
      <div className="page-head">
        <h1>Fleet</h1>
      </div>
      <Operator>{(client) => <Workers client={client} />}</Operator>
    </>
  )
}

function Workers({ client }: { readonly client: HoldfastClient }) {
  const silences = useRef(new Silences())
  const read = useCallback(async () => {
    const fleet = await client.operators.fleet()
    return { ...fleet, silentForMs: silences.current.see(fleet.workers, performance.now()) }
  }, [client])
  const fleet = usePolled(read, lookAgainMs)
  if (fleet === undefined) return <p role="status">Looking at the fleet…</p>
  const { workers, partitions, silentForMs } = fleet
  const unowned = partitions.filter(({ owner }) => owner === undefined).length
  const running = workers.filter(({ state }) => state !== 'dead')
  return (
    <>
      <p role="status">
        {running.length} {running.length === 1 ? 'worker holds' : 'workers hold'}{' '}
        {running.reduce((sum, { connections }) => sum + connections, 0)} connections; {partitions.length - unowned} of{' '}
        {partitions.length} partitions have an owner.
      </p>
      {workers.length === 0 && (
        <Empty title="No worker has come yet">
          <p>Connections are restored as soon as one starts.</p>
        </Empty>
      )}
      <ul className="cards">
        {workers.map((worker) => (
          <WorkerCard key={worker.workerId} worker={worker} silentForMs={silentForMs.get(worker.workerId) ?? 0} />
        ))}
      </ul>
      {partitions.length > 0 && <Partitions partitions={partitions} />}
    </>
  )
}

function WorkerCard({ worker, silentForMs }: { readonly worker: FleetWorker; readonly silentForMs: number }) {
  const { workerId, state, connections, maxConnections, partitions, restoring, deployment, startedAt } = worker
  const silent = state !== 'dead' && silentForMs >= silentMs
  return (
    <li className="card">
      <div className="card-head">
        <h2>
          <Worker id={workerId} />
        </h2>
        <span className={`status ${silent ? 'disconnected' : shapes[state]}`}>
          <span className="dot" aria-hidden="true" />
          {silent ? 'Silent' : words[state]}
        </span>
      </div>
      <p>
        {connections} of at most {maxConnections} connections, {partitions} partitions
      </p>
      <progress aria-label={`Load of ${workerId}`} max={Math.max(1, maxConnections)} value={connections} />
      {restoring !== undefined && restoring.total > 0 && (
        <>
          <p>
            Restoring connections: {restoring.done} of {restoring.total}
          </p>
          <progress aria-label={`Restored by ${workerId}`} max={restoring.total} value={restoring.done} />
        </>
      )}
      <p className="hint">
        Started <Time at={startedAt} />, deployment {deployment}
        {silentForMs >= silentMs && `; no heartbeat for ${Math.round(silentForMs / 1_000)} s`}
      </p>
    </li>
  )
}

/** Ids of workers are long: the beginning tells them apart, the whole is there for who needs it. */
function Worker({ id }: { readonly id: string }) {
  return <code title={id}>{id.slice(0, 8)}</code>
}

const words = { live: 'Live', draining: 'Draining', dead: 'Dead' } as const
const shapes = { live: 'connected', draining: 'reconnecting', dead: 'disconnected' } as const

function Partitions({ partitions }: Pick<Fleet, 'partitions'>) {
  return (
    <section className="card">
      <h2>Partitions</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <div className="scroll" tabIndex={0} role="region" aria-label="Table of partitions">
        <table>
          <thead>
            <tr>
              <th scope="col">Partition</th>
              <th scope="col">Connections</th>
              <th scope="col">Epoch</th>
              <th scope="col">Owner</th>
            </tr>
          </thead>
          <tbody>
            {partitions.map(({ partition, epoch, owner, connections }) => (
              <tr key={partition}>
                <th scope="row">{partition}</th>
                <td>{connections}</td>
                <td>{epoch}</td>
                <td>{owner === undefined ? <strong className="problem">nobody</strong> : <Worker id={owner} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

/** For how long each heartbeat has stood still, by this page's own clock: no clock of a worker is compared with it. */
class Silences {
  #seen = new Map<string, { readonly heartbeat: number; readonly since: number }>()

  see(workers: readonly FleetWorker[], nowMs: number): ReadonlyMap<string, number> {
    this.#seen = new Map(
      workers.map(({ workerId, heartbeat }) => {
        const before = this.#seen.get(workerId)
        return [workerId, before?.heartbeat === heartbeat ? before : { heartbeat, since: nowMs }]
      }),
    )
    return new Map([...this.#seen].map(([workerId, { since }]) => [workerId, nowMs - since]))
  }
}
