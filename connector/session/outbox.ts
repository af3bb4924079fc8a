import type { SendsMode } from '../../shared/domain/lifecycle-sends.ts'
import { type Pace, typingMs } from '../../shared/domain/pace.ts'
import type { OutboundRow, SendStep, WorkerMessages } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef, EpochMs, SendError, SendErrorCode } from '../../shared/domain/words.ts'
import type { AuthState, HandOver, SendReceipt, ServerAck, SessionSettings, Timer, WhatsAppSocket } from '../ports.ts'
import { Pacing, paceSentences } from './pacing.ts'
import { RestrictedChats, restrictedCode, restrictionMs } from './restricted-chats.ts'
import { cancelTimers, type EntryState, isLeaving, mayBeLeaving, type SendEntry } from './send-entry.ts'
import { expired, newChatsRestricted, rejected, unconfirmed } from './send-failures.ts'
import { SendNotes } from './send-notes.ts'
import { SendSteps } from './send-steps.ts'
import { HoldingEnded, type StoreContext, untilStored, within } from './until-stored.ts'

const notSentRetryMs = 2_000
/** Timers hold 31 bits of milliseconds; a later deadline is looked at again after a day. */
const timerMaxMs = 24 * 60 * 60_000
/** Ids of ended sends that are remembered: the index of waiting sends may still list them for a moment. */
const endedKept = 5_000

/** A wait that is worth a sentence, and long enough to be cancelled. */
const notedWaitMs = 5_000
const goes = { kind: 'go' } as const
type PaceWait = Extract<ReturnType<Pacing['decide']>, { kind: 'wait' }>

export interface OutboxListener {
  /** An ack is missing. Resolves with whether the socket is alive; where not, it is ended by the time it resolves. */
  onAckMissing(): Promise<boolean>
  onRestricted(until: EpochMs): void
  /** A scheduled send became due while no socket is open. */
  onDue(): void
}

/**
 * The sends of one connection: in order of acceptance, several on their way at a time, the order within a chat kept, each
 * under the one id that WhatsApp shows once, until an ack, a refusal or the deadline ends it.
 */
export class Outbox {
  readonly #ref: ConnectionRef
  readonly #messages: WorkerMessages
  readonly #store: StoreContext
  readonly #settings: Pick<SessionSettings, 'ackTimeoutMs' | 'sendTimeoutMs' | 'inFlightMax'>
  readonly #listener: OutboxListener
  /** By WhatsApp id. */
  readonly #entries = new Map<string, SendEntry>()
  /** Those that wait, by `seq`. */
  #list: SendEntry[] = []
  readonly #ended = new Set<string>()
  readonly #restricted = new RestrictedChats()
  readonly #notes: SendNotes
  readonly #steps: SendSteps
  readonly #pacing: Pacing
  #mode: SendsMode = { kind: 'hold', note: '' }
  #socket: WhatsAppSocket | undefined
  #auth: AuthState | undefined
  #finishing = false
  #quietWaiters: (() => void)[] = []

  constructor(options: {
    readonly ref: ConnectionRef
    readonly messages: WorkerMessages
    readonly store: StoreContext
    readonly settings: Pick<SessionSettings, 'ackTimeoutMs' | 'sendTimeoutMs' | 'inFlightMax'>
    readonly listener: OutboxListener
  }) {
    this.#ref = options.ref
    this.#messages = options.messages
    this.#store = options.store
    this.#settings = options.settings
    this.#listener = options.listener
    this.#notes = new SendNotes(options.ref, options.messages, options.store)
    this.#steps = new SendSteps(options.ref, options.messages, options.store)
    this.#pacing = new Pacing(options.ref, options.messages, options.store, () => this.#pump())
  }

