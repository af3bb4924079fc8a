import { sendsMode } from '../../shared/domain/lifecycle-sends.ts'
import {
  activityOf,
  type Circumstances,
  type Effect,
  type LifecycleEvent,
  type LifecycleState,
  type PairingRequest,
} from '../../shared/domain/lifecycle-state.ts'
import type { OperationRow } from '../../shared/domain/stores/operations.ts'
import { assertNever, type ConnectionRef, type Gesture } from '../../shared/domain/words.ts'
import type {
  ConnectionRow,
  Holding,
  Log,
  LoginLane,
  OutboundRow,
  Session,
  SessionDependencies,
  SessionFactory,
  SocketEvent,
} from '../ports.ts'
import { ClientVersions } from './client-versions.ts'
import { LifecycleRunner } from './lifecycle-runner.ts'
import { Liveness } from './liveness.ts'
import { Operations } from './operations.ts'
import { Outbox } from './outbox.ts'
import { PresenceTeller } from './presence-teller.ts'
import { RowTurns } from './row-turns.ts'
import { errorName, RowWriter } from './row-writer.ts'
import { SessionAuth } from './session-auth.ts'
import { SessionLogin } from './session-login.ts'
import { SessionSocket } from './session-socket.ts'
import { HoldingEnded, type StoreContext, untilStored, within } from './until-stored.ts'

/** How long the removal of a connection waits for its operations to be told of it; the sweep ends what is left. */
const failingMs = 5_000

/** Makes the sessions of one worker. */
export function createSessionFactory(dependencies: SessionDependencies): SessionFactory {
  const versions = new ClientVersions(dependencies)
  const turns = new RowTurns(dependencies.clock)
  return (row, holding) => new ConnectionSession(row, holding, dependencies, versions, turns)
}

/**
 * Runs the lifecycle of one connection: events go into `transition` one after the other, its effects are done in order. All
 * that is decided is decided there; here are the socket, the timers, the login permit and the stores.
 */
class ConnectionSession implements Session {
  readonly ref: ConnectionRef
  readonly settled: Promise<void>
  readonly ended: Promise<void>
  readonly #dependencies: SessionDependencies
  readonly #holding: Holding
  readonly #row: ConnectionRow
  readonly #versions: ClientVersions
  readonly #log: Log
  /** For log lines: label and number. */
  #name: string
  readonly #store: StoreContext
  readonly #over = new AbortController()
  readonly #writer: RowWriter
  readonly #outbox: Outbox
  readonly #operations: Operations
  readonly #presences: PresenceTeller
  readonly #auth: SessionAuth
  readonly #lifecycle: LifecycleRunner
  readonly #liveness: Liveness
  readonly #login: SessionLogin
  readonly #socket: SessionSocket
  readonly #stopListening: () => void
  #settle: () => void = () => undefined
  #end: () => void = () => undefined

  #openingShown: boolean
  #lastCommandId: string | undefined
  #sends = ''
  /** As JSON. */
  #pace: string | undefined

