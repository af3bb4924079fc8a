import { staysStopped } from '../../shared/domain/lifecycle-table.ts'
import type { ReceivedDoorbell } from '../../shared/domain/stores/doorbell.ts'
import type { OperationRow } from '../../shared/domain/stores/operations.ts'
import { assertNever, type ConnectionRef, type Gesture, sentences } from '../../shared/domain/words.ts'
import type {
  Clock,
  ConnectionRow,
  Holding,
  Log,
  LoginLane,
  OutboundRow,
  Session,
  SessionDependencies,
  SessionFactory,
} from '../ports.ts'
import { onBehalfOf } from './attribution.ts'
import type { DoorbellOutcome } from './doorbells.ts'

export interface PartitionSessionsDependencies
  extends Pick<SessionDependencies, 'connections' | 'messages' | 'operations'> {
  readonly clock: Clock
  readonly log: Log
  readonly createSession: SessionFactory
  /** How many connections the partition has, whenever that changes. */
  readonly counted: (connections: number) => void
}

/** What waits for a connection. */
export interface Waiting {
  readonly sends: readonly OutboundRow[]
  readonly operations: readonly OperationRow[]
}

export interface Listed {
  readonly row: ConnectionRow
  readonly waiting: Waiting
}

export const isWaitedFor = ({ sends, operations }: Waiting): boolean => sends.length > 0 || operations.length > 0

/** How long a session may take beyond its own bound before it is terminated. */
const drainGraceMs = 2_000
/** Until a session that failed by a bug gets a successor; where that fails too, the next refresh tries again. */
const restartMs = 5_000

/** The sessions of one held partition. Ends with the holding; a partition that comes back gets a new one of these. */
export class PartitionSessions {
  readonly holding: Holding
  readonly #deps: PartitionSessionsDependencies
  readonly #sessions = new Map<string, Session>()
  readonly #closed = Promise.withResolvers<void>()
  #open = true

  constructor(deps: PartitionSessionsDependencies, holding: Holding) {
    this.#deps = deps
    this.holding = holding
  }

  get size(): number {
    return this.#sessions.size
  }

