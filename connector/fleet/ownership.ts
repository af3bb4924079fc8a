import { emptyMemory, type FleetMemory, type LeaseTerms, observe, type Stamp } from '../../shared/domain/leases.ts'
import { chooseHeir } from '../../shared/domain/placement.ts'
import type { FleetStore, TakeOutcome, WorkerRow } from '../../shared/domain/stores/fleet.ts'
import { assertNever, type EpochMs, type PartitionId, type WorkerId } from '../../shared/domain/words.ts'
import type { Clock, Holding, Log, Timer } from '../ports.ts'
import { decideOwnership, type OwnershipAction, type OwnershipDecision } from './decisions.ts'
import { handOver } from './handover.ts'
import { LeaseGuard, PartitionHolding } from './lease-guard.ts'
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

interface Held {
  readonly holding: PartitionHolding
  connections: number
  /** Until when it is not granted to another. */
  readonly restsUntil: EpochMs
}

const viewTimeoutMs = 5_000
const givesAtOnce = 2

/** Looks at the fleet, decides, acts: the one place of a worker that knows which partitions it holds. */
export class Ownership {
  readonly #deps: OwnershipDependencies
  readonly #guard: LeaseGuard
  readonly #held = new Map<PartitionId, Held>()
  readonly #busy = new Map<PartitionId, Promise<void>>()
  readonly #restsUntil = new Map<PartitionId, EpochMs>()
  /** Counts that changed since the last look: a restore changes them many times a second. */
  readonly #uncounted = new Set<PartitionId>()
  readonly #refusedUntil = new Map<PartitionId, EpochMs>()
  #renewal: Renewal | undefined
  #registered: Stamp | undefined
  #memory: FleetMemory = emptyMemory
  #decision: OwnershipDecision | undefined
  #giving = 0
  #asked: { readonly partition: PartitionId; readonly at: EpochMs } | undefined
  #load: WorkerLoad = { connections: 0, state: 'live' }
  #unplaced = 0
  #lookTimer: Timer | undefined
  #beatTimer: Timer | undefined
  #lookedAt: EpochMs | undefined
  #looks = 0
  #nextLook = Promise.withResolvers<void>()
  #stopped = false
  #failed = false
  #gone: Promise<void> | undefined

  constructor(deps: OwnershipDependencies) {
    this.#deps = deps
    this.#guard = new LeaseGuard(deps.clock, deps.settings.terms, () => this.#renewal?.confirmed() ?? this.#registered)
  }

  get workerId(): WorkerId {
    return this.#deps.worker.workerId
  }

