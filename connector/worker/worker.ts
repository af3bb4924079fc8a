import type { DoorbellQueue } from '../../shared/domain/stores/doorbell.ts'
import type { EpochMs, PartitionId } from '../../shared/domain/words.ts'
import type { Recorder } from '../metrics/recorder.ts'
import type { WorkerFigures } from '../metrics/report.ts'
import type { Clock, ConnectionRow, Holding, Log, Session, SessionDependencies, SessionFactory } from '../ports.ts'
import { DoorbellPoll } from './doorbells.ts'
import { isRestorable, isWaitedFor, PartitionSessions, type Waiting } from './partition-sessions.ts'
import { RestoreProgress, type RestoreResult } from './restore-progress.ts'

/** Durations in milliseconds, where the name says so. */
export interface WorkerSettings {
  readonly doorbellWaitSeconds: number
  /** How often rows are read again for what was stored and not rung for. */
  readonly refreshMs: number
  /** Bound for finishing, flushing and closing one session. */
  readonly drainMs: number
}

export interface WorkerDependencies extends Pick<SessionDependencies, 'connections' | 'messages' | 'operations'> {
  readonly clock: Clock
  readonly log: Log
  readonly createSession: SessionFactory
  readonly doorbells: DoorbellQueue
  /** Connections of a partition, for its row. */
  readonly counted: (partition: PartitionId, connections: number) => void
  /** For the worker's row. */
  readonly restoring: (progress: { readonly done: number; readonly total: number } | undefined) => void
  readonly recorder: Pick<Recorder, 'count'>
  readonly settings: WorkerSettings
}

interface Owned {
  readonly sessions: PartitionSessions
  poll?: DoorbellPoll
}

interface Arrival {
  readonly sessions: PartitionSessions
  readonly row: ConnectionRow
  readonly waiting: Waiting
}

const listAgainMs = 1_000
/** A worker about to stop does not sit in long polls. */
const lastWaitSeconds = 1
const pollGraceMs = 5_000

/** One process's sessions: those of the partitions that ownership says it holds. */
export class Worker {
  readonly #deps: WorkerDependencies
  readonly #owned = new Map<PartitionId, Owned>()
  readonly #progress: RestoreProgress
  #unlisted: PartitionSessions[] = []
  #listing = false
  #waitSeconds: number
  #heardAt: EpochMs | undefined
  #stopped = false

  constructor(deps: WorkerDependencies) {
    this.#deps = deps
    this.#waitSeconds = deps.settings.doorbellWaitSeconds
    this.#progress = new RestoreProgress(deps.clock, deps.log, deps.restoring)
  }

