/** A linked device over the model auth store and the simulated WhatsApp server, and the few words the tests say to it. */
import { authStates } from '../../../connector/auth/auth-states.ts'
import type { JournalSettings } from '../../../connector/auth/journal.ts'
import type {
  AuthState,
  AuthStates,
  ConnectionEnd,
  Holding,
  InboundMessage,
  Log,
  SendReceipt,
  ServerAck,
  SocketEvent,
  SocketListener,
  WhatsAppPort,
  WhatsAppSocket,
} from '../../../connector/ports.ts'
import { processClock, processRandom } from '../../../connector/process-clock.ts'
import { baileysWhatsApp } from '../../../connector/whatsapp/baileys.ts'
import { newIdentity } from '../../../connector/whatsapp/identity.ts'
import { startWhatsAppSimulator, type WhatsAppSimulator } from '../../../local/whatsapp/server.ts'
import type { MessageLookup } from '../../../shared/domain/stores/messages.ts'
import type { ConnectionRef, PairingMethod, SendContent } from '../../../shared/domain/words.ts'
import { type AuthCall, AuthTables, type Fate, modelAuthStore } from '../../simulation/models/auth.ts'

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
}

/** The simulator and what every device of a test shares. */
export class World {
  readonly simulator: WhatsAppSimulator
  readonly port: WhatsAppPort
  readonly tables = new AuthTables()
  /** What was sent, as the message rows would tell. */
  readonly sent: Map<string, SendContent>
  /** What the auth store does with a call; nothing told: it answers. */
  fate: (call: AuthCall) => Fate = () => ({ kind: 'answered' })

  private constructor(simulator: WhatsAppSimulator, port: WhatsAppPort, sent: Map<string, SendContent>) {
    this.simulator = simulator
    this.port = port
    this.sent = sent
  }

  /** A send is given up after half a minute, as in production, unless that is what the test is about. */
  static async start(
    options: { rootKey?: string; sendTimeoutMs?: number; messages?: MessageLookup } = {},
  ): Promise<World> {
    const simulator = await startWhatsAppSimulator({ port: 0 })
    const sent = new Map<string, SendContent>()
    const port = baileysWhatsApp({
      clock: processClock,
      sentContent: async (_ref, whatsappId) => sent.get(whatsappId),
      ...(options.messages && { messages: options.messages }),
      log: silentLog,
      settings: {
        url: simulator.url,
        rootKey: options.rootKey ?? simulator.rootPublicKeyHex,
        deviceName: 'Holdfast',
        sendTimeoutMs: options.sendTimeoutMs ?? 30_000,
      },
    })
    return new World(simulator, port, sent)
  }

  stop(): Promise<void> {
    return this.simulator.close()
  }

  states(settings: Partial<JournalSettings> = {}): AuthStates {
    const store = modelAuthStore(this.tables, { clock: processClock, fate: (call) => this.fate(call) })
    return authStates({ store, clock: processClock, random: processRandom, log: silentLog, newIdentity, settings })
  }

