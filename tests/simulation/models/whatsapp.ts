/**
 * WhatsApp as a session sees it: sockets that open or are refused, acknowledge, fall silent and end. A device belongs to one
 * connection; a message that arrives twice under one id is shown once, and counted twice.
 */
import type {
  Clock,
  ConnectionEnd,
  HandOver,
  InboundMessage,
  OpenRequest,
  OperationAnswer,
  Prepared,
  SendReceipt,
  SocketEvent,
  SocketListener,
  WhatsAppPort,
  WhatsAppSocket,
} from '../../../connector/ports.ts'
import type { OperationRequest } from '../../../shared/domain/operations.ts'
import type { ConnectionRef } from '../../../shared/domain/words.ts'
import { ModelAuthState, type ModelAuthStates } from './auth-states.ts'
import { keyOf } from './network.ts'

type EndFacts = Omit<ConnectionEnd, 'phase' | 'detail'>

/** What becomes of one opening. */
export type Opening =
  | 'open'
  /** Nothing ever comes. */
  | 'silent'
  /** Ends in this way instead of opening. */
  | EndFacts

export interface Device {
  /** For the next openings, one each; then `always`. */
  readonly next: Opening[]
  always: Opening
  /** `none`: swallowed; a string: refused with that error code. */
  acks: 'good' | 'none' | string
  /** Answers to probes. */
  answers: boolean
  handOver: HandOver | undefined
  /** Carries out what is asked; until it does, the socket's end answers. */
  operate: (request: OperationRequest) => Promise<OperationAnswer>
  /** Operations as they arrived, repeats included. */
  readonly operated: OperationRequest[]
  /** Ids as they arrived, repeats included. */
  readonly arrived: string[]
  /** When sockets were opened, by `clock.monotonic()`. */
  readonly openings: number[]
  unlinked: boolean
}

export class ModelWhatsApp {
  readonly #clock: Clock
  readonly #states: ModelAuthStates
  readonly #devices = new Map<string, Device>()
  readonly #sockets = new Map<string, Set<ModelSocket>>()
  /** Set: every opening ends so, of every device. */
  away: EndFacts | undefined
  latencyMs = 50
  ackMs = 20
  /** JIDs of people, each person's together. */
  readonly people: (readonly string[])[] = []
  /** What was shown in chats before messages. */
  readonly presences: string[] = []
  /** How long media play. */
  seconds: number | undefined
  /** Most sockets of one device at a time, ever. */
  socketsAtOnceMax = 0
  /** Not even the upgrade succeeds. */
  unreachable = false
  /** When it was asked whether WhatsApp can be reached. */
  readonly asked: number[] = []
  /** When logins began, of all devices. */
  readonly logins: number[] = []

  constructor(clock: Clock, states: ModelAuthStates) {
    this.#clock = clock
    this.#states = states
  }

