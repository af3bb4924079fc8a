import { emptyMemory, type FleetMemory, type LeaseTerms, observe, type Stamp } from '../../shared/domain/leases.ts'
import { chooseHeir } from '../../shared/domain/placement.ts'
import type { FleetStore, TakeOutcome, WorkerRow } from '../../shared/domain/stores/fleet.ts'
import { assertNever, type EpochMs, type PartitionId, type WorkerId } from '../../shared/domain/words.ts'
import type { Clock, Holding, Log, Timer } from '../ports.ts'
import { Bargains } from './bargains.ts'
import { decideOwnership, type OwnershipAction, type OwnershipDecision } from './decisions.ts'
import { handOver } from './handover.ts'
import { Holdings } from './holdings.ts'
import type { Renewal, WorkerLoad } from './renewal.ts'

/** What ownership tells the worker. All calls but `give` are synchronous and must not throw. */
export interface OwnershipListener {
  taken(holding: Holding): void
  /** Terminate its sessions now: somebody else may be about to open them. `holding.held()` is false already. */
  lost(partition: PartitionId): void
  /** Finish, flush and close its sessions; resolves when nothing of them writes any more. Bounded by the worker. */
  give(partition: PartitionId): Promise<void>
  /** This worker cannot go on: everything it held is lost (and was told), the process should end with a non-zero code. */
  failed(reason: 'dead' | 'renewal_broken', error?: Error): void
}

/** Milliseconds, where the name says so. */
export interface OwnershipSettings {
  readonly terms: LeaseTerms
  readonly partitionCount: number
  readonly lookMs: number
  /** While something changes hands. */
  readonly lookSoonMs: number
  /** A partition granted, or got by a grant, stays for that long. */
  readonly grantRestMs: number
  readonly forgetAfterMs: number
  /** So many connections a second at most change hands when the worker stops: what their receivers can log in. */
  readonly handoverRate: number
}

export const defaultOwnershipSettings = {
  lookMs: 1_000,
  lookSoonMs: 200,
  grantRestMs: 300_000,
  forgetAfterMs: 3_600_000,
  handoverRate: 60,
} as const

export interface OwnershipDependencies {
  readonly clock: Clock
  readonly log: Log
  readonly store: FleetStore
  readonly worker: Pick<WorkerRow, 'workerId' | 'taskArn' | 'deployment' | 'maxConnections'>
  readonly startRenewal: (load: WorkerLoad) => Renewal
  readonly listener: OwnershipListener
  readonly settings: OwnershipSettings
}

const viewTimeoutMs = 5_000
const givesAtOnce = 2

/** Looks at the fleet, decides, acts: the one place of a worker that knows which partitions it holds. */
export class Ownership {
  readonly #deps: OwnershipDependencies
  readonly #held: Holdings
  readonly #bargains: Bargains
  readonly #busy = new Map<PartitionId, Promise<void>>()
  /** Counts that changed since the last look: a restore changes them many times a second. */
  readonly #uncounted = new Set<PartitionId>()
  #renewal: Renewal | undefined
  #registered: Stamp | undefined
  #memory: FleetMemory = emptyMemory
  #decision: OwnershipDecision | undefined
  #giving = 0
  #load: WorkerLoad = { connections: 0, state: 'live' }
  #unplaced = 0
  #lookTimer: Timer | undefined
  #lookedAt: EpochMs | undefined
  #looks = 0
  #nextLook = Promise.withResolvers<void>()
  #stopped = false
  #failed = false
  #gone: Promise<void> | undefined

