import { sentMedium } from '../../shared/domain/content.ts'
import { presenceBefore } from '../../shared/domain/pace.ts'
import type { WorkerMessages } from '../../shared/domain/stores/messages.ts'
import { assertNever, type ConnectionRef, type SendError } from '../../shared/domain/words.ts'
import type { HandOver, SessionSettings, WhatsAppSocket } from '../ports.ts'
import { type EntryState, mayBeLeaving, type SendEntry } from './send-entry.ts'
import type { SendList } from './send-list.ts'
import { HoldingEnded, type StoreContext, untilStored } from './until-stored.ts'

const notSentRetryMs = 2_000
/** The bound of a send is the socket's; ours stands behind it. */
const sendGraceMs = 5_000

export interface DeliveryListener {
  /** "typing…" is to be shown before messages. */
  showsTyping(): boolean
  /** It was taken out in the store and can be cancelled no more. */
  onTakenOut(entry: SendEntry): void
  /** It ended before it could be taken out; its row says how. */
  onEndedElsewhere(entry: SendEntry): void
  /** It will never leave. */
  onRefused(entry: SendEntry, error: SendError): void
  /** An ack is missing. Resolves with whether the socket is alive; where not, it is ended by the time it resolves. */
  onAckMissing(): Promise<boolean>
  /** Others may go now. */
  onProgress(): void
}

/** The way of sends over one socket: taken out, "typing…", handed over, until its ack comes or the socket is gone. */
export class Delivery {
  readonly #ref: ConnectionRef
  readonly #messages: WorkerMessages
  readonly #store: StoreContext
  readonly #settings: Pick<SessionSettings, 'ackTimeoutMs' | 'sendTimeoutMs'>
  readonly #list: SendList
  readonly #socket: WhatsAppSocket
  readonly #listener: DeliveryListener
  #over = false
  #finishing = false

  constructor(options: {
    readonly ref: ConnectionRef
    readonly messages: WorkerMessages
    readonly store: StoreContext
    readonly settings: Pick<SessionSettings, 'ackTimeoutMs' | 'sendTimeoutMs'>
    readonly list: SendList
    readonly socket: WhatsAppSocket
    readonly listener: DeliveryListener
  }) {
    this.#ref = options.ref
    this.#messages = options.messages
    this.#store = options.store
    this.#settings = options.settings
    this.#list = options.list
    this.#socket = options.socket
    this.#listener = options.listener
  }

  begin(entry: SendEntry): void {
    if (entry.held) void this.#takeOut(entry)
    else void this.#prepare(entry)
  }

  /** Nothing more is handed over; what was waits for its ack. */
  finish(): void {
    this.#finishing = true
  }

  /** The socket is gone: what it had goes back to its place. */
  end(): void {
    this.#over = true
    for (const entry of this.#list.all()) {
      if (entry.state === 'ending') continue
      entry.timer?.cancel()
      delete entry.timer
      entry.resent = false
      entry.uncertain = false
      if (entry.state === 'waiting') continue
      if (mayBeLeaving(entry)) entry.attempted = true
      this.#list.putBack(entry)
    }
    this.#list.tellIfQuiet()
  }