  device(ref: ConnectionRef): Device {
    const device = this.#devices.get(keyOf(ref)) ?? {
      next: [],
      always: 'open' as const,
      acks: 'good' as const,
      answers: true,
      handOver: undefined,
      operate: async () => ({ kind: 'done', result: { contacts: [] } }),
      operated: [],
      arrived: [],
      openings: [],
      unlinked: false,
    }
    this.#devices.set(keyOf(ref), device)
    return device
  }

  forWorker(): WhatsAppPort {
    return {
      open: (request, listener) => {
        const device = this.device(request.ref)
        const sockets = this.#sockets.get(keyOf(request.ref)) ?? new Set()
        this.#sockets.set(keyOf(request.ref), sockets)
        const socket = new ModelSocket(this, this.#clock, device, request, listener, () => sockets.delete(socket))
        sockets.add(socket)
        this.socketsAtOnceMax = Math.max(this.socketsAtOnceMax, sockets.size)
        device.openings.push(this.#clock.monotonic())
        this.logins.push(this.#clock.monotonic())
        const opening = this.away ?? device.next.shift() ?? device.always
        this.#clock.after(this.latencyMs, () => socket.begin(opening))
        return socket
      },
    }
  }

  async reachable(): Promise<boolean> {
    this.asked.push(this.#clock.monotonic())
    return !this.unreachable
  }

  /** The live socket of a device, for what the server or the phone does to it. */
  socket(ref: ConnectionRef): ModelSocket {
    const [socket] = this.#sockets.get(keyOf(ref)) ?? []
    if (socket === undefined) throw new Error(`no socket: ${ref.connectionId}`)
    return socket
  }

  isOpen(ref: ConnectionRef): boolean {
    return [...(this.#sockets.get(keyOf(ref)) ?? [])].some((socket) => socket.phase === 'open')
  }

  /** Ends the sockets of all devices in one moment. */
  dropAll(end: EndFacts = { statusCode: 428 }): void {
    for (const sockets of this.#sockets.values()) for (const socket of [...sockets]) socket.end(end)
  }

  /** The phone scans what is shown. */
  scan(ref: ConnectionRef, phoneNumber = '+94714515253'): void {
    const socket = this.socket(ref)
    this.#states.paired(socket.request.state)
    const jid = `${phoneNumber.slice(1)}:7@s.whatsapp.net`
    socket.tell({ kind: 'paired', jid, lid: '1:7@lid', phoneNumber })
    socket.end({ statusCode: 515 })
  }
}

export class ModelSocket implements WhatsAppSocket {
  readonly request: OpenRequest
  readonly listener: SocketListener
  readonly #whatsapp: ModelWhatsApp
  readonly #clock: Clock
  readonly #device: Device
  readonly #gone: () => void
  readonly #over = Promise.withResolvers<OperationAnswer>()
  phase: ConnectionEnd['phase'] | 'ended' = 'connecting'

  constructor(
    whatsapp: ModelWhatsApp,
    clock: Clock,
    device: Device,
    request: OpenRequest,
    listener: SocketListener,
    gone: () => void,
  ) {
    this.#whatsapp = whatsapp
    this.#clock = clock
    this.#device = device
    this.request = request
    this.listener = listener
    this.#gone = gone
  }

  begin(opening: Opening): void {
    if (this.phase === 'ended' || opening === 'silent') return
    if (opening !== 'open') {
      this.phase = this.request.state.registered ? 'logging_in' : 'pairing'
      this.end(opening)
      return
    }
    if (!this.request.state.registered) {
      this.phase = 'pairing'
      const code = this.request.pairing?.method === 'code'
      this.tell(
        code
          ? { kind: 'pairing_code', code: 'ABCD1234', expiresInMs: 180_000 }
          : { kind: 'qr', text: 'https://wa.me/settings/linked_devices#1', expiresInMs: 60_000 },
      )
      return
    }
    this.phase = 'open'
    this.tell({ kind: 'open', jid: '94714515253:7@s.whatsapp.net', lid: '1:7@lid' })
  }

  tell(event: SocketEvent): void {
    this.listener.onEvent(event)
  }

  end(facts: EndFacts): void {
    if (this.phase === 'ended') return
    const phase = this.phase
    this.phase = 'ended'
    this.#over.resolve({ kind: 'unknown', why: 'the socket ended' })
    this.#gone()
    this.tell({ kind: 'closed', end: { ...facts, phase, detail: 'model' } })
  }

  receive(message: InboundMessage): Promise<void> {
    return this.listener.onInbound(message)
  }

  receipt(receipt: SendReceipt): Promise<void> {
    return this.listener.onReceipt(receipt)
  }

  idsOf(chat: string): readonly string[] {
    return this.#whatsapp.people.find((ids) => ids.includes(chat)) ?? [chat]
  }

  show(presence: 'typing' | 'recording'): void {
    this.#whatsapp.presences.push(presence)
  }

  async prepare(): Promise<Prepared> {
    const { seconds } = this.#whatsapp
    return { kind: 'ready', ...(seconds !== undefined && { seconds }) }
  }

  async send(whatsappId: string): Promise<HandOver> {
    if (this.phase !== 'open') return { kind: 'not_sent', why: 'the socket is not open' }
    if (!this.request.holding.held()) return { kind: 'not_sent', why: 'the lease is not held' }
    const { state } = this.request
    const answer = this.#device.handOver ?? { kind: 'handed_over' }
    if (answer.kind !== 'handed_over' && answer.kind !== 'unknown') return answer
    if (state instanceof ModelAuthState) state.attempt(whatsappId)
    this.#device.arrived.push(whatsappId)
    const { acks } = this.#device
    if (acks !== 'none') {
      this.#clock.after(this.#whatsapp.ackMs, () => {
        if (this.phase !== 'open') return
        this.listener.onAck(acks === 'good' ? { whatsappId } : { whatsappId, error: acks }).catch(() => undefined)
      })
    }
    return answer
  }

  async operate(request: OperationRequest): Promise<OperationAnswer> {
    if (this.phase !== 'open') return { kind: 'not_done', why: 'the socket is not open' }
    this.#device.operated.push(request)
    return Promise.race([this.#device.operate(request), this.#over.promise])
  }

  probe(timeoutMs: number): Promise<boolean> {
    const answers = this.#device.answers && this.phase === 'open'
    return new Promise((resolve) => {
      this.#clock.after(answers ? this.#whatsapp.ackMs : timeoutMs, () => resolve(answers))
    })
  }

  async logout(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.after(this.#whatsapp.ackMs, resolve))
    this.#device.unlinked = true
    this.end({ intent: 'logout', statusCode: 401 })
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.after(this.#whatsapp.ackMs, resolve))
    this.end({ intent: 'closed_by_us' })
  }

  terminate(intent: NonNullable<ConnectionEnd['intent']>): void {
    this.end({ intent })
  }
}
