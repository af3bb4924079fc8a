import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock, Holding, Log, LoginLane, Session, SessionFactory } from '../../../connector/ports.ts'
import { Worker, type WorkerSettings } from '../../../connector/worker/worker.ts'
import type { OperationOutcome } from '../../../shared/domain/operations.ts'
import type { ConnectionRow, WorkerConnections } from '../../../shared/domain/stores/connections.ts'
import type { Doorbell, DoorbellQueue, ReceivedDoorbell } from '../../../shared/domain/stores/doorbell.ts'
import type { OutboundRow, WorkerMessages } from '../../../shared/domain/stores/messages.ts'
import type { OperationRow, WorkerOperations } from '../../../shared/domain/stores/operations.ts'
import type { ConnectionRef } from '../../../shared/domain/words.ts'
import { VirtualClock } from '../virtual-clock.ts'

/** A worker on a virtual clock, with sessions that write down what is done with them. */
export class WorkerBench {
  readonly clock = new VirtualClock()
  readonly rows = new Map<string, ConnectionRow>()
  readonly sends = new Map<string, OutboundRow>()
  readonly operations = new Map<string, OperationRow>()
  readonly queue: BenchQueue
  readonly sessions: BenchSession[] = []
  readonly logged: { readonly message: string; readonly fields: Record<string, unknown> }[] = []
  readonly counts: string[] = []
  readonly restoring: (string | undefined)[] = []
  readonly failed: string[] = []
  /** Ids of rows that were read in one request. */
  readonly readTogether: (readonly string[])[] = []
  readonly worker: Worker
  readonly held = new Set<number>()
  storesFail = false
  /** Only a connection's own row. */
  rowsFail = false

  constructor(settings: Partial<WorkerSettings> = {}) {
    this.queue = new BenchQueue(this.clock)
    const store = async <T>(answer: () => T): Promise<T> => {
      if (this.storesFail) throw new Error('the store is away')
      return answer()
    }
    const createSession: SessionFactory = (row, holding) => {
      if (row.label === 'cannot be made') throw new Error('a bug')
      const session = new BenchSession(row, holding)
      this.sessions.push(session)
      return session
    }
    this.worker = new Worker({
      clock: this.clock,
      log: this.#log(),
      createSession,
      connections: {
        listByPartition: (partition: number) =>
          store(() => [...this.rows.values()].filter((row) => row.partition === partition)),
        get: (ref: ConnectionRef) =>
          store(() => {
            if (this.rowsFail) throw new Error('the row cannot be read')
            return this.rows.get(ref.connectionId)
          }),
      } as unknown as WorkerConnections,
      messages: {
        listWaiting: (partition: number) =>
          store(() => [...this.sends.values()].filter((send) => send.waitingPartition === partition)),
        getOutbound: (_ref: ConnectionRef, messageId: string) => store(() => this.sends.get(messageId)),
        getOutbounds: (_ref: ConnectionRef, messageIds: readonly string[]) =>
          store(() => {
            this.readTogether.push(messageIds)
            return new Map([...this.sends].filter(([messageId]) => messageIds.includes(messageId)))
          }),
        step: async (_ref: ConnectionRef, whatsappId: string, epoch: number, step: { error?: { code: string } }) => {
          this.failed.push(`${whatsappId} ${step.error?.code} at ${epoch}`)
          return { kind: 'written' }
        },
      } as unknown as WorkerMessages,
      operations: {
        listPending: (partition: number) =>
          store(() => [...this.operations.values()].filter((row) => row.partition === partition)),
        get: (_ref: ConnectionRef, operationId: string) => store(() => this.operations.get(operationId)),
        complete: async (_ref: ConnectionRef, operationId: string, epoch: number, outcome: OperationOutcome) => {
          const code = outcome.status === 'failed' ? outcome.error.code : 'done'
          this.failed.push(`${operationId} ${code} at ${epoch}`)
          return { kind: 'written' }
        },
      } as unknown as WorkerOperations,
      doorbells: this.queue,
      counted: (partition, connections) => this.counts.push(`${partition}:${connections}`),
      recorder: { count: () => undefined },
      restoring: (progress) =>
        this.restoring.push(progress === undefined ? undefined : `${progress.done}/${progress.total}`),
      settings: { doorbellWaitSeconds: 5, refreshMs: 60_000, drainMs: 10_000, ...settings },
    })
    this.worker.start()
  }

  connection(connectionId: string, change: Partial<ConnectionRow> = {}): ConnectionRow {
    const row: ConnectionRow = {
      businessProfileId: 'bp',
      connectionId,
      label: connectionId,
      pairing: 'qr',
      partition: 0,
      epoch: 1,
      version: 1,
      createdAt: '',
      updatedAt: '',
      linkedAt: '2026-01-01T00:00:00.000Z',
      status: 'connected',
      reason: 'open',
      message: '',
      phoneNumber: '+94714515253',
      ...change,
    }
    this.rows.set(connectionId, row)
    return row
  }