  get partitions(): readonly PartitionId[] {
    return [...this.#held.keys()]
  }

  get leaseValid(): boolean {
    return this.#guard.valid()
  }

  /** How long ago the fleet was last seen; `undefined`: never yet. */
  get lookAgeMs(): number | undefined {
    return this.#lookedAt === undefined ? undefined : this.#deps.clock.monotonic() - this.#lookedAt
  }

  /** Rejects when the fleet table cannot be written: there is nothing to own then. */
  async start(): Promise<void> {
    const { clock, store, worker, settings } = this.#deps
    await store.ensurePartitions(settings.partitionCount)
    const stamp = this.#guard.now()
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
    this.#beat()
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
        [...this.#held]
          .filter(([partition]) => !this.#busy.has(partition))
          .map(([partition, held]) => ({ partition, connections: held.connections })),
      underWay: () => [...this.#busy.values()],
      heirOf: (partition) => this.#heirOf(partition),
      give: (partition, to) => this.#run(partition, () => this.#give(partition, to)),
      claimed: (partition) => this.#claimed(partition),
      nextLook: () => this.#nextLook.promise,
    })
    for (const partition of this.partitions) this.#end(partition, 'out of time')
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
    this.#beatTimer?.cancel()
    for (const partition of this.partitions) this.#end(partition, why)
    this.#nextLook.resolve()
  }

  // ── The lease ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Looks at the clocks before it vouches for this thread: a jump is noticed before the lease is renewed across it. */
  #beat(): void {
    if (this.#stopped) return
    const { terms } = this.#deps.settings
    const remainingMs = this.#guard.remainingMs()
    if (remainingMs <= 0) this.#lapse()
    this.#renewal?.beat()
    const pauseMs = terms.renewMs / 6
    const untilDeadlineMs = remainingMs > 0 ? remainingMs : pauseMs
    this.#beatTimer = this.#deps.clock.after(Math.min(pauseMs, untilDeadlineMs), () => this.#beat())
  }

  #lapse(): void {
    if (this.#held.size === 0) return
    const { log } = this.#deps
    log.error({ partitions: this.partitions }, 'The lease ran out before it was renewed; all sockets are closed')
    for (const partition of this.partitions) this.#end(partition, 'lapsed')
  }

  #fail(reason: 'dead' | 'renewal_broken', error?: Error): void {
    if (this.#failed) return
    this.#failed = true
    this.#halt(reason)
    this.#deps.listener.failed(reason, error)
  }

  #hold(partition: PartitionId, outcome: TakeOutcome, how: 'taken' | 'granted'): void {
    if (outcome.kind === 'lost' || this.#stopped) return
    // Took too long: the row names this worker, and it takes again once the lease is renewed.
    if (!this.#guard.valid()) return
    const { clock, settings, listener, log } = this.#deps
    const holding: PartitionHolding = new PartitionHolding(partition, outcome.epoch, this.#guard, (cause) => {
      if (cause === 'lapsed') this.#lapse()
      else if (this.#held.get(partition)?.holding === holding) this.#end(partition, 'fenced')
    })
    const row = this.#decision?.partitions.find((placed) => placed.row.partition === partition)?.row
    const restsUntil = how === 'granted' ? clock.monotonic() + settings.grantRestMs : 0
    this.#held.set(partition, { holding, connections: row?.connections ?? 0, restsUntil })
    log.debug({ partition, epoch: outcome.epoch, how }, 'Holds partition')
    listener.taken(holding)
  }

  /** Tells the worker that a partition is over, once. */
  #end(partition: PartitionId, why: string): void {
    const held = this.#held.get(partition)
    if (held === undefined) return
    held.holding.end()
    this.#held.delete(partition)
    if (why !== 'stopped') this.#deps.log.warn({ partition, epoch: held.holding.epoch, why }, 'Lost partition')
    this.#deps.listener.lost(partition)
  }

  #carry(change: { state?: 'draining'; restoring?: WorkerLoad['restoring'] | undefined }): void {
    const restoring = 'restoring' in change ? change.restoring : this.#load.restoring
    this.#load = {
      state: change.state ?? this.#load.state,
      connections: [...this.#held.values()].reduce((sum, held) => sum + held.connections, 0),
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
      const asked = this.#pendingRequest()
      const decision = decideOwnership({
        self: this.workerId,
        draining: this.#load.state === 'draining',
        view,
        memory: this.#memory,
        askedAt,
        terms: settings.terms,
        held: new Map(
          [...this.#held].map(([id, held]) => [id, { epoch: held.holding.epoch, connections: held.connections }]),
        ),
        // What was under way when the look was asked for may have changed since, and is left to the next one.
        busy: new Set([...busyThen, ...this.#busy.keys()]),
        giving: this.#giving > 0,
        rested: (partition) => this.#rested(partition),
        asked,
        refused: this.#current(this.#refusedUntil),
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

  /** A request that was neither granted nor overtaken for a while counts as refused, and another partition is asked for. */
  #pendingRequest(): PartitionId | undefined {
    const { clock, settings } = this.#deps
    if (this.#asked === undefined) return undefined
    if (this.#held.has(this.#asked.partition)) {
      this.#asked = undefined
    } else if (clock.monotonic() - this.#asked.at > settings.terms.renewMs * 4) {
      this.#refusedUntil.set(this.#asked.partition, clock.monotonic() + settings.grantRestMs)
      this.#asked = undefined
    }
    return this.#asked?.partition
  }

  #rested(partition: PartitionId): boolean {
    const now = this.#deps.clock.monotonic()
    const since = Math.max(this.#held.get(partition)?.restsUntil ?? 0, this.#restsUntil.get(partition) ?? 0)
    return now >= since
  }

  #current(until: ReadonlyMap<PartitionId, EpochMs>): ReadonlySet<PartitionId> {
    const now = this.#deps.clock.monotonic()
    return new Set([...until].filter(([, end]) => end > now).map(([partition]) => partition))
  }

  // ── Acting ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #act(action: OwnershipAction): void {
    const { store, clock, settings } = this.#deps
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
        this.#restsUntil.set(action.partition, clock.monotonic() + settings.grantRestMs)
        void this.#run(action.partition, () => this.#give(action.partition, action.to))
        return
      case 'request':
        this.#asked = { partition: action.partition, at: clock.monotonic() }
        void this.#run(action.partition, () => store.request(action.partition, action.epoch, this.workerId))
        return
      case 'lose':
        this.#end(action.partition, 'another owner')
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
    if (!this.#guard.valid()) return
    await this.#run(partition, async () => this.#hold(partition, await write(), how))
  }

  async #give(partition: PartitionId, to: WorkerId | undefined): Promise<void> {
    const held = this.#held.get(partition)
    if (held === undefined) return
    this.#giving++
    try {
      await this.#deps.listener.give(partition)
    } catch (error) {
      this.#deps.log.error({ err: error, partition }, 'Closing the sessions of a partition failed; they are terminated')
      this.#end(partition, 'closing failed')
    } finally {
      this.#giving--
    }
    // Lost while its sessions were closing: no longer ours to release, unless the row still says so.
    if (this.#held.get(partition) === held) {
      held.holding.end()
      this.#held.delete(partition)
      this.#carry({})
    }
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
