import type { SendsMode } from '../../shared/domain/lifecycle-sends.ts'
import type { Pace } from '../../shared/domain/pace.ts'
import type { OutboundRow, SendStep, WorkerMessages } from '../../shared/domain/stores/messages.ts'
import { originFields } from '../../shared/domain/trace.ts'
import type { ConnectionRef, EpochMs, SendError, SendErrorCode } from '../../shared/domain/words.ts'
import type { AuthState, SendReceipt, ServerAck, SessionSettings, Timer, Traces, WhatsAppSocket } from '../ports.ts'
import { AcceptanceOrder } from './acceptance-order.ts'
import { Delivery } from './delivery.ts'
import { Departures } from './departures.ts'
import { Pacing } from './pacing.ts'
import { People } from './people.ts'
import { RestrictedChats, restrictedCode, restrictionMs } from './restricted-chats.ts'
import type { RowTurns } from './row-turns.ts'
import { atTime, type SendEntry } from './send-entry.ts'
import { expired, newChatsRestricted, rejected, unconfirmed } from './send-failures.ts'
import { SendList } from './send-list.ts'
import { notedWaitMs, SendNotes } from './send-notes.ts'
import { SendSteps } from './send-steps.ts'
import { type StoreContext, within } from './until-stored.ts'

type OutboxSettings = Pick<SessionSettings, 'ackTimeoutMs' | 'sendTimeoutMs' | 'inFlightMax' | 'wakeGapMs'>

export interface OutboxListener {
  /** An ack is missing. Resolves with whether the socket is alive; where not, it is ended by the time it resolves. */
  onAckMissing(): Promise<boolean>
  onRestricted(until: EpochMs): void
  /** The time came until which new chats were restricted. */
  onRestrictionOver(): void
  /** Sends wait, and no socket is open: said when one becomes due, and again after each `wakeGapMs` while it is so. */
  onWaiting(): void
}

/**
 * The sends of one connection: in order of acceptance, several on their way at a time, the order within a chat kept, each
 * under the one id that WhatsApp shows once, until an ack, a refusal or the deadline ends it. Here is what becomes of them:
 * `send-list.ts` holds them, `departures.ts` says whose turn it is, `delivery.ts` takes them over a socket.
 */
export class Outbox {
  readonly #ref: ConnectionRef
  readonly #messages: WorkerMessages
  readonly #store: StoreContext
  readonly #settings: OutboxSettings
  readonly #listener: OutboxListener
  readonly #traces: Traces | undefined
  readonly #list = new SendList()
  readonly #people = new People()
  readonly #restricted = new RestrictedChats()
  readonly #notes: SendNotes
  readonly #steps: SendSteps
  readonly #pacing: Pacing
  readonly #order: AcceptanceOrder
  readonly #departures: Departures
  #mode: SendsMode = { kind: 'hold', note: '' }
  #delivery: Delivery | undefined
  #auth: AuthState | undefined
  /** Runs while sends wait for a socket. */
  #asking: Timer | undefined
  /** Runs while sends wait for a socket, until they say so. */
  #noting: Timer | undefined
  /** Runs while new chats are restricted. */
  #restriction: Timer | undefined
  #finishing = false