  constructor(
    row: ConnectionRow,
    holding: Holding,
    dependencies: SessionDependencies,
    versions: ClientVersions,
    turns: RowTurns,
  ) {
    const { clock, random, connections, messages, settings, logins } = dependencies
    this.ref = { businessProfileId: row.businessProfileId, connectionId: row.connectionId }
    this.#row = row
    this.#holding = holding
    this.#dependencies = dependencies
    this.#versions = versions
    this.#openingShown = row.opening !== undefined
    this.#name = row.phoneNumber === undefined ? row.label : `${row.label} (${row.phoneNumber})`
    this.#log = dependencies.log.child({ ...this.ref, label: row.label, phoneNumber: row.phoneNumber })
    this.settled = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.#store = { clock, random, log: this.#log, holding, over: this.#over.signal }
    this.#lifecycle = new LifecycleRunner({
      clock,
      circumstances: () => this.#circumstances(),
      perform: (effect) => this.#do(effect),
      changed: (before, effects) => this.#changed(before, effects),
      // A bug ends the session, never the worker.
      failed: (error) => {
        this.#log.error({ error: errorName(error), alarm: 'session_bug' }, `${this.#name}: ended by an internal error`)
        this.terminate()
      },
    })
    this.#writer = new RowWriter({
      ref: this.ref,
      holding,
      connections,
      clock,
      random,
      log: this.#log,
      onRefused: (why) => this.#refused(why),
    })
    this.#outbox = new Outbox({
      ref: this.ref,
      messages,
      store: this.#store,
      settings,
      turns,
      traces: dependencies.traces,
      listener: {
        onAckMissing: () => this.#liveness.probeNow(),
        onRestricted: (until) => this.#lifecycle.dispatch({ kind: 'restricted', until }),
        onRestrictionOver: () => this.#lifecycle.dispatch({ kind: 'restriction_over' }),
        onWaiting: () => this.#lifecycle.dispatch({ kind: 'send_waiting' }),
      },
    })
    this.#operations = new Operations(this.ref, dependencies.operations, this.#store)
    this.#presences = new PresenceTeller(this.ref, dependencies.operations, this.#store)
    this.#auth = new SessionAuth(this.ref, dependencies.authStates, this.#store)
    this.#liveness = new Liveness(clock, random, settings, () => this.#lifecycle.dispatch({ kind: 'liveness_failed' }))
    this.#login = new SessionLogin(this.ref, logins, () => this.#lifecycle.dispatch({ kind: 'login_granted' }))
    this.#socket = new SessionSocket({
      ref: this.ref,
      whatsapp: dependencies.whatsapp,
      messages,
      outbox: this.#outbox,
      store: this.#store,
      inboundKeptMs: settings.inboundKeptMs,
      onEvent: (event) => this.#heard(event),
    })
    if (row.restriction !== undefined) this.#outbox.restrict(Date.parse(row.restriction.until))
    this.#stopListening = logins.listen(this.ref, {
      recovered: () => this.#lifecycle.dispatch({ kind: 'recovered' }),
      scout: () => this.#scout(),
    })
  }

  get waiting(): number {
    return this.#outbox.waiting
  }

  get state(): Session['state'] {
    return activityOf(this.#lifecycle.state)
  }

  start(lane: LoginLane): void {
    this.adopt(this.#row)
    this.#startWith(this.#row, lane)
    this.#commandOf(this.#row)
  }

  async command(): Promise<void> {
    const row = await this.#current()
    if (row === undefined) return
    this.adopt(row)
    this.#startWith(row, 'on_demand')
    this.#commandOf(row)
  }

  adopt(row: ConnectionRow): void {
    if (this.#over.signal.aborted) return
    this.#socket.ignore = row.ignore
    this.#socket.downloadsMedia = row.downloadMedia === 'eager'
    this.#socket.keptDays = row.retention?.messagesDays
    this.#socket.mediaDays = row.retention?.mediaDays
    const said = JSON.stringify(row.pace)
    if (said === this.#pace) return
    this.#pace = said
    this.#outbox.setPace(row.pace)
  }

  gesture(gesture: Gesture): void {
    if (!this.#over.signal.aborted) this.#socket.current?.gesture?.(gesture)
  }

  enqueue(row: OutboundRow, from: 'row' | 'index' = 'row'): void {
    if (this.#over.signal.aborted) return
    if (this.#outbox.accept(row, from === 'row')) this.#lifecycle.dispatch({ kind: 'send_waiting' })
  }

  operate(row: OperationRow): void {
    if (this.#over.signal.aborted) return
    if (this.#operations.accept(row)) this.#lifecycle.dispatch({ kind: 'send_waiting' })
  }

  async drain(timeoutMs: number): Promise<void> {
    if (this.#over.signal.aborted) return
    const { clock } = this.#dependencies
    const until = clock.monotonic() + timeoutMs
    const left = () => Math.max(0, until - clock.monotonic())
    const open = this.#lifecycle.state.phase.kind === 'open'
    this.#lifecycle.dispatch({ kind: 'drain' })
    if (open) {
      // Half of the time at most: the other half is for closing and flushing.
      await Promise.all([this.#outbox.finish(left() / 2), this.#operations.finish(left() / 2)])
      this.#liveness.stop()
      // Closing flushes what the socket has received: its rows are part of the handover.
      await within(
        clock,
        left() / 2,
        this.#socket.close().then(() => this.#socket.quiet()),
      )
    }
    this.#socket.drop('closed_by_us')
    if (this.#openingShown) this.#write({ opening: null })
    const flushed = Promise.all([this.#auth.close('flush'), this.#writer.landed()])
    await within(clock, left(), flushed)
    this.terminate()
  }

  terminate(): void {
    if (this.#over.signal.aborted) return
    this.#over.abort()
    this.#lifecycle.end()
    this.#login.end()
    this.#socket.drop('lease')
    this.#dependencies.logins.report?.(this.ref, 'left')
    this.#liveness.stop()
    this.#outbox.stop()
    this.#operations.stop()
    this.#writer.stop()
    this.#stopListening()
    void this.#auth.close('abandon')
    this.#settle()
    this.#end()
  }

  // ── Events ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #startWith(row: ConnectionRow, lane: LoginLane): void {
    if (this.#lifecycle.state.phase.kind === 'idle') this.#lifecycle.dispatch({ kind: 'start', row, lane })
  }

  #commandOf(row: ConnectionRow): void {
    const { command } = row
    if (command === undefined || command.commandId === row.handledCommandId) return
    if (command.commandId === this.#lastCommandId) return
    this.#lastCommandId = command.commandId
    this.#lifecycle.dispatch({ kind: 'command', command, row })
  }

  /** The row as it is, or the end of the session where there is none. */
  async #current(): Promise<ConnectionRow | undefined> {
    try {
      const row = await untilStored(this.#store, 'read connection', () => this.#dependencies.connections.get(this.ref))
      if (row === undefined) this.#refused('gone')
      return row
    } catch (error) {
      if (error instanceof HoldingEnded) return undefined
      throw error
    }
  }

  #refused(why: 'fenced' | 'gone'): void {
    if (why === 'fenced') this.#holding.fenced()
    this.#lifecycle.dispatch({
      kind: 'let_go',
      why: why === 'fenced' ? 'a newer owner wrote' : 'the connection was deleted',
    })
  }

  #scout(): boolean {
    const before = this.#lifecycle.state
    this.#lifecycle.dispatch({ kind: 'scout' })
    return this.#lifecycle.state !== before
  }

  #circumstances(): Circumstances {
    const { clock, random, settings, logins, workerId } = this.#dependencies
    return {
      now: clock.now(),
      random: random.next(),
      settings,
      outage: logins.outage,
      held: this.#holding.held(),
      sendsWaiting: this.#outbox.waiting > 0 || this.#operations.waiting > 0,
      owner: { workerId, epoch: this.#holding.epoch },
    }
  }

  #changed(before: LifecycleState, effects: readonly Effect[]): void {
    if (before.phase.kind === 'open' && this.#lifecycle.state.phase.kind !== 'open') {
      this.#liveness.stop()
      if (!effects.some((effect) => effect.kind === 'report_loss')) {
        this.#dependencies.logins.report?.(this.ref, 'left')
      }
    } else if (before.phase.kind !== 'stopped' && this.#lifecycle.state.phase.kind === 'stopped') {
      this.#dependencies.logins.report?.(this.ref, 'left')
    }
    this.#setSends()
  }

  #setSends(): void {
    if (this.#lifecycle.state.phase.kind === 'draining' || this.#lifecycle.state.phase.kind === 'ended') return
    const mode = sendsMode(this.#lifecycle.state)
    const said = JSON.stringify([mode, this.#socket.generation])
    if (said === this.#sends) return
    this.#sends = said
    if (mode.kind !== 'flow') {
      this.#outbox.setMode(mode)
      this.#operations.setMode(mode)
      return
    }
    const socket = this.#socket.current
    const auth = this.#auth.state
    if (socket === undefined || auth === undefined) throw new Error('open without a socket or auth state')
    this.#outbox.opened(socket, auth)
    this.#operations.opened(socket)
    this.#liveness.watch(socket)
  }

  // ── Effects ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #do(effect: Effect): void {
    switch (effect.kind) {
      case 'request_login':
        this.#login.request(effect.lane, effect.crashes ?? 0)
        return
      case 'cancel_login':
        this.#login.cancel()
        return
      case 'give_back_login':
        this.#login.giveBack(effect.result)
        return
      case 'report_loss':
        this.#dependencies.logins.report?.(this.ref, 'lost')
        return
      case 'prepare':
        void this.#prepare(effect.identity)
        return
      case 'open_socket':
        this.#openSocket(effect.pairing)
        return
      case 'close_socket':
        void this.#socket.close()
        return
      case 'terminate_socket':
        this.#socket.drop(effect.intent)
        return
      case 'logout_socket':
        void this.#socket.logOut().then((current) => {
          if (current) this.#lifecycle.dispatch({ kind: 'logout_done' })
        })
        return
      case 'write':
        this.#write(effect.change, effect.lazily)
        return
      case 'release_auth':
        void this.#auth.close('flush')
        return
      case 'archive_auth':
        void this.#auth.archive()
        return
      case 'delete_everything':
        void this.#deleteEverything()
        return
      case 'refresh_client_version':
        this.#versions.refresh()
        return
      case 'alarm':
        this.#log.error({ alarm: effect.reason, detail: effect.detail }, `${this.#name}: alarm ${effect.reason}`)
        return
      case 'log':
        this.#log[effect.level](
          effect.cause === undefined ? {} : { cause: effect.cause },
          `${this.#name}: ${effect.message}`,
        )
        return
      case 'settled':
        this.#settle()
        return
      case 'drain':
        return
      case 'let_go':
        this.terminate()
        return
      default:
        assertNever(effect)
    }
  }

  #write(change: Parameters<RowWriter['write']>[0], lazily?: true): void {
    if (change.opening !== undefined) this.#openingShown = change.opening !== null
    this.#writer.write(change, lazily)
  }

  async #prepare(identity: 'stored' | 'new' | 'stored_or_new'): Promise<void> {
    const generation = this.#socket.nextGeneration()
    const tell = (event: LifecycleEvent) => {
      if (this.#socket.generation === generation) this.#lifecycle.dispatch(event)
    }
    try {
      const prepared = await this.#auth.prepare(identity)
      if (prepared.kind === 'fenced') {
        this.#refused('fenced')
        return
      }
      if (prepared.kind !== 'ready') {
        tell({ kind: 'no_auth', what: prepared.kind, detail: prepared.detail })
        return
      }
      if (this.#auth.state !== undefined) this.#outbox.knows(this.#auth.state)
      // That an opening begins is stored before it does: should it take the worker down, the next one knows.
      await this.#writer.landed()
      tell({ kind: 'prepared', registered: prepared.registered })
    } catch (error) {
      tell({ kind: 'storage_failed', detail: errorName(error) })
    }
  }

  #openSocket(pairing: PairingRequest | undefined): void {
    const state = this.#auth.state
    if (state === undefined) throw new Error('a socket was to be opened without auth state')
    if (!this.#holding.held()) {
      this.#lifecycle.dispatch({ kind: 'let_go', why: 'the lease is not held any more' })
      return
    }
    const clientVersion = this.#versions.current
    this.#socket.open({
      ref: this.ref,
      state,
      holding: this.#holding,
      mediaDays: () => this.#socket.mediaDays,
      ...(pairing === undefined ? {} : { pairing }),
      ...(clientVersion === undefined ? {} : { clientVersion }),
    })
  }

  #heard(event: SocketEvent): void {
    if (event.kind === 'presence') {
      this.#presences.seen(event.seen)
      return
    }
    // In a handover nothing follows but the end: what was not acknowledged is the next owner's.
    if (event.kind === 'closed' && this.#lifecycle.state.phase.kind === 'draining') {
      this.#outbox.setMode({ kind: 'hold', note: '' })
      this.#operations.setMode({ kind: 'hold', note: '' })
    }
    if (event.kind === 'paired') this.#name = `${this.#row.label} (${event.phoneNumber})`
    this.#lifecycle.dispatch(event.kind === 'open' ? { ...event, kind: 'opened' } : event)
  }

  async #deleteEverything(): Promise<void> {
    try {
      await this.#outbox.failAll('connection_deleted', 'The connection was deleted.')
      await this.#operations.finish(failingMs)
      await this.#auth.erase()
      this.#writer.stop()
      const outcome = await untilStored(this.#store, 'remove connection', () =>
        this.#dependencies.connections.remove(this.ref, this.#holding.epoch),
      )
      if (outcome.kind === 'fenced') this.#holding.fenced()
      this.#log.info({}, `${this.#name}: Deleted`)
    } catch (error) {
      if (!(error instanceof HoldingEnded)) throw error
    }
    this.terminate()
  }
}