  /** Ends the time in which a held send could be cancelled; where it was, nothing goes. */
  async #takeOut(entry: SendEntry): Promise<void> {
    const { whatsappId } = entry.row
    const { holding, clock } = this.#store
    entry.state = 'claiming'
    const outcome = await untilStored(this.#store, 'take out a send', () =>
      this.#messages.claim(this.#ref, whatsappId, holding.epoch, new Date(clock.now()).toISOString()),
    ).catch((error: unknown) => {
      if (error instanceof HoldingEnded) return undefined
      throw error
    })
    if (outcome === undefined || !this.#list.has(entry)) return
    switch (outcome.kind) {
      case 'claimed':
        entry.held = false
        entry.claims = Math.max(entry.claims, outcome.claims)
        this.#listener.onTakenOut(entry)
        break
      case 'fenced':
        holding.fenced()
        return
      default:
        if ((entry.state as EntryState) !== 'ending') this.#listener.onEndedElsewhere(entry)
        return
    }
    // The socket may be another one by now, and the send back in the list.
    if (entry.state !== 'claiming' || this.#over) return
    if (this.#finishing) this.#list.putBack(entry)
    else void this.#prepare(entry)
  }

  /** A medium goes to WhatsApp before the message that refers to it. */
  async #prepare(entry: SendEntry): Promise<void> {
    const { whatsappId, content } = entry.row
    if (this.#socket.prepare === undefined || sentMedium(content) === undefined) return this.#show(entry)
    if (!this.#store.holding.held()) return
    entry.state = 'preparing'
    // It counts no longer among those that are on their way: others may go.
    this.#listener.onProgress()
    const prepared = await this.#socket.prepare(whatsappId, content)
    if ((entry.state as EntryState) !== 'preparing' || this.#over) return
    switch (prepared.kind) {
      case 'ready':
        if (this.#finishing) this.#list.putBack(entry)
        else this.#show(entry, prepared.seconds)
        return
      case 'not_ready':
        this.#stayed(entry, { kind: 'not_sent', why: prepared.why })
        return
      case 'refused':
        this.#stayed(entry, prepared)
        return
      default:
        assertNever(prepared)
    }
  }

  /** Shows "typing…" or "recording…" first where the pace asks for it. */
  #show(entry: SendEntry, seconds?: number): void {
    const { chat, content } = entry.row
    const presence = presenceBefore(content, seconds)
    if (!this.#listener.showsTyping() || this.#socket.show === undefined || presence === undefined || entry.attempted) {
      void this.#hand(entry)
      return
    }
    entry.state = 'typing'
    this.#socket.show(presence.shown, chat)
    entry.timer = this.#store.clock.after(presence.forMs, () => {
      delete entry.timer
      if (entry.state !== 'typing' || this.#over) return
      if (this.#finishing) this.#list.putBack(entry)
      else void this.#hand(entry)
    })
  }

  async #hand(entry: SendEntry): Promise<void> {
    const { whatsappId, chat, content } = entry.row
    if (!this.#store.holding.held()) return
    entry.state = 'handing'
    entry.handedAt = this.#store.clock.now()
    entry.timer = this.#store.clock.after(this.#settings.sendTimeoutMs + sendGraceMs, () =>
      this.#handed(entry, { kind: 'unknown', why: 'no answer from the socket in time' }),
    )
    let result: HandOver
    try {
      result = await this.#socket.send(whatsappId, chat, content)
    } catch (error) {
      result = { kind: 'unknown', why: error instanceof Error ? error.message : String(error) }
    }
    this.#handed(entry, result)
  }

  #handed(entry: SendEntry, result: HandOver): void {
    // An ack may have been faster, or the socket is gone and the send back in the list.
    if (entry.state !== 'handing' || this.#over) return
    entry.timer?.cancel()
    delete entry.timer
    const { messageId } = entry.row
    switch (result.kind) {
      case 'handed_over':
        entry.attempted = true
        entry.uncertain = false
        this.#awaitAck(entry)
        break
      case 'unknown':
        entry.attempted = true
        entry.uncertain = true
        this.#store.log.warn({ messageId, why: result.why }, 'A send may or may not have left')
        this.#awaitAck(entry)
        break
      case 'not_sent':
      case 'refused':
        this.#stayed(entry, result)
        return
      default:
        assertNever(result)
    }
    this.#listener.onProgress()
    this.#list.tellIfQuiet()
  }

  /** Nothing of it left. */
  #stayed(entry: SendEntry, result: Extract<HandOver, { kind: 'not_sent' | 'refused' }>): void {
    const { messageId } = entry.row
    switch (result.kind) {
      case 'not_sent':
        this.#store.log.warn({ messageId, why: result.why }, 'A send did not leave, trying again')
        entry.timer = this.#store.clock.after(notSentRetryMs, () => {
          delete entry.timer
          this.#listener.onProgress()
        })
        this.#list.putBack(entry)
        break
      case 'refused':
        this.#listener.onRefused(entry, { code: result.code, message: result.why })
        break
    }
    this.#listener.onProgress()
    this.#list.tellIfQuiet()
  }

  /** A missing ack probes the socket; alive, the send goes once more under its id. */
  #awaitAck(entry: SendEntry): void {
    entry.state = 'unacked'
    const still = () => entry.state === 'unacked' && !this.#over
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
            this.#list.putBack(entry)
          }
          this.#listener.onProgress()
          this.#list.tellIfQuiet()
        })
      })
    })
  }
}
