import { Worker } from 'node:worker_threads'
import type { LeaseTerms } from '../../shared/domain/leases.ts'
import { processClock } from '../process-clock.ts'
import type { Renewal, RenewalEnd, WorkerLoad } from './renewal.ts'
import { RenewalMemory } from './renewal-memory.ts'
import type { FromThread, ThreadData } from './renewal-thread.ts'

export interface ThreadedRenewalSettings {
  readonly workerId: string
  readonly terms: LeaseTerms
  readonly load: WorkerLoad
  /** Module that exports `openStore(storeSettings)`; it runs in the thread, with clients of its own. */
  readonly storeModule: URL
  readonly storeSettings: unknown
}

const figuresMs = 250

/** Renews from a thread of its own; see `renewal-thread.ts`. */
export function threadedRenewal(settings: ThreadedRenewalSettings): Renewal {
  const memory = new RenewalMemory()
  memory.beat(processClock.monotonic())
  const { storeModule, ...rest } = settings
  const workerData: ThreadData = { ...rest, shared: memory.shared, storeModule: storeModule.href }
  const thread = new Worker(new URL('./renewal-thread.ts', import.meta.url), { workerData, name: 'renewal' })
  const { promise: ended, resolve } = Promise.withResolvers<RenewalEnd>()
  let stopping = false
  let toldState = settings.load.state
  let untold: WorkerLoad | undefined
  const tell = (load: WorkerLoad): void => {
    untold = undefined
    toldState = load.state
    if (!stopping) thread.postMessage(load)
  }
  thread.on('message', (message: FromThread) => resolve(message))
  thread.on('error', (error: unknown) => {
    resolve({ kind: 'broken', error: error instanceof Error ? error : new Error(String(error)) })
  })
  thread.on('exit', (code) => {
    if (!stopping) resolve({ kind: 'broken', error: new Error(`the renewing thread ended with code ${code}`) })
  })
  return {
    confirmed: () => memory.confirmed,
    beat: () => memory.beat(processClock.monotonic()),
    carry: (load) => {
      if (load.state !== toldState) {
        tell(load)
        return
      }
      // Figures change with every connection that is restored, and are read once in a renewal period.
      if (untold === undefined) processClock.after(figuresMs, () => untold !== undefined && tell(untold))
      untold = load
    },
    ended,
    stop: async () => {
      stopping = true
      // Not asked but ended: a renewal that hangs does not hold up the process.
      await thread.terminate()
    },
  }
}
