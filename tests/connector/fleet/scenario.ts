import { defaultOwnershipSettings, Ownership, type OwnershipSettings } from '../../../connector/fleet/ownership.ts'
import { renewalOnClock } from '../../../connector/fleet/renewal.ts'
import type { Holding, Log } from '../../../connector/ports.ts'
import type { FleetStore } from '../../../shared/domain/stores/fleet.ts'
import type { PartitionId } from '../../../shared/domain/words.ts'
import { ModelFleetStore } from '../../simulation/models/fleet.ts'
import { ProcessClock, VirtualClock } from '../virtual-clock.ts'

export const quietLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => quietLog,
}

export interface WorkerOptions {
  readonly deployment?: string
  readonly maxConnections?: number
  /** Of its clocks against the world's. */
  readonly rate?: number
  readonly connectionsOf?: (partition: PartitionId) => number
  readonly closingMs?: number
}

/** A fleet of real `Ownership`s on a virtual clock, over the model store. */
export class FleetScenario {
  readonly clock = new VirtualClock()
  readonly store = new ModelFleetStore()
  readonly workers: ScenarioWorker[] = []
  readonly partitionCount: number
  readonly settings: OwnershipSettings

  constructor(partitionCount = 16, settings: Partial<OwnershipSettings> = {}) {
    this.partitionCount = partitionCount
    this.settings = {
      ...defaultOwnershipSettings,
      terms: { leaseMs: 12_000, marginMs: 2_000, renewMs: 3_000 },
      partitionCount,
      ...settings,
    }
  }

  async start(name: string, options: WorkerOptions = {}): Promise<ScenarioWorker> {
    const worker = new ScenarioWorker(this, name, options)
    this.workers.push(worker)
    await worker.ownership.start()
    return worker
  }

  /** Partitions with the names of all running workers that hold them right now. */
  holders(): Map<PartitionId, string[]> {
    const holders = new Map<PartitionId, string[]>()
    for (const worker of this.workers) {
      for (const holding of worker.holdings.values()) {
        if (!worker.stopped && holding.held()) {
          holders.set(holding.partition, [...(holders.get(holding.partition) ?? []), worker.name])
        }
      }
    }
    return holders
  }

  everyPartitionHeld(): boolean {
    return this.holders().size === this.partitionCount
  }

  heldTwice(): PartitionId[] {
    return [...this.holders()].filter(([, names]) => names.length > 1).map(([partition]) => partition)
  }

  /** Passes time in small steps and throws as soon as two running workers hold one partition. */
  async passTimeSafely(ms: number, stepMs = 50): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await this.clock.passTime(stepMs)
      const twice = this.heldTwice()
      if (twice.length > 0) throw new Error(`held twice: ${twice.join(', ')} at ${this.clock.monotonic()}`)
    }
  }
}

export class ScenarioWorker {
  readonly name: string
  readonly clock: ProcessClock
  readonly ownership: Ownership
  readonly holdings = new Map<PartitionId, Holding>()
  /** What ownership told, in order: `+3` taken, `-3` lost, `>3` asked to close. */
  readonly told: string[] = []
  failed: string | undefined
  stopped = false
  storeFails = false
  #continued = Promise.withResolvers<void>()

  constructor(scenario: FleetScenario, name: string, options: WorkerOptions) {
    this.name = name
    this.clock = new ProcessClock(scenario.clock, options.rate ?? 1)
    const store = this.#through(scenario.store)
    this.ownership = new Ownership({
      clock: this.clock,
      log: quietLog,
      store,
      worker: {
        workerId: name,
        taskArn: `arn:task/${name}`,
        deployment: options.deployment ?? '1',
        maxConnections: options.maxConnections ?? 1_000,
      },
      startRenewal: (load) =>
        renewalOnClock({ clock: this.clock, store, workerId: name, terms: scenario.settings.terms }, load),
      settings: scenario.settings,
      listener: {
        taken: (holding) => {
          this.told.push(`+${holding.partition}`)
          this.holdings.set(holding.partition, holding)
          this.ownership.count(holding.partition, options.connectionsOf?.(holding.partition) ?? 0)
        },
        lost: (partition) => {
          this.told.push(`-${partition}`)
          this.holdings.delete(partition)
        },
        give: async (partition) => {
          this.told.push(`>${partition}`)
          await new Promise<void>((resolve) => this.clock.after(options.closingMs ?? 100, resolve))
          this.holdings.delete(partition)
        },
        failed: (reason) => {
          this.failed = reason
        },
      },
    })
  }

  get partitions(): number {
    return this.holdings.size
  }

  /** kill -9 */
  crash(): void {
    this.pause()
    this.holdings.clear()
  }

  /** SIGSTOP */
  pause(): void {
    this.stopped = true
    this.clock.stopProcess()
    this.#continued = Promise.withResolvers()
  }

  /** SIGCONT */
  resume(): void {
    this.stopped = false
    this.clock.continueProcess()
    this.#continued.resolve()
  }

  /** What is on its way when the process stops still arrives; the answer waits until it goes on. */
  #through(store: FleetStore): FleetStore {
    return new Proxy(store, {
      get: (target, name) => {
        const member = Reflect.get(target, name) as unknown
        if (typeof member !== 'function') return member
        return async (...args: unknown[]) => {
          if (this.storeFails) throw new Error('the store is away')
          const answer: unknown = await Reflect.apply(member, target, args)
          if (this.stopped) await this.#continued.promise
          return answer
        }
      },
    })
  }
}
