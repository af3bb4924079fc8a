/** The minutely check of the cloud: tells people of connections whose partition has no living worker. */
import { orphaned, Pulse } from '../../functions/schedule/pulse.ts'
import type { FleetStore } from '../../shared/domain/stores/fleet.ts'
import type { Breakages } from './breakages.ts'
import { keyOf } from './models/network.ts'
import type { ModelTables } from './models/stores.ts'
import type { Chance, World } from './world.ts'

const everyMs = 60_000

export class Watchdog {
  readonly #world: World
  readonly #chance: Chance
  readonly #fleet: FleetStore
  readonly #tables: ModelTables
  readonly #breakages: Breakages
  readonly #partitionCount: number
  readonly #silenceMs: number
  readonly #pulse: Pulse

  constructor(options: {
    readonly world: World
    readonly chance: Chance
    readonly fleet: FleetStore
    readonly tables: ModelTables
    readonly breakages: Breakages
    readonly partitionCount: number
    /** How long a counter may stand still. */
    readonly silenceMs: number
  }) {
    this.#world = options.world
    this.#chance = options.chance
    this.#fleet = options.fleet
    this.#tables = options.tables
    this.#breakages = options.breakages
    this.#partitionCount = options.partitionCount
    this.#silenceMs = options.silenceMs
    this.#pulse = new Pulse(options.silenceMs)
    this.#later()
  }

  #later(): void {
    this.#world.after(everyMs, () => {
      this.#later()
      void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#pulse.beginWatch()
    for (;;) {
      const view = await this.#fleet.view()
      this.#pulse.see(view.workers, this.#world.now)
      const verdict = orphaned(view, this.#partitionCount, this.#pulse, this.#world.now)
      if (!verdict.undecided) return this.#mark(new Set(verdict.partitions))
      await this.#pause(this.#silenceMs / 4)
    }
  }

  /** What a worker or a caller said since the row was read is newer than the check. */
  async #mark(partitions: ReadonlySet<number>): Promise<void> {
    const rows = [...this.#tables.connections.values()].filter(
      ({ partition, status, reason }) =>
        partitions.has(partition) && (status === 'connected' || (status === 'reconnecting' && reason !== 'no_worker')),
    )
    for (const row of rows) {
      await this.#pause(this.#breakages.watchesLate ? 20_000 : this.#chance.between(2, 25))
      const now = this.#tables.connections.get(keyOf(row))
      if (now === undefined) continue
      const asSeen = now.epoch === row.epoch && now.version === row.version
      if (!asSeen && !this.#breakages.watchesLate) continue
      this.#world.log('watchdog', `${row.connectionId} has no worker`)
      const { attempt: _, maxAttempts: __, nextAttemptAt: ___, remedy: ____, ...rest } = now
      const marked = { ...rest, status: 'reconnecting', reason: 'no_worker', version: now.version + 1 } as const
      this.#tables.connections.set(keyOf(row), marked)
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.after(ms, resolve))
  }
}
