import type { SendsMode } from '../../shared/domain/lifecycle-sends.ts'
import {
  type OperationError,
  type OperationOutcome,
  operationEffects,
  operationErrorCodes,
  operationFailures,
} from '../../shared/domain/operations.ts'
import type { OperationRow, WorkerOperations } from '../../shared/domain/stores/operations.ts'
import { originFields } from '../../shared/domain/trace.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import type { OperationAnswer, Timer, WhatsAppSocket } from '../ports.ts'
import { errorName } from './row-writer.ts'
import { HoldingEnded, type StoreContext, untilStored, within } from './until-stored.ts'

/** Operations of one connection that may wait in its worker. */
const pendingMax = 200
/** What only reads may run side by side; what changes something has its turn. */
const readsAtOnce = 4
/** On one living socket; WhatsApp does not answer some queries at all. */
const triesMax = 2
/** Ids of ended operations that are remembered: the index may still list them for a moment. */
const endedKept = 500

interface Entry {
  readonly row: OperationRow
  readonly deadline: Timer
  state: 'waiting' | 'running' | 'ending'
  /** It may have been carried out, by this worker or an earlier one. */
  attempted: boolean
  /** It was marked as begun by us. */
  begun: boolean
  tries: number
}

/**
 * The operations of one connection: each is carried out while a socket is open, in the order they came, and its answer is
 * written to its row. Where a socket or a worker ended in between, what may be repeated is repeated by whoever holds the
 * connection next; what may be done only once is marked before it leaves, and ends as `unconfirmed`.
 */
export class Operations {
  readonly #ref: ConnectionRef
  readonly #operations: WorkerOperations
  readonly #store: StoreContext
  /** By operation id, in the order they came. */
  readonly #entries = new Map<string, Entry>()
  readonly #ended = new Set<string>()
  #mode: SendsMode = { kind: 'hold', note: '' }
  #socket: WhatsAppSocket | undefined
  #finishing = false
  #quietWaiters: (() => void)[] = []

  constructor(ref: ConnectionRef, operations: WorkerOperations, store: StoreContext) {
    this.#ref = ref
    this.#operations = operations
    this.#store = store
  }

  get waiting(): number {
    return this.#entries.size
  }

