/**
 * A worker's side of WhatsApp over the real auth state, journal, egress gate and inbox. What Baileys does in between (who
 * encrypts when, what is acknowledged when) is told in a few lines here.
 */
import type { BinaryNode } from '@whiskeysockets/baileys'
import { proto } from '@whiskeysockets/baileys'
import { ConnectionAuthState } from '../../../connector/auth/auth-state.ts'
import type {
  ConnectionEnd,
  HandOver,
  Log,
  OpenRequest,
  SocketEvent,
  SocketListener,
  Timer,
  WhatsAppPort,
  WhatsAppSocket,
} from '../../../connector/ports.ts'
import { type EgressGate, gateEgress } from '../../../connector/whatsapp/egress-gate.ts'
import { Inbox } from '../../../connector/whatsapp/inbox.ts'
import type { Audit, Rest } from '../audit.ts'
import type { Breakages } from '../breakages.ts'
import type { Thread } from '../process.ts'
import type { Chance } from '../world.ts'
import type { Link } from './link.ts'
import type { InboundSecret, ToClient, ToServer } from './protocol.ts'
import type { WhatsApp } from './server.ts'

export interface ClientDependencies {
  readonly thread: Thread
  readonly server: WhatsApp
  readonly audit: Audit
  readonly chance: Chance
  readonly log: Log
  readonly workerId: string
  readonly breakages: Breakages
}

/** The ratchet with one chat: the number of the last key used to send, and those used to open. */
interface RatchetRecord {
  readonly sent: number
  readonly opened: readonly number[]
}

/** A frame on its way through the gate, with the state that it was made from. */
interface GatedFrame {
  readonly frame: ToServer
  readonly rests: readonly Rest[]
}

const drainMs = 2_000
const logoutMs = 5_000
const sendTimeoutMs = 30_000
const queryTimeoutMs = 20_000

export function simulatedWhatsApp(deps: ClientDependencies): WhatsAppPort {
  return {
    open: (request, listener) => new ClientSocket(deps, request, listener),
    reachable: async () => deps.server.takesConnections,
  }
}

class ClientSocket implements WhatsAppSocket {
  readonly #deps: ClientDependencies
  readonly #request: OpenRequest
  readonly #listener: SocketListener
  readonly #state: ConnectionAuthState
  readonly #link: Link
  readonly #gate: EgressGate
  readonly #inbox: Inbox
  readonly #wire: { send(frame: GatedFrame, written: (error?: Error) => void): void; pong(): void }
  readonly #closed = Promise.withResolvers<void>()
  readonly #answers = new Map<number, () => void>()
  #queries = 0
  #phase: ConnectionEnd['phase'] = 'connecting'
  #intent: ConnectionEnd['intent']
  #ended = false
  #terminated = false
  #receipts: Promise<void> = Promise.resolve()