  send(connectionId: string, messageId: string, change: Partial<OutboundRow> = {}): void {
    const partition = this.rows.get(connectionId)?.partition ?? 0
    this.sends.set(messageId, {
      businessProfileId: 'bp',
      connectionId,
      messageId,
      whatsappId: `wa-${messageId}`,
      status: 'queued',
      waitingPartition: partition,
      ...change,
    } as OutboundRow)
  }

  operation(connectionId: string, operationId: string, change: Partial<OperationRow> = {}): void {
    const partition = this.rows.get(connectionId)?.partition ?? 0
    const row = { businessProfileId: 'bp', connectionId, operationId, status: 'pending', partition, ...change }
    this.operations.set(operationId, row as OperationRow)
  }

  take(partition = 0, epoch = 1): Holding {
    this.held.add(partition)
    const holding: Holding = {
      partition,
      epoch,
      held: () => this.held.has(partition),
      fenced: () => this.held.delete(partition),
    }
    this.worker.taken(holding)
    return holding
  }

  lose(partition = 0): void {
    this.held.delete(partition)
    this.worker.lost(partition)
  }

  session(connectionId: string): BenchSession {
    const found = this.sessions.findLast((session) => session.ref.connectionId === connectionId)
    if (found === undefined) throw new Error(`no session for ${connectionId}`)
    return found
  }

  said(start: string): string[] {
    return this.logged.map(({ message }) => message).filter((message) => message.startsWith(start))
  }

  #log(): Log {
    const write = (fields: object, message: string) => {
      this.logged.push({ message, fields: fields as Record<string, unknown> })
    }
    const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log }
    return log
  }
}

export class BenchSession implements Session {
  readonly ref: ConnectionRef
  readonly holding: Holding
  readonly did: string[] = []
  readonly enqueued: OutboundRow[] = []
  waiting = 0
  state: Session['state'] = 'opening'
  readonly #settled = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<void>()
  readonly #drained = Promise.withResolvers<void>()
  commandFails: Error | undefined
  drainsItself = true

  constructor(row: ConnectionRow, holding: Holding) {
    this.ref = { businessProfileId: row.businessProfileId, connectionId: row.connectionId }
    this.holding = holding
  }

  get settled(): Promise<void> {
    return this.#settled.promise
  }

  get ended(): Promise<void> {
    return this.#ended.promise
  }

  /** Runs work as this session's sockets and timers would. */
  asItself: <T>(work: () => T) => T = (work) => work()

  start(lane: LoginLane): void {
    this.asItself = AsyncLocalStorage.snapshot()
    this.did.push(`start ${lane}`)
  }

  async command(): Promise<void> {
    this.did.push('command')
    if (this.commandFails !== undefined) throw this.commandFails
  }

  enqueue(row: OutboundRow): void {
    this.did.push(`enqueue ${row.messageId}`)
    this.enqueued.push(row)
  }

  operate(row: OperationRow): void {
    this.did.push(`operate ${row.operationId}`)
  }

  async drain(): Promise<void> {
    this.did.push('drain')
    if (!this.drainsItself) await this.#drained.promise
    this.state = 'ended'
  }

  terminate(): void {
    this.did.push('terminate')
    this.state = 'ended'
    this.#drained.resolve()
  }

  settle(state: Session['state']): void {
    this.state = state
    this.#settled.resolve()
  }

  end(): void {
    this.state = 'ended'
    this.#ended.resolve()
  }
}

/** Partition queues with long polls that end by the clock or with the first message. */
export class BenchQueue implements DoorbellQueue {
  readonly #clock: Clock
  readonly #messages = new Map<number, ReceivedDoorbell[]>()
  readonly #polls = new Map<number, () => void>()
  #receipts = 0
  polls = 0
  fails = false
  readonly finished: string[] = []
  readonly handedBack: string[] = []
  readonly rejected: string[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ring(doorbell: Doorbell | undefined, partition = 0, problem?: string): string {
    const receipt = `r${++this.#receipts}`
    const message: ReceivedDoorbell = {
      receipt,
      body: '{}',
      ...(doorbell === undefined ? {} : { doorbell }),
      ...(problem === undefined ? {} : { problem }),
    }
    this.#messages.set(partition, [...(this.#messages.get(partition) ?? []), message])
    this.#polls.get(partition)?.()
    return receipt
  }

  async receive(partition: number, waitSeconds: number): Promise<readonly ReceivedDoorbell[]> {
    this.polls++
    if (this.fails) throw new Error('the queue is away')
    if ((this.#messages.get(partition) ?? []).length === 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#clock.after(waitSeconds * 1_000, resolve)
        this.#polls.set(partition, () => {
          timer.cancel()
          resolve()
        })
      })
      this.#polls.delete(partition)
    }
    const messages = this.#messages.get(partition) ?? []
    this.#messages.delete(partition)
    return messages
  }

  async done(_partition: number, receipts: readonly string[]): Promise<void> {
    this.finished.push(...receipts)
  }

  async handBack(_partition: number, receipts: readonly string[]): Promise<void> {
    this.handedBack.push(...receipts)
  }

  async reject(_partition: number, message: ReceivedDoorbell): Promise<void> {
    this.rejected.push(`${message.receipt}: ${message.problem}`)
  }
}
