/**
 * From a change of status in the connector to the browsers' frames, on the whole product in local mode: linked connections
 * whose sockets the simulated WhatsApp drops become `reconnecting` and `connected` again. Then a burst of changes, written by
 * the worker's store, after which every watcher must show what REST shows.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { documentClient } from '../../shared/aws/clients.ts'
import { apiConnections, workerConnections } from '../../shared/aws/connections.ts'
import type { Connection, HoldfastClient } from '../../shared/client/index.ts'
import type { ConnectionChange, ConnectionRow } from '../../shared/domain/stores/connections.ts'
import { phones } from '../end-to-end/callers.ts'
import { type RunningPlace, startPlace } from '../end-to-end/place.ts'
import { digest } from './live-watchers.ts'
import type { BenchOptions } from './options.ts'
import { type Figures, percentile } from './report.ts'
import { createTenant, type Linked, link, type Tenant } from './tenant.ts'
import { WatcherProcess } from './watcher-process.ts'

const watchersByDefault = [100, 1_000]
/** Of a watcher's frame, where there are so many. */
const target = { watchers: 100, p95Ms: 500 }
const linkedConnections = 10
/** Each drop changes the status twice. */
const drops = { few: 30, many: 10 }
const burst = { changes: 5_000, connections: 50, writesAtOnce: 25 }
/** No worker has it: nobody else writes to these rows. */
const unownedPartition = 100_000
const sameWithinMs = 60_000

export async function live(
  { runs, watchers: only }: BenchOptions,
  figures: Figures,
  progress: (message: string) => void,
): Promise<void> {
  for (let run = 0; run < runs; run++) {
    // What is measured is what comes after a change: the wait between them need not be the product's own 5 s.
    const quick = { BACKOFF_BASE_MS: '1000', STABLE_AFTER_MS: '100' }
    const place = await startPlace({ environmentOverrides: { containers: { connector: quick } } })
    const watchers = new WatcherProcess()
    try {
      const tenant = await createTenant(place)
      const { apiKey, client } = tenant
      const phoneNumbers = Array.from({ length: linkedConnections }, (_, n) => `+4915112345${600 + n}`)
      const linked = await Promise.all(phoneNumbers.map((phoneNumber) => link(place, client, phoneNumber)))
      for (const count of only === undefined ? watchersByDefault : [only]) {
        const opening = Date.now()
        await watchers.open(place.httpUrl, apiKey, count)
        const openedMs = Date.now() - opening
        progress(`${count} watchers are open, ${(openedMs / 1_000).toFixed(1)} s`)
        const [each, last]: [number[], number[]] = [[], []]
        const times = count <= target.watchers ? drops.few : drops.many
        for (let n = 0; n < times; n++) {
          const dropped = linked[n % linked.length] as Linked
          const { latencies } = await watchers.know([
            [dropped.connectionId, await dropAndReturn(place, client, dropped)],
          ])
          for (const ofChange of latencies) {
            each.push(...ofChange)
            last.push(Math.max(...ofChange))
          }
        }
        progress(`${last.length} changes of status reached ${count} watchers`)
        const add = (name: string, value: number, atMost?: number): void =>
          figures.add('holdfast', count, name, 'ms', value, atMost === undefined ? undefined : { of: 'figure', atMost })
        const atMost = count <= target.watchers ? target.p95Ms : undefined
        add('status change in the connector to the frame, 95th percentile', percentile(each, 95), atMost)
        add('status change in the connector to the frame, median', percentile(each, 50))
        add('status change until the last watcher has it, 95th percentile', percentile(last, 95))
        figures.add('holdfast', count, 'changes of status', '', last.length)
        figures.add('holdfast', count, 'opening the watchers', 's', openedMs / 1_000)
      }
      await changeAllAtOnce(place, tenant, watchers, only ?? Math.max(...watchersByDefault), figures, progress)
      client.live.close()
    } finally {
      watchers.end()
      await place.stop()
    }
  }
}