  /** Idempotent. Returns whether it is new and waits for the connection. */
  accept(row: OperationRow): boolean {
    const id = row.operationId
    if (row.status !== 'pending' || this.#entries.has(id) || this.#ended.has(id)) return false
    const { clock } = this.#store
    const leftMs = Math.max(0, Date.parse(row.deadlineAt) - clock.now())
    const entry: Entry = {
      row,
      deadline: clock.after(leftMs, () => this.#late(entry)),
      state: 'waiting',
      attempted: row.begunBy !== undefined,
      begun: false,
      tries: 0,
    }
    const tooMany = this.#entries.size >= pendingMax
    this.#entries.set(id, entry)
    if (leftMs === 0) this.#late(entry)
    else if (tooMany) this.#fail(entry, operationFailures.tooMany)
    else if (this.#mode.kind === 'refuse') this.#fail(entry, refusal(this.#mode))
    else this.#pump()
    return entry.state !== 'ending'
  }

  /** The connection's state changed. `flow` comes with `opened`. */
  setMode(mode: Exclude<SendsMode, { kind: 'flow' }>): void {
    this.#mode = mode
    this.#socket = undefined
    if (mode.kind !== 'refuse') return
    for (const entry of this.#entries.values()) if (entry.state === 'waiting') this.#fail(entry, refusal(mode))
  }

  opened(socket: WhatsAppSocket): void {
    this.#mode = { kind: 'flow' }
    this.#socket = socket
    for (const entry of this.#entries.values()) entry.tries = 0
    this.#pump()
  }

  /** Begins nothing more; resolves when nothing is under way, or after `timeoutMs`. */
  async finish(timeoutMs: number): Promise<void> {
    this.#finishing = true
    if (this.#quiet()) return
    const quiet = new Promise<void>((resolve) => this.#quietWaiters.push(resolve))
    await within(this.#store.clock, timeoutMs, quiet)
  }

  /** At once: no further timers, nothing further is begun or written. */
  stop(): void {
    for (const { deadline } of this.#entries.values()) deadline.cancel()
    this.#entries.clear()
    this.#socket = undefined
    this.#mode = { kind: 'hold', note: '' }
    this.#wakeQuietWaiters()
  }

  #pump(): void {
    const socket = this.#socket
    if (this.#mode.kind !== 'flow' || socket === undefined || this.#finishing) return
    const running = [...this.#entries.values()].filter((entry) => entry.state === 'running' && !fetching(entry))
    let reads = running.filter(reading).length
    let changing = running.length > reads
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'waiting') continue
      if (fetching(entry)) {
        // How many move at once is the worker's to say.
      } else if (reading(entry)) {
        if (reads >= readsAtOnce) continue
        reads += 1
      } else {
        if (changing) continue
        changing = true
      }
      entry.state = 'running'
      void this.#run(entry, socket)
    }
  }

  async #run(entry: Entry, socket: WhatsAppSocket): Promise<void> {
    const { row } = entry
    if (!(await this.#mayRun(entry))) return
    // The socket may have gone while the row was marked; nothing left, so another one can take it.
    if (this.#socket !== socket || this.#finishing) return this.#waitAgain(entry)
    entry.tries += 1
    let answer: OperationAnswer
    try {
      answer = (await socket.operate?.(row.request)) ?? unable
    } catch (error) {
      this.#store.log.error({ operation: row.request.kind, error: errorName(error) }, 'An operation failed by a bug')
      answer = { kind: 'failed', error: { code: 'internal', message: 'Something went wrong on our side.' } }
    }
    if (this.#entries.get(row.operationId) !== entry) return
    this.#answered(entry, socket, answer)
  }

  #answered(entry: Entry, socket: WhatsAppSocket, answer: OperationAnswer): void {
    switch (answer.kind) {
      case 'done':
        this.#end(entry, { status: 'succeeded', result: answer.result })
        return
      case 'failed':
        this.#fail(entry, answer.error)
        return
      case 'unknown':
        entry.attempted ||= !reading(entry)
        if (once(entry) || (this.#socket === socket && entry.tries >= triesMax)) {
          this.#store.log.warn({ operation: entry.row.request.kind, why: answer.why }, 'An operation was not answered')
          this.#fail(entry, reading(entry) ? unanswered : operationFailures.unconfirmed)
          return
        }
        break
      case 'not_done':
        break
    }
    this.#waitAgain(entry)
  }

  #waitAgain(entry: Entry): void {
    if (entry.state !== 'running') return
    entry.state = 'waiting'
    if (this.#mode.kind === 'refuse') this.#fail(entry, refusal(this.#mode))
    else this.#pump()
    this.#tellIfQuiet()
  }

  /** Marks what may be done only once; false where it was begun before, ended, or is another's. */
  async #mayRun(entry: Entry): Promise<boolean> {
    const { row } = entry
    if (!once(entry) || entry.begun) return true
    const { holding, random } = this.#store
    const token = `${holding.epoch}:${random.id()}`
    try {
      const outcome = await untilStored(this.#store, 'begin operation', () =>
        this.#operations.begin(this.#ref, row.operationId, holding.epoch, token, this.#now()),
      )
      if (this.#entries.get(row.operationId) !== entry || entry.state !== 'running') return false
      switch (outcome.kind) {
        case 'begun':
          entry.begun = true
          return true
        case 'begun_before':
          this.#fail(entry, operationFailures.unconfirmed)
          return false
        case 'fenced':
          holding.fenced()
          return false
        default:
          this.#forget(entry)
          return false
      }
    } catch (error) {
      if (error instanceof HoldingEnded) return false
      throw error
    }
  }

  #late(entry: Entry): void {
    if (entry.state === 'ending') return
    const mayBeDone = !reading(entry) && (entry.attempted || entry.state === 'running')
    this.#fail(entry, mayBeDone ? operationFailures.unconfirmed : operationFailures.expired)
  }

  #fail(entry: Entry, error: OperationError): void {
    const mayBeDone = entry.attempted && error.code === 'no_active_connection'
    this.#end(entry, { status: 'failed', error: mayBeDone ? operationFailures.unconfirmed : error })
  }

  #end(entry: Entry, outcome: OperationOutcome): void {
    if (entry.state === 'ending') return
    entry.state = 'ending'
    entry.deadline.cancel()
    this.#pump()
    this.#write(entry, outcome).then(
      () => {
        this.#forget(entry)
        this.#tell(entry, outcome)
      },
      () => this.#tellIfQuiet(),
    )
  }

  /** One line an operation, which the id of the call that asked for it leads to. */
  #tell({ row: { operationId, request, origin } }: Entry, outcome: OperationOutcome): void {
    const failed = outcome.status === 'failed' ? { errorCode: outcome.error.code } : {}
    const fields = {
      operationId,
      operation: request.kind,
      ...originFields(origin),
      operationStatus: outcome.status,
      ...failed,
    }
    this.#store.log.info(fields, 'An operation ended')
  }

  async #write(entry: Entry, outcome: OperationOutcome): Promise<void> {
    const { holding } = this.#store
    const { operationId } = entry.row
    const written = await untilStored(this.#store, 'end operation', () =>
      this.#operations.complete(this.#ref, operationId, holding.epoch, outcome, this.#now()),
    )
    if (written.kind === 'fenced') holding.fenced()
    if (written.kind === 'too_large') await this.#write(entry, { status: 'failed', error: operationFailures.tooLarge })
  }

  #forget(entry: Entry): void {
    const { operationId } = entry.row
    entry.state = 'ending'
    entry.deadline.cancel()
    if (this.#entries.get(operationId) === entry) {
      this.#entries.delete(operationId)
      this.#ended.add(operationId)
      if (this.#ended.size > endedKept) this.#ended.delete(this.#ended.values().next().value as string)
    }
    this.#pump()
    this.#tellIfQuiet()
  }

  #quiet(): boolean {
    for (const entry of this.#entries.values()) {
      if (entry.state === 'ending' || (entry.state === 'running' && !fetching(entry))) return false
    }
    return true
  }

  #tellIfQuiet(): void {
    if (this.#quiet()) this.#wakeQuietWaiters()
  }

  #wakeQuietWaiters(): void {
    for (const wake of this.#quietWaiters.splice(0)) wake()
  }

  #now(): string {
    return new Date(this.#store.clock.now()).toISOString()
  }
}

const reading = ({ row }: Entry): boolean => ['read', 'fetch'].includes(operationEffects[row.request.kind])
const fetching = ({ row }: Entry): boolean => operationEffects[row.request.kind] === 'fetch'
const once = ({ row }: Entry): boolean => operationEffects[row.request.kind] === 'once'

const unanswered: OperationError = { code: 'rejected_by_whatsapp', message: 'WhatsApp did not answer in time.' }
const unable: OperationAnswer = {
  kind: 'failed',
  error: { code: 'internal', message: 'This worker cannot carry it out.' },
}

/** Sends and operations are refused for the same reasons. */
function refusal({ code, message }: Extract<SendsMode, { kind: 'refuse' }>): OperationError {
  const known = operationErrorCodes.find((each) => each === code)
  return { code: known ?? 'no_active_connection', message }
}