  constructor(deps: ClientDependencies, request: OpenRequest, listener: SocketListener) {
    const { state } = request
    if (!(state instanceof ConnectionAuthState)) throw new Error('the simulation runs on the real auth state')
    const { thread, server, audit, log } = deps
    this.#deps = deps
    this.#request = request
    this.#listener = listener
    this.#state = state
    audit.opens(deps.workerId, request)
    this.#link = server.dial(request.ref, thread)
    thread.process.opens()
    this.#link.listened((frame) => this.#hear(frame))
    thread.process.onEnd(() => this.#link.hangUp(deps.chance.happens(0.7)))
    const socket = {
      send: (frame: GatedFrame, written: (error?: Error) => void) => this.#leave(frame, written),
      pong: () => undefined,
    }
    this.#gate = gateEgress(
      socket as unknown as Parameters<typeof gateEgress>[0],
      deps.breakages.gateState(state),
      request.holding,
      () => this.terminate('lease'),
    )
    this.#wire = socket
    this.#inbox = new Inbox({ state, clock: thread.clock, log, onInbound: (message) => listener.onInbound(message) })
    queueMicrotask(() => this.#inbox.resume())
  }

  async send(whatsappId: string, chat: string): Promise<HandOver> {
    if (this.#ended || this.#phase !== 'open') return { kind: 'not_sent', why: 'the connection is not open' }
    const attempt = { givenUp: false, encrypted: false }
    const outcome = (why: string): HandOver => {
      attempt.givenUp = true
      return { kind: attempt.encrypted ? 'unknown' : 'not_sent', why }
    }
    const late = this.#pause(sendTimeoutMs)
    try {
      return await Promise.race([
        this.#trySend(attempt, whatsappId, chat).catch((error: unknown) => outcome(String(error))),
        late.promise.then(() => outcome('no answer in time')),
        this.#closed.promise.then(() => outcome('the connection ended')),
      ])
    } finally {
      late.timer.cancel()
    }
  }

  async probe(timeoutMs: number): Promise<boolean> {
    if (this.#ended) return false
    return this.#query({ kind: 'ping', query: ++this.#queries }, timeoutMs)
  }

  async logout(): Promise<void> {
    this.#intent ??= 'logout'
    if (!this.#ended && this.#phase === 'open') {
      await this.#query({ kind: 'remove_device', query: ++this.#queries }, logoutMs)
    }
    await this.#orderlyEnd()
  }

  async close(): Promise<void> {
    this.#intent ??= 'closed_by_us'
    await this.#orderlyEnd()
  }

  terminate(intent: NonNullable<ConnectionEnd['intent']>): void {
    if (this.#ended || this.#terminated) return
    this.#terminated = true
    this.#intent ??= intent
    this.#gate.stop()
    this.#inbox.close()
    this.#hangUp()
    queueMicrotask(() => this.#finish({}))
  }

  // ── Sending ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #trySend(
    attempt: { readonly givenUp: boolean; encrypted: boolean },
    whatsappId: string,
    chat: string,
  ): Promise<HandOver> {
    if (this.#state.read('session', chat) === undefined) {
      const answered = await this.#query({ kind: 'prekeys', query: ++this.#queries, chat }, queryTimeoutMs)
      if (!answered) return { kind: 'not_sent', why: 'no keys of the recipient' }
    }
    if (attempt.givenUp) return { kind: 'not_sent', why: 'the send was given up' }
    // One synchronous step, as in the Signal repository: the key is used up, the id is noted, the ciphertext exists.
    const ratchet = this.#ratchet(chat)
    const counter = ratchet.sent + 1
    this.#state.apply([{ type: 'session', id: chat, value: { ...ratchet, sent: counter } }])
    this.#state.attempt(whatsappId)
    attempt.encrypted = true
    const { identity } = this.#state.creds as { identity?: string }
    const nonce = this.#deps.chance.id()
    await this.#egress({ kind: 'message', whatsappId, chat, identity: identity ?? '', counter, nonce })
    return { kind: 'handed_over' }
  }

  #ratchet(chat: string): RatchetRecord {
    return (this.#state.read('session', chat) as RatchetRecord | undefined) ?? { sent: 0, opened: [] }
  }

  /** Through the gate. Resolves when it left, rejects when it never will. */
  #egress(frame: ToServer): Promise<void> {
    const { audit, server } = this.#deps
    const rests = audit.restsOn(this.#state, server.device(this.#request.ref).phones.keys())
    return new Promise((resolve, reject) => {
      this.#wire.send({ frame, rests }, (error) => (error === undefined ? resolve() : reject(error)))
    })
  }

  /** The wire itself: what comes here is seen by the world. */
  #leave({ frame, rests }: GatedFrame, written: (error?: Error) => void): void {
    const { process } = this.#deps.thread
    if (this.#ended || this.#terminated) {
      written(new Error('the socket is closed'))
      return
    }
    if (!process.leaving()) return
    this.#deps.audit.leaves(this.#deps.workerId, this.#request, frame, rests)
    this.#link.up(frame)
    written()
    process.left()
  }

  async #query(frame: Extract<ToServer, { readonly query: number }>, timeoutMs: number): Promise<boolean> {
    const late = this.#pause(timeoutMs)
    const answered = new Promise<boolean>((resolve) => this.#answers.set(frame.query, () => resolve(true)))
    this.#egress(frame).catch(() => undefined)
    const answer = await Promise.race([
      answered,
      late.promise.then(() => false),
      this.#closed.promise.then(() => false),
    ])
    late.timer.cancel()
    this.#answers.delete(frame.query)
    return answer
  }

  // ── Hearing ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #hear(frame: ToClient): void {
    if (this.#ended || this.#terminated) return
    switch (frame.kind) {
      case 'connected':
        this.#connected()
        return
      case 'refused':
        this.#finish({ upgradeStatus: frame.upgradeStatus })
        return
      case 'success':
        this.#phase = 'open'
        this.#deps.audit.opened(this.#request)
        this.#emit({ kind: 'open', jid: this.#state.creds.me?.id ?? '' })
        return
      case 'qr':
        this.#emit({ kind: 'qr', text: frame.text, expiresInMs: 60_000 })
        return
      case 'linked':
        this.#linked(frame)
        return
      case 'answer':
        this.#answers.get(frame.query)?.()
        return
      case 'ack': {
        const { whatsappId, error } = frame
        this.#listener.onAck({ whatsappId, ...(error === undefined ? {} : { error }) }).catch(nothing)
        return
      }
      case 'receipt':
        this.#receipt(frame)
        return
      case 'receipt_ack':
        this.#inbox.receiptAcknowledged(frame.whatsappId)
        return
      case 'message':
        this.#message(frame).catch(nothing)
        return
      case 'end': {
        const { statusCode, conflict } = frame
        this.#finish({
          ...(statusCode === undefined ? {} : { statusCode }),
          ...(conflict === undefined ? {} : { conflict }),
        })
      }
    }
  }

  #connected(): void {
    const { identity } = this.#state.creds as { identity?: string }
    this.#phase = this.#state.registered ? 'logging_in' : 'pairing'
    const hello: ToServer = this.#state.registered ? { kind: 'login', identity: identity ?? '' } : { kind: 'link' }
    this.#egress(hello).catch(nothing)
  }

