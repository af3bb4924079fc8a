/**
 * The renewing thread: keeps the lease while the main thread computes, never while it hangs. Started by `threaded-renewal.ts`.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { LeaseTerms } from '../../shared/domain/leases.ts'
import type { FleetStore } from '../../shared/domain/stores/fleet.ts'
import { processClock } from '../process-clock.ts'
import { RenewalLoop, type WorkerLoad } from './renewal.ts'
import { RenewalMemory } from './renewal-memory.ts'

export interface ThreadData {
  readonly shared: SharedArrayBuffer
  readonly workerId: string
  readonly terms: LeaseTerms
  readonly load: WorkerLoad
  /** URL of a module that exports `openStore(storeSettings)`. */
  readonly storeModule: string
  readonly storeSettings: unknown
}

/** The thread is sent `WorkerLoad`s. */
export type FromThread = { readonly kind: 'dead' }

interface StoreModule {
  openStore(settings: unknown): Pick<FleetStore, 'renew'>
}

async function run(data: ThreadData): Promise<void> {
  const port = parentPort
  if (port === null) throw new Error('renewal-thread.ts runs only as a worker thread')
  const { openStore } = (await import(data.storeModule)) as StoreModule
  const memory = new RenewalMemory(data.shared)
  const loop = new RenewalLoop(
    {
      clock: processClock,
      store: openStore(data.storeSettings),
      workerId: data.workerId,
      terms: data.terms,
      heartbeatAgeMs: () => processClock.monotonic() - memory.heartbeat,
      publish: (stamp) => memory.confirm(stamp),
      dead: () => port.postMessage({ kind: 'dead' } satisfies FromThread),
    },
    data.load,
  )
  port.on('message', (load: WorkerLoad) => loop.carry(load))
  loop.start()
}

await run(workerData as ThreadData)