/** Gives the version at which the connection is connected again. */
async function dropAndReturn(place: RunningPlace, { live }: HoldfastClient, dropped: Linked): Promise<number> {
  const { connectionId, phoneNumber } = dropped
  const before = live.connections.get(connectionId)?.version ?? 0
  const back = live.once('whatsapp-connected', (now) => now.connectionId === connectionId && now.version > before)
  await phones(place.simulatorUrl).fault({ kind: 'drop', target: { phoneNumber: phoneNumber.slice(1) } })
  return (await back).version
}

async function changeAllAtOnce(
  place: RunningPlace,
  { client, businessProfileId }: Tenant,
  watchers: WatcherProcess,
  count: number,
  figures: Figures,
  progress: (message: string) => void,
): Promise<void> {
  const rows = await storedRows(place, businessProfileId)
  progress(`a burst of ${burst.changes} changes`)
  const startedAt = Date.now()
  const seconds = (): number => (Date.now() - startedAt) / 1_000
  const versions = await rows.changeAll()
  figures.add('holdfast', count, `writing ${burst.changes} changes of ${burst.connections} connections`, 's', seconds())
  let known = await watchers.know(versions)
  figures.add('holdfast', count, 'from the first of them until every watcher has each last one', 's', seconds())
  const others = async (): Promise<number> => {
    const all: Connection[] = []
    for await (const connection of client.connections.all()) all.push(connection)
    const shown = digest(all)
    return known.states.reduce((sum, [state, showing]) => sum + (state === shown ? 0 : showing), 0)
  }
  let wrong = await others()
  for (const end = Date.now() + sameWithinMs; wrong > 0 && Date.now() < end; wrong = await others()) {
    await delay(500)
    known = await watchers.know(versions)
  }
  figures.add('holdfast', count, 'watchers that show another state than REST', '', wrong, { of: 'figure', atMost: 0 })
  figures.add('holdfast', count, 'sockets lost', '', known.reconnects)
}

/** Connections that no worker holds, in the product's own table. */
async function storedRows({ aws }: RunningPlace, businessProfileId: string) {
  // The writer shares its process with the gateway of a thousand sockets: a write that waits there is not made again.
  const documents = documentClient({
    region: aws.region,
    endpoint: aws.endpoint,
    credentials: aws.credentials,
    requestTimeoutMs: 120_000,
  })
  const { TableNames = [] } = await documents.send(new ListTablesCommand({}))
  const table = TableNames.find((name) => /connections/i.test(name))
  if (table === undefined) throw new Error(`no table of connections among ${TableNames.join(', ')}`)
  const [api, worker] = [apiConnections({ documents, table }), workerConnections({ documents, table })]
  const now = (): string => new Date().toISOString()
  const rows: ConnectionRow[] = Array.from({ length: burst.connections }, (_, n) => ({
    businessProfileId,
    connectionId: `con_${String(n).padStart(20, '0')}`,
    label: `Desk ${n}`,
    pairing: 'qr',
    ...away,
    partition: unownedPartition,
    epoch: 1,
    version: 1,
    createdAt: now(),
    updatedAt: now(),
  }))
  for (const row of rows) await api.create(row)

  return {
    /** Gives the version that each has in the end. Each change alters the status. */
    async changeAll(): Promise<(readonly [string, number])[]> {
      let next = 0
      const lane = async (): Promise<void> => {
        for (let n = next++; n < burst.changes; n = next++) {
          const row = rows[n % rows.length] as ConnectionRow
          const outcome = await worker.update(row, 1, Math.floor(n / rows.length) % 2 === 0 ? open : away, now())
          if (outcome.kind !== 'written') throw new Error(`${row.connectionId}: ${outcome.kind}`)
        }
      }
      await Promise.all(Array.from({ length: burst.writesAtOnce }, lane))
      return rows.map(({ connectionId, version }) => [connectionId, version + burst.changes / rows.length])
    },
  }
}

const open = { status: 'connected', reason: 'open', message: 'Connected.' } satisfies ConnectionChange
const away = {
  status: 'disconnected',
  reason: 'no_session',
  message: 'Not linked.',
} satisfies ConnectionChange