  /** The scan came: the identity becomes one that is kept, and is, before WhatsApp has our reply. */
  #linked(frame: Extract<ToClient, { kind: 'linked' }>): void {
    const { creds } = this.#state
    creds.me = { id: frame.jid }
    creds.account = frame.account
    this.#state.saveCreds()
    const { identity } = creds as { identity?: string }
    this.#egress({ kind: 'link_reply', identity: identity ?? '' }).catch(nothing)
    this.#state
      .durable()
      .then(() => this.#emit({ kind: 'paired', jid: frame.jid, phoneNumber: '+94714515253' }), nothing)
  }

  /** Stored first, in their order, then acknowledged. */
  #receipt({ whatsappId, step }: Extract<ToClient, { kind: 'receipt' }>): void {
    const at = this.#deps.thread.clock.now()
    const stored = this.#deps.breakages.receiptStored(this.#listener.onReceipt({ whatsappId, step, at }))
    this.#receipts = Promise.all([stored, this.#receipts]).then(() => {
      if (!this.#ended) this.#egress({ kind: 'receipt_ack', whatsappId, step }).catch(nothing)
    }, nothing)
  }

  async #message({ whatsappId, chat, ciphertext }: Extract<ToClient, { kind: 'message' }>): Promise<void> {
    const stanza: BinaryNode = {
      tag: 'message',
      attrs: { id: whatsappId, from: chat, t: String(Math.floor(this.#deps.thread.clock.now() / 1_000)) },
      content: [{ tag: 'enc', attrs: {}, content: ciphertext }],
    }
    this.#inbox.arrived(stanza)
    const opening = this.#inbox.open(ciphertext, async (keep) => {
      const { counter, body } = JSON.parse(new TextDecoder().decode(ciphertext)) as InboundSecret
      const ratchet = this.#ratchet(chat)
      if (ratchet.opened.includes(counter)) {
        this.#deps.audit.openedTwice(this.#request.ref, whatsappId)
        throw new Error('this key was used')
      }
      this.#state.apply([{ type: 'session', id: chat, value: { ...ratchet, opened: [...ratchet.opened, counter] } }])
      const plaintext = padded(proto.Message.encode({ conversation: body }).finish())
      keep(plaintext)
      return plaintext
    })
    await this.#deps.breakages.inboundStored(opening)
    await this.#egress({ kind: 'receipt', whatsappId })
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #orderlyEnd(): Promise<void> {
    if (this.#ended) return
    const late = this.#pause(drainMs)
    await Promise.race([this.#gate.drained(), late.promise])
    late.timer.cancel()
    this.terminate('closed_by_us')
    await this.#closed.promise
  }

  #finish(facts: Pick<ConnectionEnd, 'statusCode' | 'conflict' | 'upgradeStatus'>): void {
    if (this.#ended) return
    const intent = this.#intent === undefined ? {} : { intent: this.#intent }
    this.#emit({ kind: 'closed', end: { ...facts, phase: this.#phase, ...intent, detail: '' } })
    this.#ended = true
    this.#gate.stop()
    this.#inbox.close()
    this.#hangUp()
    this.#closed.resolve()
  }

  #hangUp(): void {
    this.#deps.audit.closes(this.#deps.workerId, this.#request)
    this.#link.hangUp(this.#deps.thread.process.alive)
  }

  #emit(event: SocketEvent): void {
    if (!this.#ended) this.#listener.onEvent(event)
  }

  #pause(delayMs: number): { readonly promise: Promise<void>; readonly timer: Timer } {
    const { promise, resolve } = Promise.withResolvers<void>()
    return { promise, timer: this.#deps.thread.clock.after(delayMs, resolve) }
  }
}

/** As libsignal gives it: padded with its own length. */
function padded(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([...bytes, 1])
}

function nothing(): void {}