  get all(): readonly Session[] {
    return [...this.#sessions.values()]
  }

  /** Resolves when the partition was given away or lost. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  get #live(): boolean {
    return this.#open && this.holding.held()
  }

  /** Connections and what waits for them, as the indexes show it. Rejects when a store cannot be reached. */
  async list(): Promise<readonly Listed[]> {
    const { connections, messages, operations } = this.#deps
    const { partition } = this.holding
    const [rows, waiting, pending] = await Promise.all([
      connections.listByPartition(partition),
      messages.listWaiting(partition),
      operations.listPending(partition),
    ])
    const sends = Map.groupBy(waiting, keyOf)
    const asked = Map.groupBy(pending, keyOf)
    return rows.map((row) => {
      const key = keyOf(row)
      return { row, waiting: { sends: sends.get(key) ?? [], operations: asked.get(key) ?? [] } }
    })
  }

  /**
   * Starts the connection's session if it has none, gives it what waits for it and its open command. `undefined`:
   * the partition is over, or the session could not be made, which is its own fault and nobody else's.
   */
  admit(row: ConnectionRow, waiting: Waiting): Session | undefined {
    let session: Session | undefined
    try {
      session = this.#sessions.get(keyOf(row)) ?? this.#create(row, laneOf(row, isWaitedFor(waiting)))
    } catch (error) {
      this.#deps.log.error({ err: error, ...refOf(row) }, 'A session could not be started')
    }
    if (session === undefined) return undefined
    this.#within(session, () => {
      session.adopt?.(row)
      for (const send of waiting.sends) session.enqueue(send, 'index')
      for (const operation of waiting.operations) session.operate?.(operation)
    })
    if (hasOpenCommand(row)) {
      this.#within(session, () => session.command()).catch((error: unknown) => {
        // The row still has the command: its doorbell, or the next listing, comes back to it.
        this.#deps.log.warn({ err: error, ...refOf(row) }, 'Could not carry out the command of a connection')
      })
    }
    return session
  }

  /** Brings in what was stored and rung for, and of which the ring got lost. */
  async refresh(): Promise<void> {
    const listed = await this.list()
    if (!this.#live) return
    for (const { row, waiting } of listed) this.admit(row, waiting)
  }

  /** The rows of sends of one connection, read at once. */
  async readAhead(group: readonly ReceivedDoorbell[]): Promise<ReadonlyMap<string, OutboundRow>> {
    const sends = group.flatMap(({ doorbell }) => (doorbell?.kind === 'send' ? [doorbell] : []))
    const [first] = sends
    if (first === undefined) return new Map()
    const messageIds = [...new Set(sends.map(({ messageId }) => messageId))]
    return this.#deps.messages.getOutbounds(first, messageIds)
  }

  async answer({ doorbell }: ReceivedDoorbell, row?: OutboundRow): Promise<DoorbellOutcome> {
    if (doorbell === undefined) return { kind: 'rejected', reason: 'it is no doorbell' }
    switch (doorbell.kind) {
      case 'send':
        return this.#answerSend(doorbell, doorbell.messageId, row)
      case 'command':
        return this.#answerCommand(doorbell)
      case 'settings':
        return this.#answerSettings(doorbell)
      case 'gesture':
        return this.#answerGesture(doorbell, doorbell.gesture)
      case 'operation':
        return this.#answerOperation(doorbell, doorbell.operationId)
      default:
        return assertNever(doorbell)
    }
  }

  async #answerSend(ref: ConnectionRef, messageId: string, row: OutboundRow | undefined): Promise<DoorbellOutcome> {
    const { messages } = this.#deps
    const send = row ?? (await messages.getOutbound(ref, messageId))
    if (send === undefined) return { kind: 'rejected', reason: `there is no message ${messageId}` }
    if (send.status !== 'queued') {
      // Rung twice, cancelled, or finished by an earlier owner: its place in the order is no gap.
      const session = this.#sessions.get(keyOf(ref))
      if (session !== undefined) this.#within(session, () => session.enqueue(send))
      return { kind: 'done' }
    }
    const found = await this.#find(ref, 'on_demand')
    switch (found.kind) {
      case 'session':
        this.#within(found.session, () => found.session.enqueue(send))
        return { kind: 'done' }
      case 'elsewhere':
        return found.outcome
      case 'none': {
        const error = { code: 'connection_deleted', message: sentences.connectionNotFound } as const
        const at = new Date(this.#deps.clock.now()).toISOString()
        await messages.step(ref, send.whatsappId, this.holding.epoch, { status: 'failed', at, error })
        return { kind: 'done' }
      }
      default:
        return assertNever(found)
    }
  }

  /** Like a send: it waits in the session, never in the queue. */
  async #answerOperation(ref: ConnectionRef, operationId: string): Promise<DoorbellOutcome> {
    const { operations, clock } = this.#deps
    const operation = await operations.get(ref, operationId)
    if (operation === undefined) return { kind: 'rejected', reason: `there is no operation ${operationId}` }
    // Rung twice, or ended by an earlier owner or the sweep.
    if (operation.status !== 'pending') return { kind: 'done' }
    const found = await this.#find(ref, 'on_demand')
    switch (found.kind) {
      case 'session':
        this.#within(found.session, () => found.session.operate?.(operation))
        return { kind: 'done' }
      case 'elsewhere':
        return found.outcome
      case 'none': {
        const error = { code: 'connection_deleted', message: sentences.connectionNotFound } as const
        const at = new Date(clock.now()).toISOString()
        await operations.complete(ref, operationId, this.holding.epoch, { status: 'failed', error }, at)
        return { kind: 'done' }
      }
      default:
        return assertNever(found)
    }
  }

  async #answerCommand(ref: ConnectionRef): Promise<DoorbellOutcome> {
    const found = await this.#find(ref, 'pairing')
    if (found.kind === 'elsewhere') return found.outcome
    // Without a session: deleted since it was rung for.
    if (found.kind === 'session') await this.#within(found.session, () => found.session.command())
    return { kind: 'done' }
  }

  /** A connection without a session reads its row when it gets one. */
  async #answerSettings(ref: ConnectionRef): Promise<DoorbellOutcome> {
    const session = this.#sessions.get(keyOf(ref))
    const row = session === undefined ? undefined : await this.#deps.connections.get(ref)
    if (session !== undefined && row !== undefined) this.#within(session, () => session.adopt?.(row))
    return { kind: 'done' }
  }

  /** For the moment only: where no session is open, it is over. */
  async #answerGesture(ref: ConnectionRef, gesture: Gesture): Promise<DoorbellOutcome> {
    const session = this.#sessions.get(keyOf(ref))
    if (session !== undefined) this.#within(session, () => session.gesture?.(gesture))
    return { kind: 'done' }
  }

  async #find(
    ref: ConnectionRef,
    lane: LoginLane,
  ): Promise<
    | { readonly kind: 'session'; readonly session: Session }
    | { readonly kind: 'none' }
    | { readonly kind: 'elsewhere'; readonly outcome: DoorbellOutcome }
  > {
    const known = this.#sessions.get(keyOf(ref))
    if (known !== undefined) return { kind: 'session', session: known }
    const row = await this.#deps.connections.get(ref)
    if (row === undefined) return { kind: 'none' }
    if (row.partition !== this.holding.partition) {
      const reason = `its connection belongs to partition ${row.partition}, not ${this.holding.partition}`
      return { kind: 'elsewhere', outcome: { kind: 'rejected', reason } }
    }
    const session = this.#sessions.get(keyOf(ref)) ?? this.#create(row, lane)
    if (session === undefined) throw new Error('the partition is no longer held')
    return { kind: 'session', session }
  }

  #create(row: ConnectionRow, lane: LoginLane): Session | undefined {
    if (!this.#live) return undefined
    const key = keyOf(row)
    const culprit = { name: key, end: (error: unknown) => this.#crashed(session, error) }
    const session: Session = onBehalfOf(culprit, () => this.#deps.createSession(row, this.holding))
    this.#sessions.set(key, session)
    this.#deps.counted(this.size)
    void session.ended.then(() => {
      if (this.#sessions.get(key) !== session) return
      this.#sessions.delete(key)
      if (this.#open) this.#deps.counted(this.size)
    })
    onBehalfOf(culprit, () => session.start(lane))
    return session
  }

  #within<T>(session: Session, work: () => T): T {
    return onBehalfOf({ name: keyOf(session.ref), end: (error) => this.#crashed(session, error) }, work)
  }

  /** A bug in one session: it ends, and the connection gets another one from what its row says. */
  #crashed(session: Session, error: unknown): void {
    const ref = refOf(session.ref)
    const key = keyOf(ref)
    if (this.#sessions.get(key) !== session) {
      this.#deps.log.warn({ err: error, ...ref }, 'A session that had ended failed')
      return
    }
    this.#deps.log.error({ err: error, ...ref }, 'A session failed; it is ended and another one started soon')
    this.#sessions.delete(key)
    this.#terminate(session)
    this.#deps.clock.after(restartMs, () => {
      if (!this.#live) return
      this.#find(ref, 'restore').catch((reason: unknown) => {
        this.#deps.log.warn({ err: reason, ...ref }, 'A session could not be started again yet')
      })
    })
  }

  /** Orderly end of all sessions, side by side. Nothing of them writes any more once this resolves. */
  async drain(timeoutMs: number): Promise<void> {
    this.#open = false
    await Promise.all([...this.#sessions.values()].map((session) => this.#drain(session, timeoutMs)))
    this.#finish()
  }

  async #drain(session: Session, timeoutMs: number): Promise<void> {
    const { clock, log } = this.#deps
    const late = Promise.withResolvers<'late'>()
    const timer = clock.after(timeoutMs + drainGraceMs, () => late.resolve('late'))
    try {
      const end = await Promise.race([session.drain(timeoutMs), late.promise])
      if (end !== 'late') return
      log.warn(refOf(session.ref), 'A session did not close in time; it is terminated')
    } catch (error) {
      log.error({ err: error, ...refOf(session.ref) }, 'A session could not be closed; it is terminated')
    } finally {
      timer.cancel()
    }
    this.#terminate(session)
  }

  /** At once and synchronously. */
  terminate(): void {
    this.#open = false
    for (const session of this.#sessions.values()) this.#terminate(session)
    this.#finish()
  }

  #terminate(session: Session): void {
    try {
      session.terminate()
    } catch (error) {
      // One that fails must not keep the others from being terminated.
      this.#deps.log.error({ err: error, ...refOf(session.ref) }, 'Terminating a session failed')
    }
  }

  #finish(): void {
    this.#sessions.clear()
    this.#closed.resolve()
  }
}

export function keyOf(ref: ConnectionRef): string {
  return `${ref.businessProfileId}#${ref.connectionId}`
}

function refOf(ref: ConnectionRef): ConnectionRef {
  return { businessProfileId: ref.businessProfileId, connectionId: ref.connectionId }
}

/** Linked once, and not stopped in a way that only a person ends. */
export function isRestorable(row: ConnectionRow): boolean {
  return row.linkedAt !== undefined && !(row.status === 'disconnected' && staysStopped.has(row.reason))
}

function laneOf(row: ConnectionRow, hasWaiting: boolean): LoginLane {
  if (row.status === 'qr_pending') return 'pairing'
  return hasWaiting ? 'waiting_sends' : 'restore'
}

function hasOpenCommand(row: ConnectionRow): boolean {
  return row.command !== undefined && row.command.commandId !== row.handledCommandId
}