  get connections(): number {
    return [...this.#owned.values()].reduce((sum, { sessions }) => sum + sessions.size, 0)
  }

  get restoring(): { readonly done: number; readonly total: number } {
    return this.#progress.current
  }

  get figures(): WorkerFigures {
    const sessions = [...this.#owned.values()].flatMap(({ sessions }) => sessions.all)
    const inState = (...states: readonly Session['state'][]) =>
      sessions.filter(({ state }) => states.includes(state)).length
    const { done, total } = this.#progress.current
    return {
      open: inState('open'),
      trying: inState('opening', 'waiting'),
      stopped: inState('stopped'),
      sendsWaiting: sessions.reduce((sum, { waiting }) => sum + waiting, 0),
      restoresPending: total - done,
    }
  }

  /** How long ago a poll for doorbells was answered last; `undefined`: never yet. */
  get heardAgoMs(): number | undefined {
    return this.#heardAt === undefined ? undefined : this.#deps.clock.monotonic() - this.#heardAt
  }

  start(): void {
    this.#refreshLater()
  }

  taken(holding: Holding): void {
    const { partition } = holding
    this.lost(partition)
    const sessions = new PartitionSessions(
      { ...this.#deps, counted: (connections) => this.#deps.counted(partition, connections) },
      holding,
    )
    this.#owned.set(partition, { sessions })
    this.#unlisted.push(sessions)
    if (!this.#listing) void this.#listTaken()
  }

  /** Synchronous: when it returns, no socket of the partition is open. */
  lost(partition: PartitionId): void {
    const owned = this.#owned.get(partition)
    if (owned === undefined) return
    this.#owned.delete(partition)
    owned.sessions.terminate()
    // Its own holding ends the poll; what it still brings is handed back.
    void owned.poll?.stop()
  }

  async give(partition: PartitionId): Promise<void> {
    const owned = this.#owned.get(partition)
    if (owned === undefined) return
    await this.#lastPoll(owned)
    await owned.sessions.drain(this.#deps.settings.drainMs)
    if (this.#owned.get(partition) === owned) this.#owned.delete(partition)
  }

  /** The end is near: polls return soon, nothing is refreshed. */
  prepareToStop(): void {
    this.#stopped = true
    this.#waitSeconds = Math.min(this.#waitSeconds, lastWaitSeconds)
  }

  /** Synchronous. */
  terminate(): void {
    this.#stopped = true
    for (const partition of [...this.#owned.keys()]) this.lost(partition)
  }

  async #lastPoll(owned: Owned): Promise<void> {
    if (owned.poll === undefined) return
    const { clock, settings, log } = this.#deps
    const late = Promise.withResolvers<'late'>()
    const timer = clock.after(settings.doorbellWaitSeconds * 1_000 + pollGraceMs, () => late.resolve('late'))
    const end = await Promise.race([owned.poll.stop(), late.promise])
    timer.cancel()
    if (end === 'late') log.warn({ partition: owned.poll.partition }, 'The last poll for doorbells is not answered')
  }

  /** All partitions that were taken meanwhile are restored as one, so that connections with waiting sends come first of all. */
  async #listTaken(): Promise<void> {
    this.#listing = true
    while (this.#unlisted.length > 0) {
      const wave = this.#unlisted
      this.#unlisted = []
      const listed = await Promise.all(wave.map((sessions) => this.#list(sessions)))
      this.#restore(listed.flatMap((arrivals) => arrivals ?? []))
      for (const [index, sessions] of wave.entries()) if (listed[index] !== undefined) this.#listen(sessions)
    }
    this.#listing = false
  }

  async #list(sessions: PartitionSessions): Promise<readonly Arrival[] | undefined> {
    const { clock, log } = this.#deps
    try {
      const listed = await sessions.list()
      return listed.map((each) => ({ sessions, ...each }))
    } catch (error) {
      const { partition } = sessions.holding
      log.warn({ err: error, partition }, 'Could not list the connections of a partition; it is tried again')
      clock.after(listAgainMs, () => {
        if (this.#owned.get(partition)?.sessions !== sessions) return
        this.#unlisted.push(sessions)
        if (!this.#listing) void this.#listTaken()
      })
      return undefined
    }
  }

  #restore(arrivals: readonly Arrival[]): void {
    const ordered = arrivals.toSorted((a, b) => Number(isWaitedFor(b.waiting)) - Number(isWaitedFor(a.waiting)))
    const restorable = ordered.filter(({ row, sessions }) => isRestorable(row) && sessions.holding.held())
    const counted = new Set(restorable)
    this.#progress.found(restorable.map(({ row }) => row))
    for (const arrival of ordered) {
      const { sessions, row, waiting } = arrival
      const session = sessions.admit(row, waiting)
      if (!counted.has(arrival)) continue
      if (session === undefined) {
        this.#settled('ended')
        continue
      }
      void Promise.race([session.settled, session.ended, sessions.closed]).then(() => this.#settled(session.state))
    }
  }

  #settled(result: RestoreResult): void {
    this.#progress.settled(result)
    this.#deps.recorder.count('Restores', result)
  }

  #listen(sessions: PartitionSessions): void {
    const { partition } = sessions.holding
    const owned = this.#owned.get(partition)
    if (owned?.sessions !== sessions || owned.poll !== undefined) return
    const worker = this
    owned.poll = new DoorbellPoll(
      {
        clock: this.#deps.clock,
        log: this.#deps.log,
        queue: this.#deps.doorbells,
        get waitSeconds() {
          return worker.#waitSeconds
        },
        readAhead: (messages) => sessions.readAhead(messages),
        answer: (message, _holding, row) => sessions.answer(message, row),
        heard: () => {
          this.#heardAt = this.#deps.clock.monotonic()
        },
      },
      sessions.holding,
    )
  }

  #refreshLater(): void {
    if (!this.#stopped) this.#deps.clock.after(this.#deps.settings.refreshMs, () => void this.#refresh())
  }

  async #refresh(): Promise<void> {
    if (this.#stopped) return
    for (const [partition, { sessions, poll }] of [...this.#owned]) {
      // Not listed yet: that is under way.
      if (poll === undefined || this.#owned.get(partition)?.sessions !== sessions) continue
      try {
        await sessions.refresh()
      } catch (error) {
        this.#deps.log.warn({ err: error, partition }, 'Could not read a partition again')
      }
    }
    this.#refreshLater()
  }
}
