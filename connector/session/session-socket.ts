import { receivedMedium } from '../../shared/domain/content.ts'
import type { ConnectionEnd } from '../../shared/domain/disconnect.ts'
import { type Ignoring, isIgnored } from '../../shared/domain/ignoring.ts'
import type { WorkerMessages } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import type {
  InboundMessage,
  OpenRequest,
  SendReceipt,
  ServerAck,
  SocketEvent,
  SocketListener,
  WhatsAppPort,
  WhatsAppSocket,
} from '../ports.ts'
import { inboundRow } from './inbound.ts'
import type { Outbox } from './outbox.ts'
import { errorName } from './row-writer.ts'
import { type StoreContext, untilStored } from './until-stored.ts'

const dayMs = 86_400_000

/**
 * The one socket of a session. Its events are heard while it is the current one; what it brings to be stored is stored in any
 * case, as long as the session lives.
 */
export class SessionSocket {
  readonly #ref: ConnectionRef
  readonly #whatsapp: WhatsAppPort
  readonly #messages: WorkerMessages
  readonly #outbox: Outbox
  readonly #store: StoreContext
  /** Set from the connection's row; absent: as given at the start. */
  keptDays: number | undefined
  mediaDays: number | undefined
  readonly #inboundKeptMs: number | undefined
  readonly #onEvent: (event: SocketEvent) => void
  /** What comes in and is not stored. */
  ignore: Ignoring | undefined
  /** Media are downloaded as they come. */
  downloadsMedia = false
  #socket: WhatsAppSocket | undefined
  #generation = 0
  #storing = 0
  #quietWaiters: (() => void)[] = []

  constructor(options: {
    readonly ref: ConnectionRef
    readonly whatsapp: WhatsAppPort
    readonly messages: WorkerMessages
    readonly outbox: Outbox
    readonly store: StoreContext
    /** How long inbound messages are kept. */
    readonly inboundKeptMs: number | undefined
    readonly onEvent: (event: SocketEvent) => void
  }) {
    this.#ref = options.ref
    this.#whatsapp = options.whatsapp
    this.#messages = options.messages
    this.#outbox = options.outbox
    this.#store = options.store
    this.#inboundKeptMs = options.inboundKeptMs
    this.#onEvent = options.onEvent
  }

  get current(): WhatsAppSocket | undefined {
    return this.#socket
  }

  /** Changes with every socket, and when one is given up: what was begun under another number is void. */
  get generation(): number {
    return this.#generation
  }

  /** Nothing begun so far is heard of any more. */
  nextGeneration(): number {
    this.#generation += 1
    return this.#generation
  }

  open(request: OpenRequest): void {
    const generation = this.nextGeneration()
    try {
      this.#socket = this.#whatsapp.open(request, this.#listen(generation))
    } catch (error) {
      const end: ConnectionEnd = { phase: 'connecting', detail: errorName(error) }
      this.#onEvent({ kind: 'closed', end })
    }
  }

  /** Orderly; `closed` follows. */
  async close(): Promise<void> {
    await this.#socket?.close().catch((error) => this.#warn(error, 'Closing did not go in order'))
  }

  /** Resolves when WhatsApp confirmed, or did not; false where another socket took its place meanwhile. */
  async logOut(): Promise<boolean> {
    const generation = this.#generation
    await this.#socket?.logout().catch((error) => this.#warn(error, 'WhatsApp did not confirm the logout'))
    return this.#generation === generation
  }

  /** At once. Its `closed` is not heard. */
  drop(intent: 'closed_by_us' | 'watchdog' | 'liveness' | 'lease'): void {
    const socket = this.#socket
    this.#socket = undefined
    this.nextGeneration()
    socket?.terminate(intent)
  }

  /** Resolves once what the socket brought is stored. */
  quiet(): Promise<void> {
    if (this.#storing === 0) return Promise.resolve()
    return new Promise((resolve) => this.#quietWaiters.push(resolve))
  }

  #listen(generation: number): SocketListener {
    return {
      onEvent: (event) => {
        if (this.#generation !== generation) return
        if (event.kind === 'closed') {
          this.#socket = undefined
          this.nextGeneration()
        }
        this.#onEvent(event)
      },
      onAck: (ack: ServerAck) => this.#stored(() => this.#outbox.acked(ack)),
      onReceipt: (receipt: SendReceipt) => this.#stored(() => this.#outbox.receipt(receipt)),
      onInbound: (message: InboundMessage) => this.#stored(() => this.#inbound(message)),
    }
  }

  async #inbound(message: InboundMessage): Promise<void> {
    this.#outbox.heard(message.chat)
    if (isIgnored(message.chat, this.ignore)) return
    const { clock, holding } = this.#store
    const keptMs = this.keptDays === undefined ? this.#inboundKeptMs : this.keptDays * dayMs
    const row = inboundRow(this.#ref, holding.epoch, message, clock.now(), keptMs)
    await untilStored(this.#store, 'inbound message', () => this.#messages.putInbound(row))
    // In the background, and lost with the socket: what was not downloaded then is downloaded on demand.
    if (this.downloadsMedia && receivedMedium(row.content) !== undefined) this.#socket?.fetchMedium?.(row.messageId)
  }

  async #stored(work: () => Promise<void>): Promise<void> {
    this.#storing += 1
    try {
      await work()
    } finally {
      this.#storing -= 1
      if (this.#storing === 0) for (const wake of this.#quietWaiters.splice(0)) wake()
    }
  }

  #warn(error: unknown, message: string): void {
    this.#store.log.warn({ error: errorName(error) }, message)
  }
}
