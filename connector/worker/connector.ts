import type { LeaseTerms } from '../../shared/domain/leases.ts'
import { defaultOwnershipSettings, Ownership, type OwnershipSettings } from '../fleet/ownership.ts'
import type { Renewal, WorkerLoad } from '../fleet/renewal.ts'
import type { Recorder } from '../metrics/recorder.ts'
import type { WorkerFigures } from '../metrics/report.ts'
import type { Clock, Log, SessionFactory } from '../ports.ts'
import { Health } from './health.ts'
import { exitCodes, Shutdown } from './shutdown.ts'
import type { Stores } from './stores.ts'
import type { TaskIdentity } from './task-identity.ts'
import { Worker, type WorkerSettings } from './worker.ts'

export interface ConnectorSettings {
  readonly terms: LeaseTerms
  readonly partitionCount: number
  readonly maxConnections: number
  readonly stopTimeoutMs: number
  readonly handoverRate: number
  readonly worker: WorkerSettings
}

export interface ConnectorDependencies {
  readonly clock: Clock
  readonly log: Log
  readonly identity: TaskIdentity
  readonly stores: Pick<Stores, 'fleet' | 'connections' | 'messages' | 'operations' | 'doorbells'>
  readonly createSession: SessionFactory
  readonly startRenewal: (load: WorkerLoad) => Renewal
  readonly recorder: Pick<Recorder, 'count'>
  readonly settings: ConnectorSettings
  readonly exit: (code: number) => void
}

export interface Connector {
  readonly workerId: string
  /** False before it has one, too. */
  readonly leaseValid: boolean
  start(): Promise<void>
  readonly shutdown: Shutdown
  readonly health: Health
  figures(): WorkerFigures
}

/** One worker, put together: ownership tells the worker what it holds, the worker tells ownership what that weighs. */
export function createConnector(deps: ConnectorDependencies): Connector {
  const { clock, log, identity, stores, settings } = deps
  const ownershipSettings: OwnershipSettings = {
    ...defaultOwnershipSettings,
    terms: settings.terms,
    partitionCount: settings.partitionCount,
    handoverRate: settings.handoverRate,
  }
  const worker = new Worker({
    clock,
    log,
    createSession: deps.createSession,
    connections: stores.connections,
    messages: stores.messages,
    operations: stores.operations,
    doorbells: stores.doorbells,
    counted: (partition, connections) => ownership.count(partition, connections),
    restoring: (progress) => ownership.restoring(progress),
    recorder: deps.recorder,
    settings: settings.worker,
  })
  const ownership: Ownership = new Ownership({
    clock,
    log,
    store: stores.fleet,
    worker: { ...identity, maxConnections: settings.maxConnections },
    startRenewal: deps.startRenewal,
    settings: ownershipSettings,
    listener: {
      taken: (holding) => worker.taken(holding),
      lost: (partition) => worker.lost(partition),
      give: (partition) => worker.give(partition),
      failed: (reason, error) => {
        if (reason === 'dead') {
          shutdown.fail('the lease', new Error('the fleet declared this worker dead'), exitCodes.dead)
        } else {
          shutdown.fail('the renewing thread', error)
        }
      },
    },
  })
  const shutdown: Shutdown = new Shutdown({
    clock,
    log,
    stopTimeoutMs: settings.stopTimeoutMs,
    prepare: () => worker.prepareToStop(),
    handOver: (withinMs) => ownership.handOver(withinMs),
    terminate: () => worker.terminate(),
    signOff: () => ownership.stop(),
    exit: deps.exit,
  })
  const health = new Health(clock, () => ({
    leaseHeld: ownership.leaseValid,
    fleetSeenAgoMs: rounded(ownership.lookAgeMs),
    doorbellsHeardAgoMs: rounded(worker.heardAgoMs),
    partitions: ownership.partitions.length,
    connections: worker.connections,
    restoring: worker.restoring,
  }))
  return {
    workerId: identity.workerId,
    get leaseValid() {
      return ownership.leaseValid
    },
    shutdown,
    health,
    figures: () => worker.figures,
    start: async () => {
      worker.start()
      await ownership.start()
    },
  }
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms)
}