  /** Sends waiting or in flight, without those that are not due. */
  get waiting(): number {
    let waiting = 0
    for (const { due } of this.#entries.values()) if (due === undefined) waiting += 1
    return waiting
  }

  /** Keeps an accepted send in its place. Idempotent. Returns whether it is new and waits for the connection. */
  accept(row: OutboundRow): boolean {
    const id = row.whatsappId
    if (row.status !== 'queued' || this.#entries.has(id) || this.#ended.has(id)) return false
    const entry: SendEntry = {
      row,
      state: 'waiting',
      attempted: this.#auth?.attempted().has(id) ?? false,
      resent: false,
      held: row.heldAt !== undefined,
      claims: row.claims ?? 0,
      deadline: { timer: this.#watchDeadline(id, row.deadlineAt) },
    }
    this.#entries.set(id, entry)
    this.#insert(entry)
    if (row.sendAt !== undefined && Date.parse(row.sendAt) > this.#store.clock.now()) this.#watchDue(entry, row.sendAt)
    if (Date.parse(row.deadlineAt) <= this.#store.clock.now()) this.#expire(entry)
    else if (this.#mode.kind === 'refuse') this.#refuse(entry, this.#mode.code, this.#mode.message)
    else if (this.#mode.kind === 'hold') this.#note(entry, this.#mode.note)
    else this.#pump()
    return this.#entries.has(id) && entry.due === undefined
  }

  /** The connection's state changed. `flow` comes with `opened`. */
  setMode(mode: Exclude<SendsMode, { kind: 'flow' }>): void {
    const before = this.#mode
    this.#lost()
    this.#mode = mode
    if (mode.kind === 'refuse') {
      for (const entry of [...this.#entries.values()]) this.#refuse(entry, mode.code, mode.message)
    } else if (before.kind !== 'hold' || before.note !== mode.note) {
      for (const entry of this.#list) this.#note(entry, mode.note)
    }
  }

  /** As the connection's row says now. */
  setPace(pace: Pace | undefined): void {
    this.#pacing.set(pace)
    this.#pump()
  }

  /** WhatsApp refuses new chats until then, as an earlier owner or this one was told. */
  restrict(until: EpochMs): void {
    this.#pacing.restricted(until)
  }

  /** The auth state is loaded: it says of which sends bytes may have left. The others can be cancelled from now on. */
  knows(auth: AuthState): void {
    this.#auth = auth
    const attempted = auth.attempted()
    for (const [id, entry] of this.#entries) if (attempted.has(id)) entry.attempted = true
    if (this.#mode.kind !== 'hold') return
    for (const entry of this.#list) this.#note(entry, this.#mode.note)
  }

  /** A socket is open: what waits goes, what was not acknowledged goes again under its id. */
  opened(socket: WhatsAppSocket, auth: AuthState): void {
    this.#lost()
    this.#mode = { kind: 'flow' }
    this.#socket = socket
    this.#auth = auth
    const attempted = auth.attempted()
    for (const [id, entry] of this.#entries) if (attempted.has(id)) entry.attempted = true
    void this.#forgetEnded(auth)
    this.#pump()
  }

  /** A worker that died between storing an outcome and forgetting the id left it behind: auth state must not grow by it. */
  async #forgetEnded(auth: AuthState): Promise<void> {
    for (const id of [...auth.attempted()].filter((attempted) => !this.#entries.has(attempted))) {
      try {
        const row = await this.#messages.getByWhatsappId(this.#ref, id)
        if (this.#auth !== auth || this.#store.over.aborted) return
        if (row?.status !== 'queued' && !this.#entries.has(id)) auth.settled(id)
      } catch {
        // The next open looks again.
        return
      }
    }
  }

  /** The server accepted or refused a message of ours. Resolves once that is stored. */
  async acked({ whatsappId, error }: ServerAck): Promise<void> {
    const chat = this.#entries.get(whatsappId)?.row.chat
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
    this.#pacing.restricted(until)
    this.#listener.onRestricted(until)
    return this.#fail(whatsappId, { ...newChatsRestricted, whatsappCode: error })
  }

  /** A receipt is an ack as well. Resolves once it is stored. */
  receipt(receipt: SendReceipt): Promise<void> {
    return this.#end(receipt.whatsappId, { status: receipt.step, at: new Date(receipt.at).toISOString() })
  }

  /** Hands over nothing more; resolves when nothing is on its way, or after `timeoutMs`. */
  async finish(timeoutMs: number): Promise<void> {
    this.#finishing = true
    if (this.#quiet()) return
    const quiet = new Promise<void>((resolve) => this.#quietWaiters.push(resolve))
    await within(this.#store.clock, timeoutMs, quiet)
  }

  /** Fails everything that waits; resolves once that is stored. */
  async failAll(code: SendErrorCode, message: string): Promise<void> {
    this.setMode({ kind: 'refuse', code, message })
    while (this.#entries.size > 0 && !this.#store.over.aborted) {
      await new Promise<void>((resolve) => this.#quietWaiters.push(resolve))
    }
  }

  /** At once: no further timers, no further sends. */
  stop(): void {
    for (const entry of this.#entries.values()) {
      cancelTimers(entry)
    }
    this.#pacing.stop()
    this.#entries.clear()
    this.#list = []
    this.#socket = undefined
    this.#mode = { kind: 'hold', note: '' }
    this.#wakeQuietWaiters()
  }

  #insert(entry: SendEntry): void {
    // Mostly it belongs at the end.
    let at = this.#list.length
    while (at > 0 && (this.#list[at - 1] as SendEntry).row.seq > entry.row.seq) at -= 1
    this.#list.splice(at, 0, entry)
  }

  #pump(): void {
    const socket = this.#socket
    if (this.#mode.kind !== 'flow' || socket === undefined || this.#finishing) return
    let inFlight = 0
    const busyChats = new Set<string>()
    for (const entry of this.#entries.values()) {
      if (isLeaving(entry)) busyChats.add(entry.row.chat)
      if (isLeaving(entry) || entry.state === 'unacked') inFlight += 1
    }
    let everyone: PaceWait | undefined
    for (let at = 0; at < this.#list.length && inFlight < this.#settings.inFlightMax; ) {
      const entry = this.#list[at] as SendEntry
      const { chat } = entry.row
      // What is scheduled holds up nothing before its time.
      if (entry.due !== undefined) {
        at += 1
        continue
      }
      // One that has to pause, or whose bytes are on their way to the socket, holds up its own chat and no other.
      if (busyChats.has(chat) || entry.timer !== undefined) {
        busyChats.add(chat)
        at += 1
        continue
      }
      // What may have left is not delayed again: its chat may have it already.
      const verdict = entry.attempted ? goes : (everyone ?? this.#pacing.decide(chat))
      if (verdict.kind === 'wait' || verdict.kind === 'asking') {
        busyChats.add(chat)
        at += 1
        if (verdict.kind === 'asking') continue
        if (verdict.until - this.#store.clock.now() >= notedWaitMs) this.#note(entry, paceSentences[verdict.why])
        else if (verdict.holds === 'all') break
        if (verdict.holds === 'all') everyone = verdict
        continue
      }
      this.#list.splice(at, 1)
      if (verdict.kind === 'refuse' || this.#restricted.refuses(chat, this.#store.clock.now())) {
        void this.#fail(entry.row.whatsappId, newChatsRestricted)
        continue
      }
      busyChats.add(chat)
      inFlight += 1
      this.#pacing.went()
      if (entry.held) void this.#takeOut(entry, socket)
      else this.#type(entry, socket)
    }
  }

  /** Shows "typing…" first where the pace asks for it. */
  #type(entry: SendEntry, socket: WhatsAppSocket): void {
    const { chat, content } = entry.row
    if (this.#pacing.pace?.typing !== true || socket.typing === undefined || entry.attempted) {
      void this.#hand(entry, socket)
      return
    }
    entry.state = 'typing'
    socket.typing(chat)
    const characters = content.type === 'text' ? content.text.body.length : 0
    entry.timer = this.#store.clock.after(typingMs(characters), () => {
      delete entry.timer
      if (entry.state !== 'typing' || this.#socket !== socket) return
      if (this.#finishing) this.#putBack(entry)
      else void this.#hand(entry, socket)
    })
  }

  /** Ends the time in which a held send could be cancelled; where it was, nothing goes. */
  async #takeOut(entry: SendEntry, socket: WhatsAppSocket): Promise<void> {
    const { whatsappId } = entry.row
    const { holding } = this.#store
    entry.state = 'claiming'
    const outcome = await untilStored(this.#store, 'take out a send', () =>
      this.#messages.claim(this.#ref, whatsappId, holding.epoch, this.#now()),
    ).catch((error: unknown) => {
      if (error instanceof HoldingEnded) return undefined
      throw error
    })
    if (outcome === undefined || this.#entries.get(whatsappId) !== entry) return
    switch (outcome.kind) {
      case 'claimed':
        entry.held = false
        entry.claims = Math.max(entry.claims, outcome.claims)
        this.#notes.forget(whatsappId)
        break
      case 'fenced':
        holding.fenced()
        return
      default:
        if ((entry.state as EntryState) !== 'ending') this.#drop(entry)
        this.#pump()
        return
    }
    // The socket may be another one by now, and the send back in the list.
    if (entry.state !== 'claiming' || this.#socket !== socket) return
    if (this.#finishing) this.#putBack(entry)
    else this.#type(entry, socket)
  }

  #putBack(entry: SendEntry): void {
    entry.state = 'waiting'
    this.#insert(entry)
  }

  /** It ended elsewhere: its row says how. */
  #drop(entry: SendEntry): void {
    entry.state = 'ending'
    cancelTimers(entry)
    const at = this.#list.indexOf(entry)
    if (at >= 0) this.#list.splice(at, 1)
    this.#forget(entry.row.whatsappId, entry)
  }

  async #hand(entry: SendEntry, socket: WhatsAppSocket): Promise<void> {
    const { whatsappId, chat, content } = entry.row
    if (!this.#store.holding.held()) return
    entry.state = 'handing'
    // The bound is the socket's; ours stands behind it.
    entry.timer = this.#store.clock.after(this.#settings.sendTimeoutMs + 5_000, () =>
      this.#handed(entry, socket, { kind: 'unknown', why: 'no answer from the socket in time' }),
    )
    let result: HandOver
    try {
      result = await socket.send(whatsappId, chat, content)
    } catch (error) {
      result = { kind: 'unknown', why: error instanceof Error ? error.message : String(error) }
    }
    this.#handed(entry, socket, result)
  }

  #handed(entry: SendEntry, socket: WhatsAppSocket, result: HandOver): void {
    // An ack may have been faster, or the socket is gone and the send back in the list.
    if (entry.state !== 'handing' || this.#socket !== socket) return
    entry.timer?.cancel()
    delete entry.timer
    switch (result.kind) {
      case 'handed_over':
        entry.attempted = true
        this.#awaitAck(entry, socket)
        break
      case 'unknown':
        entry.attempted = true
        this.#store.log.warn({ messageId: entry.row.messageId, why: result.why }, 'A send may or may not have left')
        this.#awaitAck(entry, socket)
        break
      case 'not_sent':
        this.#store.log.warn({ messageId: entry.row.messageId, why: result.why }, 'A send did not leave, trying again')
        entry.state = 'waiting'
        entry.timer = this.#store.clock.after(notSentRetryMs, () => {
          delete entry.timer
          this.#pump()
        })
        this.#insert(entry)
        break
      case 'refused':
        void this.#fail(entry.row.whatsappId, { code: result.code, message: result.why })
        break
    }
    this.#pump()
    this.#tellIfQuiet()
  }

  /** A missing ack probes the socket; alive, the send goes once more under its id. */
  #awaitAck(entry: SendEntry, socket: WhatsAppSocket): void {
    entry.state = 'unacked'
    const still = () => entry.state === 'unacked' && this.#socket === socket
    entry.timer = this.#store.clock.after(this.#settings.ackTimeoutMs, () => {
      delete entry.timer
      void this.#listener.onAckMissing().then((alive) => {
        if (!alive || !still()) return
        entry.timer = this.#store.clock.after(this.#settings.ackTimeoutMs, () => {
          delete entry.timer
          if (!still()) return
          if (entry.resent) {
            entry.state = 'parked'
          } else {
            entry.resent = true
            entry.state = 'waiting'
            this.#insert(entry)
          }
          this.#pump()
          this.#tellIfQuiet()
        })
      })
    })
  }

  /** The socket is gone: what it had goes back to its place. */
  #lost(): void {
    this.#socket = undefined
    for (const entry of this.#entries.values()) {
      if (entry.state === 'ending') continue
      entry.timer?.cancel()
      delete entry.timer
      entry.resent = false
      if (entry.state === 'waiting') continue
      if (mayBeLeaving(entry)) entry.attempted = true
      this.#putBack(entry)
    }
    this.#tellIfQuiet()
  }

  #refuse(entry: SendEntry, code: SendErrorCode, message: string): void {
    if (entry.state === 'ending') return
    const mayHaveLeft = entry.attempted && code === 'no_active_connection'
    void this.#fail(entry.row.whatsappId, mayHaveLeft ? unconfirmed : { code, message })
  }

  #watchDeadline(whatsappId: string, deadlineAt: string): Timer {
    const { clock } = this.#store
    return clock.after(Math.min(Math.max(0, Date.parse(deadlineAt) - clock.now()), timerMaxMs), () => {
      const entry = this.#entries.get(whatsappId)
      if (entry === undefined || entry.state === 'ending') return
      if (clock.now() < Date.parse(deadlineAt)) {
        entry.deadline.timer = this.#watchDeadline(whatsappId, deadlineAt)
        return
      }
      this.#expire(entry)
    })
  }

  #watchDue(entry: SendEntry, sendAt: string): void {
    const { clock } = this.#store
    entry.due = clock.after(Math.min(Math.max(0, Date.parse(sendAt) - clock.now()), timerMaxMs), () => {
      delete entry.due
      if (this.#entries.get(entry.row.whatsappId) !== entry || entry.state === 'ending') return
      if (clock.now() < Date.parse(sendAt)) {
        this.#watchDue(entry, sendAt)
        return
      }
      if (this.#mode.kind === 'flow') {
        this.#pump()
        return
      }
      if (this.#mode.kind === 'hold') this.#note(entry, this.#mode.note)
      this.#listener.onDue()
    })
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
    const entry = this.#entries.get(whatsappId)
    if (entry !== undefined && entry.state !== 'ending') {
      entry.state = 'ending'
      cancelTimers(entry)
      const at = this.#list.indexOf(entry)
      if (at >= 0) this.#list.splice(at, 1)
      this.#pump()
    }
    const settled = this.#steps.store(whatsappId, step).then(
      () => this.#forget(whatsappId, entry),
      (error) => {
        this.#tellIfQuiet()
        throw error
      },
    )
    // Our own endings have nobody who waits for them.
    settled.catch(() => undefined)
    return settled
  }

  #forget(whatsappId: string, entry: SendEntry | undefined): void {
    this.#auth?.settled(whatsappId)
    if (entry !== undefined && this.#entries.get(whatsappId) === entry) {
      this.#entries.delete(whatsappId)
      this.#notes.forget(whatsappId)
      this.#ended.add(whatsappId)
      if (this.#ended.size > endedKept) this.#ended.delete(this.#ended.values().next().value as string)
    }
    this.#tellIfQuiet()
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

  #quiet(): boolean {
    for (const { state } of this.#entries.values()) {
      if (state === 'handing' || state === 'unacked' || state === 'ending') return false
    }
    return true
  }

  #tellIfQuiet(): void {
    if (this.#quiet()) this.#wakeQuietWaiters()
  }

  #wakeQuietWaiters(): void {
    const waiters = this.#quietWaiters
    this.#quietWaiters = []
    for (const wake of waiters) wake()
  }

  #now(): string {
    return new Date(this.#store.clock.now()).toISOString()
  }
}