  async control<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(new URL(path, this.simulator.controlUrl), {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  phone(phoneNumber: string, settings: object = {}): Promise<unknown> {
    return this.control('POST', '/phones', { phoneNumber, ...settings })
  }

  /** A phone sends a text; resolves with WhatsApp's id of it. */
  async says(from: string, to: string, text: string): Promise<string> {
    return (await this.control<{ id: string }>('POST', `/phones/${from}/messages`, { to, text })).id
  }

  /** Resolves with the inbox's texts once it has this one. */
  async inbox(phone: string, text: string): Promise<{ id: string; text: string; arrivals: number }[]> {
    for (;;) {
      const { messages } = await this.control<{ messages: { id: string; text: string; arrivals: number }[] }>(
        'GET',
        `/phones/${phone}/inbox`,
      )
      if (messages.some((message) => message.text === text)) return messages
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  stats(): Promise<{ undecryptable: number; decryptFailures: number; resendsRequested: number }> {
    return this.control('GET', '/stats')
  }
}

/** Everything a socket told, with waiting for it. */
export class Told implements SocketListener {
  readonly events: SocketEvent[] = []
  readonly acks: ServerAck[] = []
  readonly receipts: SendReceipt[] = []
  readonly inbound: InboundMessage[] = []
  /** What the session's stores do before they answer. */
  onStore: (what: 'receipt' | 'inbound') => Promise<void> = () => Promise.resolve()
  readonly #checks = new Set<() => void>()

  onEvent(event: SocketEvent): void {
    this.events.push(event)
    this.#check()
  }

  async onAck(ack: ServerAck): Promise<void> {
    this.acks.push(ack)
    this.#check()
  }

  async onReceipt(receipt: SendReceipt): Promise<void> {
    this.receipts.push(receipt)
    this.#check()
    await this.onStore('receipt')
  }

  async onInbound(message: InboundMessage): Promise<void> {
    this.inbound.push(message)
    this.#check()
    await this.onStore('inbound')
  }

  until<T>(what: string, find: () => T | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = find()
        if (found === undefined || found === false) return
        clearTimeout(timeout)
        this.#checks.delete(check)
        resolve(found)
      }
      const timeout = setTimeout(
        () => reject(new Error(`never came: ${what}; events: ${JSON.stringify(this.events)}`)),
        40_000,
      )
      this.#checks.add(check)
      check()
    })
  }

  event<K extends SocketEvent['kind']>(kind: K): Promise<Extract<SocketEvent, { kind: K }>> {
    return this.until(kind, () =>
      this.events.find((event): event is Extract<SocketEvent, { kind: K }> => event.kind === kind),
    )
  }

  async closed(): Promise<ConnectionEnd> {
    return (await this.event('closed')).end
  }

  text(body: string): Promise<InboundMessage> {
    return this.until(`inbound "${body}"`, () =>
      this.inbound.find(({ content }) => content.type === 'text' && content.text.body === body),
    )
  }

  #check(): void {
    for (const check of [...this.#checks]) check()
  }
}

export interface TestHolding extends Holding {
  /** The lease is over from here on. */
  lose(): void
}

export function holdingOf(epoch: number): TestHolding {
  let held = true
  const lose = (): void => {
    held = false
  }
  return { partition: 0, epoch, held: () => held, fenced: lose, lose }
}

/** One linked connection: its state, its socket, and its next owners. */
export class Device {
  readonly world: World
  readonly ref: ConnectionRef
  readonly phoneNumber: string
  epoch = 1
  holding = holdingOf(1)
  states: AuthStates
  state!: AuthState
  socket!: WhatsAppSocket
  told = new Told()

  constructor(world: World, phoneNumber: string) {
    this.world = world
    this.phoneNumber = phoneNumber
    this.ref = { businessProfileId: 'bp_test', connectionId: `con_${phoneNumber}` }
    this.states = world.states()
  }

  /** Creates the phone, links the device and opens it. */
  static async linked(world: World, phoneNumber: string, method: PairingMethod = 'qr'): Promise<Device> {
    const device = new Device(world, phoneNumber)
    await world.phone(phoneNumber)
    await device.pair(method)
    await device.open()
    return device
  }

  async create(): Promise<AuthState> {
    const created = await this.states.create(this.ref, this.holding)
    if (created.kind !== 'created') throw new Error(`not created: ${created.kind}`)
    this.state = created.state
    return created.state
  }

  /** Until the socket's end after pair-success (515). */
  async pair(method: PairingMethod = 'qr'): Promise<ConnectionEnd> {
    await this.create()
    this.told = new Told()
    const pairing = { method, phoneNumber: `+${this.phoneNumber}` }
    this.socket = this.world.port.open({ ref: this.ref, state: this.state, holding: this.holding, pairing }, this.told)
    if (method === 'qr') {
      const { text } = await this.told.event('qr')
      await this.world.control('POST', `/phones/${this.phoneNumber}/scan`, { qr: text })
    } else {
      const { code } = await this.told.event('pairing_code')
      await this.world.control('POST', `/phones/${this.phoneNumber}/pairing-code`, { code })
    }
    return this.told.closed()
  }

  /** A new socket over the same state, until it is open. */
  async open(told = new Told()): Promise<void> {
    this.connect(told)
    await this.told.event('open')
  }

  connect(told = new Told()): void {
    this.told = told
    this.socket = this.world.port.open({ ref: this.ref, state: this.state, holding: this.holding }, told)
  }

  /** The worker is gone from one instant to the next: nothing more is written, nothing in memory remains. */
  crash(): void {
    this.holding.lose()
    this.socket.terminate('lease')
    void this.state.close('abandon')
  }

  /** A new owner loads what is stored. */
  async restore(settings: Partial<JournalSettings> = {}): Promise<void> {
    this.epoch += 1
    this.holding = holdingOf(this.epoch)
    this.states = this.world.states(settings)
    const outcome = await this.states.load(this.ref, this.holding)
    if (outcome.kind !== 'loaded') throw new Error(`not loaded: ${outcome.kind}`)
    this.state = outcome.state
  }

  send(id: string, to: string, body: string) {
    const content: SendContent = { type: 'text', text: { body } }
    this.world.sent.set(id, content)
    return this.socket.send(id, `${to}@s.whatsapp.net`, content)
  }
}