  constructor(options: {
    readonly ref: ConnectionRef
    readonly messages: WorkerMessages
    readonly store: StoreContext
    readonly settings: OutboxSettings
    readonly turns: RowTurns
    readonly listener: OutboxListener
    readonly traces?: Traces | undefined
  }) {
    this.#ref = options.ref
    this.#messages = options.messages
    this.#store = options.store
    this.#settings = options.settings
    this.#listener = options.listener
    this.#traces = options.traces
    this.#notes = new SendNotes(options.ref, options.messages, options.store)
    this.#steps = new SendSteps(options.ref, options.messages, options.store, options.turns)
    this.#pacing = new Pacing(options.ref, options.messages, options.store, this.#people, () => this.#look())
    this.#order = new AcceptanceOrder({
      ref: options.ref,
      messages: options.messages,
      store: options.store,
      onFound: (row, consistent) => this.accept(row, consistent),
      onClear: () => this.#look(),
    })
    this.#departures = new Departures({
      list: this.#list,
      order: this.#order,
      pacing: this.#pacing,
      restricted: this.#restricted,
      people: this.#people,
      clock: options.store.clock,
      inFlightMax: options.settings.inFlightMax,
      actions: {
        go: (entry) => this.#delivery?.begin(entry),
        refuse: (entry) => void this.#fail(entry.row.whatsappId, newChatsRestricted),
        note: (entry, sentence) => this.#note(entry, sentence),
      },
    })
  }

  /** Sends waiting or in flight, without those that are not due. */
  get waiting(): number {
    let waiting = 0
    for (const { due } of this.#list.all()) if (due === undefined) waiting += 1
    return waiting
  }

  /**
   * Keeps an accepted send in its place. Idempotent; one that ended is taken note of, so that nobody looks for it.
   *
   * @param consistent false: the row is from an index, and may have been cancelled or ended since
   * @returns whether it is new and waits for the connection
   */
  accept(row: OutboundRow, consistent = true): boolean {
    const { clock } = this.#store
    const id = row.whatsappId
    this.#order.came(row)
    if (row.status !== 'queued' || this.#list.knows(id)) return false
    const deadlineAt = Date.parse(row.deadlineAt)
    const entry: SendEntry = {
      row,
      state: 'waiting',
      attempted: this.#auth?.attempted().has(id) ?? false,
      uncertain: false,
      resent: false,
      takenAt: clock.now(),
      // Taken out before it goes, it cannot go after it was cancelled.
      held: !consistent || row.heldAt !== undefined,
      claims: row.claims ?? 0,
      deadline: atTime(clock, deadlineAt, () => this.#expire(entry)),
    }
    this.#list.add(entry)
    const dueAt = row.sendAt === undefined ? 0 : Date.parse(row.sendAt)
    if (dueAt > clock.now()) entry.due = atTime(clock, dueAt, () => this.#due(entry))
    if (deadlineAt <= clock.now()) this.#expire(entry)
    else if (this.#mode.kind === 'refuse') this.#refuse(entry, this.#mode.code, this.#mode.message)
    else if (this.#mode.kind === 'hold') {
      this.#noteLater()
      this.#askLater()
    } else this.#look()
    return this.#list.has(entry) && entry.due === undefined
  }

  /** The connection's state changed. `flow` comes with `opened`. */
  setMode(mode: Exclude<SendsMode, { kind: 'flow' }>): void {
    const before = this.#mode
    this.#lost()
    this.#mode = mode
    if (mode.kind === 'refuse') {
      for (const entry of [...this.#list.all()]) this.#refuse(entry, mode.code, mode.message)
    } else if (before.kind !== 'hold' || before.note !== mode.note) this.#noteLater()
    this.#askLater()
  }

  /** As the connection's row says now. */
  setPace(pace: Pace | undefined): void {
    this.#pacing.set(pace)
    this.#look()
  }

  /** Somebody wrote in that chat: it is no new one. */
  heard(chat: string): void {
    this.#restricted.allowed(this.#people.chatOf(chat))
    this.#pacing.known(chat)
  }

  /** WhatsApp refuses new chats until then, as an earlier owner or this one was told. */
  restrict(until: EpochMs): void {
    this.#pacing.restricted(until)
    this.#restriction?.cancel()
    this.#restriction = atTime(this.#store.clock, until, () => this.#listener.onRestrictionOver())
  }

  /** The auth state is loaded: it says of which sends bytes may have left. The others can be cancelled from now on. */
  knows(auth: AuthState): void {
    this.#learn(auth)
    this.#noteLater()
  }

  /** A socket is open: what waits goes, what was not acknowledged goes again under its id. */
  opened(socket: WhatsAppSocket, auth: AuthState): void {
    this.#lost()
    this.#mode = { kind: 'flow' }
    this.#noting?.cancel()
    this.#noting = undefined
    this.#people.use(socket)
    this.#delivery = new Delivery({
      ref: this.#ref,
      messages: this.#messages,
      store: this.#store,
      settings: this.#settings,
      list: this.#list,
      socket,
      listener: {
        showsTyping: () => this.#pacing.pace?.typing === true,
        onTakenOut: (entry) => this.#notes.forget(entry.row.whatsappId),
        onEndedElsewhere: (entry) => {
          this.#list.ending(entry)
          this.#forget(entry.row.whatsappId, entry)
          this.#look()
        },
        onRefused: (entry, error) => void this.#fail(entry.row.whatsappId, error),
        onAckMissing: () => this.#listener.onAckMissing(),
        onProgress: () => this.#look(),
      },
    })
    if (this.#finishing) this.#delivery.finish()
    this.#learn(auth)
    void this.#forgetEnded(auth)
    this.#look()
  }

  /** The server accepted or refused a message of ours. Resolves once that is stored. */
  async acked({ whatsappId, error }: ServerAck): Promise<void> {
    const to = this.#list.get(whatsappId)?.row.chat
    const chat = to === undefined ? undefined : this.#people.chatOf(to)
    if (error === undefined) {
      if (chat !== undefined) {
        this.#restricted.allowed(chat)
        this.#pacing.known(chat)
      }
      return this.#end(whatsappId, { status: 'sent', at: this.#now() })
    }
    if (error !== restrictedCode) return this.#fail(whatsappId, rejected(error))
    const until = this.#store.clock.now() + restrictionMs
    if (chat !== undefined) this.#restricted.refused(chat, until)
    this.restrict(until)
    this.#listener.onRestricted(until)
    return this.#fail(whatsappId, { ...newChatsRestricted, whatsappCode: error })
  }

  /** A receipt is an ack as well. Resolves once it is stored. */
  receipt(receipt: SendReceipt): Promise<void> {
    const { whatsappId, step, participant } = receipt
    const at = new Date(receipt.at).toISOString()
    if (participant === undefined) return this.#end(whatsappId, { status: step, at })
    return this.#ended(whatsappId, this.#steps.receipt(whatsappId, { participant, step, at }))
  }

  /** Hands over nothing more; resolves when nothing is on its way, or after `timeoutMs`. */
  async finish(timeoutMs: number): Promise<void> {
    this.#finishing = true
    this.#delivery?.finish()
    await within(this.#store.clock, timeoutMs, this.#list.quiet())
  }

  /** Fails everything that waits; resolves once that is stored. */
  async failAll(code: SendErrorCode, message: string): Promise<void> {
    this.setMode({ kind: 'refuse', code, message })
    while (this.#list.size > 0 && !this.#store.over.aborted) await this.#list.quiet()
  }

  /** At once: no further timers, no further sends. */
  stop(): void {
    this.#asking?.cancel()
    this.#noting?.cancel()
    this.#restriction?.cancel()
    this.#pacing.stop()
    this.#list.clear()
    this.#delivery = undefined
    this.#mode = { kind: 'hold', note: '' }
  }

  #look(): void {
    if (this.#delivery !== undefined && !this.#finishing) this.#departures.look()
  }

  /** A connection may have stopped trying: what waits asks for it again, not only what comes new. */
  #askLater(): void {
    if (this.#asking !== undefined || this.#mode.kind !== 'hold' || this.waiting === 0) return
    this.#asking = this.#store.clock.after(this.#settings.wakeGapMs, () => {
      this.#asking = undefined
      if (this.#mode.kind === 'hold' && this.waiting > 0) this.#listener.onWaiting()
      this.#askLater()
    })
  }

  #lost(): void {
    this.#delivery?.end()
    this.#delivery = undefined
    this.#people.use(undefined)
  }

  #learn(auth: AuthState): void {
    this.#auth = auth
    const attempted = auth.attempted()
    for (const entry of this.#list.all()) if (attempted.has(entry.row.whatsappId)) entry.attempted = true
  }

  /** A worker that died between storing an outcome and forgetting the id left it behind: auth state must not grow by it. */
  async #forgetEnded(auth: AuthState): Promise<void> {
    for (const id of [...auth.attempted()].filter((attempted) => this.#list.get(attempted) === undefined)) {
      try {
        const row = await this.#messages.getByWhatsappId(this.#ref, id)
        if (this.#auth !== auth || this.#store.over.aborted) return
        if (row?.status !== 'queued' && this.#list.get(id) === undefined) auth.settled(id)
      } catch {
        // The next open looks again.
        return
      }
    }
  }

  #refuse(entry: SendEntry, code: SendErrorCode, message: string): void {
    if (entry.state === 'ending') return
    const mayHaveLeft = entry.attempted && code === 'no_active_connection'
    void this.#fail(entry.row.whatsappId, mayHaveLeft ? unconfirmed : { code, message })
  }

  #due(entry: SendEntry): void {
    delete entry.due
    if (this.#mode.kind === 'flow') {
      this.#look()
      return
    }
    this.#noteLater()
    this.#listener.onWaiting()
  }

  #expire(entry: SendEntry): void {
    const mayHaveLeft = entry.attempted || entry.state === 'handing'
    void this.#fail(entry.row.whatsappId, mayHaveLeft ? unconfirmed : expired)
  }

  #fail(whatsappId: string, error: SendError): Promise<void> {
    return this.#end(whatsappId, { status: 'failed', at: this.#now(), error })
  }

  /** An outcome, of a send in the outbox or of an earlier one. Resolves once stored; rejects when the holding ended. */
  #end(whatsappId: string, step: SendStep): Promise<void> {
    return this.#ended(whatsappId, this.#steps.store(whatsappId, step), step)
  }

  /** One line a send, which the id of the call that asked for it leads to, and its part of a trace. */
  #tell({ row, takenAt, handedAt }: SendEntry, step: SendStep): void {
    const { messageId, whatsappId, origin } = row
    const failed = step.status === 'failed' ? { errorCode: step.error.code } : {}
    const fields = { messageId, whatsappId, ...originFields(origin), sendStatus: step.status, ...failed }
    this.#store.log.info(fields, 'A send ended')
    if (origin?.trace === undefined) return
    this.#traces?.send({
      trace: origin.trace,
      ...(origin.requestId === undefined ? {} : { requestId: origin.requestId }),
      connectionId: this.#ref.connectionId,
      messageId,
      status: step.status,
      ...failed,
      takenAt,
      ...(handedAt === undefined ? {} : { handedAt }),
      endedAt: this.#store.clock.now(),
    })
  }

  #ended(whatsappId: string, stored: Promise<void>, step?: SendStep): Promise<void> {
    const entry = this.#list.get(whatsappId)
    const first = entry !== undefined && entry.state !== 'ending'
    if (first) {
      this.#list.ending(entry)
      this.#look()
    }
    const settled = stored.then(
      () => {
        this.#forget(whatsappId, entry)
        if (first && step !== undefined) this.#tell(entry, step)
      },
      (error) => {
        this.#list.tellIfQuiet()
        throw error
      },
    )
    // Our own endings have nobody who waits for them.
    settled.catch(() => undefined)
    return settled
  }

  #forget(whatsappId: string, entry: SendEntry | undefined): void {
    this.#auth?.settled(whatsappId)
    if (entry !== undefined) {
      this.#list.forget(entry)
      this.#notes.forget(whatsappId)
    }
    this.#list.tellIfQuiet()
  }

  /**
   * What waits for the connection says so where that takes a while. Most connections are open again before, and a new owner
   * of many waiting sends has better to do than to write twice to each of them.
   */
  #noteLater(): void {
    if (this.#noting !== undefined || this.#mode.kind !== 'hold' || this.#list.waiting.length === 0) return
    this.#noting = this.#store.clock.after(notedWaitMs, () => {
      this.#noting = undefined
      if (this.#mode.kind !== 'hold') return
      for (const entry of this.#list.waiting) this.#note(entry, this.#mode.note)
    })
  }

  /** What is not due says so by its time. */
  #note(entry: SendEntry, sentence: string): void {
    if (entry.due !== undefined) return
    const nothingLeft = this.#auth !== undefined && !entry.attempted
    const { whatsappId } = entry.row
    const waits = () => entry.state === 'waiting'
    // Before its auth state is loaded nobody knows what an earlier worker did with it; then the note says no more than it says.
    const written = this.#notes.write(whatsappId, sentence, waits, nothingLeft ? entry.claims : undefined)
    if (written && nothingLeft) entry.held = true
  }

  #now(): string {
    return new Date(this.#store.clock.now()).toISOString()
  }
}