  constructor(deps: OwnershipDependencies) {
    this.#deps = deps
    const { clock, log, settings, listener } = deps
    const { terms, grantRestMs } = settings
    this.#held = new Holdings({
      clock,
      log,
      terms,
      confirmed: () => this.#renewal?.confirmed() ?? this.#registered,
      beat: () => this.#renewal?.beat(),
      taken: (holding) => listener.taken(holding),
      lost: (partition) => listener.lost(partition),
    })
    this.#bargains = new Bargains(() => clock.monotonic(), grantRestMs, terms.renewMs * 4)
  }

  get workerId(): WorkerId {
    return this.#deps.worker.workerId
  }

  get partitions(): readonly PartitionId[] {
    return this.#held.partitions
  }

  get leaseValid(): boolean {
    return this.#held.guard.valid()
  }

  /** How long ago the fleet was last seen; `undefined`: never yet. */
  get lookAgeMs(): number | undefined {
    return this.#lookedAt === undefined ? undefined : this.#deps.clock.monotonic() - this.#lookedAt
  }

  /** Rejects when the fleet table cannot be written: there is nothing to own then. */
  async start(): Promise<void> {
    const { clock, store, worker, settings } = this.#deps
    await store.ensurePartitions(settings.partitionCount)
    const stamp = this.#held.guard.now()
    await store.register({
      ...worker,
      counter: 0,
      state: 'live',
      connections: 0,
      startedAt: new Date(clock.now()).toISOString(),
    })
    if (this.#stopped) return
    // Registering is the first renewal: nobody can have seen the counter before this stamp.
    this.#registered = stamp
    this.#renewal = this.#deps.startRenewal(this.#load)
    void this.#renewal.ended.then((end) => {
      if (this.#stopped) return
      if (end.kind === 'dead') this.#fail('dead')
      else this.#fail('renewal_broken', end.error)
    })
    this.#held.beat()
    void this.#look()
  }

  /** Connections of a partition as its owner counts them: the weight for fair shares. */
  count(partition: PartitionId, connections: number): void {
    const held = this.#held.get(partition)
    if (held === undefined || held.connections === connections) return
    held.connections = connections
    this.#uncounted.add(partition)
    this.#carry({})
  }

  restoring(progress: { readonly done: number; readonly total: number } | undefined): void {
    this.#carry({ restoring: progress })
  }

  /**
   * Gives every partition away, to the newest deployment's workers first. Resolves when nothing is held any more, at the
   * latest shortly after `withinMs`: what is left then is taken from the sessions at once.
   */
  async handOver(withinMs: number): Promise<void> {
    // Not registered yet: nothing is held, and nobody knows of this worker.
    if (this.#registered === undefined) return
    this.#carry({ state: 'draining' })
    this.#lookAgain(0)
    await handOver({
      clock: this.#deps.clock,
      withinMs,
      giveTimeoutMs: this.#deps.settings.terms.renewMs,
      connectionsPerSecond: this.#deps.settings.handoverRate,
      lanes: givesAtOnce,
      // What is being given away already is waited for as `underWay`.
      held: () =>
        this.#held.entries
          .filter(([partition]) => !this.#busy.has(partition))
          .map(([partition, held]) => ({ partition, connections: held.connections })),
      underWay: () => [...this.#busy.values()],
      heirOf: (partition) => this.#heirOf(partition),
      give: (partition, to) => this.#run(partition, () => this.#give(partition, to)),
      // Who has stopped looks no more, and would wait for the next look without end, and without letting go of its thread.
      claimed: (partition) => this.#stopped || this.#claimed(partition),
      nextLook: () => this.#nextLook.promise,
    })
    this.#held.endAll('out of time')
  }

  /** Ends everything at once; the row says so, and others need not wait. `await`ing is for that row alone. */
  stop(): Promise<void> {
    this.#gone ??= this.#stop()
    return this.#gone
  }

  async #stop(): Promise<void> {
    this.#halt('stopped')
    await this.#renewal?.stop()
    if (this.#registered !== undefined) await this.#deps.store.markDead(this.workerId)
  }

  #halt(why: string): void {
    this.#stopped = true
    this.#lookTimer?.cancel()
    this.#held.stop(why)
    this.#nextLook.resolve()
  }

  #fail(reason: 'dead' | 'renewal_broken', error?: Error): void {
    if (this.#failed) return
    this.#failed = true
    this.#halt(reason)
    this.#deps.listener.failed(reason, error)
  }

  #carry(change: { state?: 'draining'; restoring?: WorkerLoad['restoring'] | undefined }): void {
    const restoring = 'restoring' in change ? change.restoring : this.#load.restoring
    this.#load = {
      state: change.state ?? this.#load.state,
      connections: this.#held.connections,
      ...(restoring === undefined ? {} : { restoring }),
    }
    this.#renewal?.carry(this.#load)
  }

  // ── Looking at the fleet ──────────────────────────────────────────────────────────────────────────────────────────────

  #lookAgain(delayMs: number): void {
    this.#lookTimer?.cancel()
    if (!this.#stopped) this.#lookTimer = this.#deps.clock.after(delayMs, () => void this.#look())
  }

  async #look(): Promise<void> {
    const { clock, store, settings, log } = this.#deps
    const look = ++this.#looks
    this.#lookAgain(viewTimeoutMs)
    const askedAt = clock.monotonic()
    const busyThen = new Set(this.#busy.keys())
    try {
      const view = await store.view()
      // Given up meanwhile, or another look is newer.
      if (this.#stopped || look !== this.#looks) return
      this.#lookedAt = clock.monotonic()
      this.#memory = observe(this.#memory, view, { askedAt, answeredAt: this.#lookedAt })
      const self = view.workers.find((row) => row.workerId === this.workerId)
      if (self === undefined || self.state === 'dead') {
        this.#fail('dead')
        return
      }
      const decision = decideOwnership({
        self: this.workerId,
        draining: this.#load.state === 'draining',
        view,
        memory: this.#memory,
        askedAt,
        terms: settings.terms,
        held: new Map(
          this.#held.entries.map(([id, held]) => [id, { epoch: held.holding.epoch, connections: held.connections }]),
        ),
        // What was under way when the look was asked for may have changed since, and is left to the next one.
        busy: new Set([...busyThen, ...this.#busy.keys()]),
        giving: this.#giving > 0,
        rested: (partition) => this.#bargains.rested(partition, this.#held.get(partition)?.restsUntil ?? 0),
        asked: this.#bargains.pending((partition) => this.#held.get(partition) !== undefined),
        refused: this.#bargains.refused,
        takesAtOnce: Math.max(1, Math.ceil(view.partitions.length / 4)),
        forgetAfterMs: settings.forgetAfterMs,
      })
      this.#decision = decision
      this.#reportUnplaced(decision.unplaced)
      for (const action of decision.actions) this.#act(action)
      this.#storeCounts()
      this.#lookAgain(decision.hurry ? settings.lookSoonMs : settings.lookMs)
    } catch (error) {
      if (this.#stopped || look !== this.#looks) return
      log.warn({ err: error }, 'Could not look at the fleet')
      this.#lookAgain(settings.lookMs)
    } finally {
      const seen = this.#nextLook
      this.#nextLook = Promise.withResolvers()
      seen.resolve()
    }
  }

  #storeCounts(): void {
    const { store, log } = this.#deps
    for (const partition of this.#uncounted) {
      this.#uncounted.delete(partition)
      const held = this.#held.get(partition)
      if (held === undefined) continue
      store.countConnections(partition, held.holding.epoch, this.workerId, held.connections).catch((error: unknown) => {
        log.warn({ err: error, partition }, 'Could not store the count of connections')
        this.#uncounted.add(partition)
      })
    }
  }

  #reportUnplaced(unplaced: readonly PartitionId[]): void {
    if (this.#load.state === 'draining' || unplaced.length === this.#unplaced) return
    this.#unplaced = unplaced.length
    const fields = { partitionsUnplaced: unplaced.length, partitions: unplaced }
    if (unplaced.length > 0) this.#deps.log.error(fields, 'No worker has room for these partitions')
    else this.#deps.log.info(fields, 'Every partition has a worker again')
  }

  // ── Acting ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #act(action: OwnershipAction): void {
    const { store } = this.#deps
    switch (action.kind) {
      case 'take':
        void this.#acquire(action.row.partition, 'taken', () =>
          store.take(action.row, this.workerId, action.previousOwner),
        )
        return
      case 'claim':
        void this.#acquire(action.row.partition, 'granted', () =>
          store.claimGrant(action.row, action.grantId, this.workerId),
        )
        return
      case 'give':
        this.#bargains.granted(action.partition)
        void this.#run(action.partition, () => this.#give(action.partition, action.to))
        return
      case 'request':
        this.#bargains.ask(action.partition)
        void this.#run(action.partition, () => store.request(action.partition, action.epoch, this.workerId))
        return
      case 'lose':
        this.#held.end(action.partition, 'another owner')
        return
      case 'release':
        void this.#run(action.partition, async () => {
          await store.release(action.partition, action.epoch, this.workerId, action.to)
        })
        return
      case 'forget':
        store.forget(action.workerId).catch((error: unknown) => {
          this.#deps.log.warn({ err: error, workerId: action.workerId }, 'Could not remove the row of a past worker')
        })
        return
      default:
        assertNever(action)
    }
  }

  /** One action at a time for a partition. A failure is passing by nature: the next look sees what came of it. */
  #run(partition: PartitionId, action: () => Promise<void>): Promise<void> {
    const running = action()
      .catch((error: unknown) => this.#deps.log.warn({ err: error, partition }, 'A step of ownership failed'))
      .finally(() => this.#busy.delete(partition))
    this.#busy.set(partition, running)
    return running
  }

  async #acquire(partition: PartitionId, how: 'taken' | 'granted', write: () => Promise<TakeOutcome>): Promise<void> {
    // A worker whose lease has run out could not hold what it takes.
    if (!this.#held.guard.valid()) return
    await this.#run(partition, async () => {
      const outcome = await write()
      if (outcome.kind === 'lost' || this.#stopped) return
      const row = this.#decision?.partitions.find((placed) => placed.row.partition === partition)?.row
      const restsUntil = how === 'granted' ? this.#bargains.restsUntil : 0
      this.#held.begin(partition, outcome.epoch, row?.connections ?? 0, restsUntil)
    })
  }

  async #give(partition: PartitionId, to: WorkerId | undefined): Promise<void> {
    const held = this.#held.get(partition)
    if (held === undefined) return
    this.#giving++
    try {
      await this.#deps.listener.give(partition)
    } catch (error) {
      this.#deps.log.error({ err: error, partition }, 'Closing the sessions of a partition failed; they are terminated')
      this.#held.end(partition, 'closing failed')
    } finally {
      this.#giving--
    }
    // Lost while its sessions were closing: no longer ours to release, unless the row still says so.
    this.#held.give(partition, held)
    this.#carry({})
    await this.#deps.store.release(partition, held.holding.epoch, this.workerId, to)
    this.#lookAgain(0)
  }

  #heirOf(partition: { readonly partition: PartitionId; readonly connections: number }): WorkerId | undefined {
    return chooseHeir(partition, this.#decision?.loads ?? [], this.workerId)
  }

  #claimed(partition: PartitionId): boolean {
    const placed = this.#decision?.partitions.find(({ row }) => row.partition === partition)
    return placed?.row.owner !== undefined && placed.row.owner !== this.workerId
  }
}
