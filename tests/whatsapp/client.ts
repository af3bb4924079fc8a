/** Unmodified Baileys with its auth state in memory, and the few words that these tests say to it and to the simulator. */

import type { Agent } from 'node:https'
import {
  type AuthenticationState,
  BufferJSON,
  type ConnectionState,
  initAuthCreds,
  makeWASocket,
  type proto,
  type SignalDataTypeMap,
  WA_CERT_DETAILS,
  type WAMessage,
  type WASocket,
} from '@whiskeysockets/baileys'
import { pino } from 'pino'
import type { InboxMessage } from '../../local/whatsapp/inbox.ts'
import {
  startWhatsAppSimulator,
  type WhatsAppSimulator,
  type WhatsAppSimulatorOptions,
} from '../../local/whatsapp/server.ts'

/** libsignal prints sessions with their private keys through the console. */
export function silenceLibsignal(): void {
  for (const method of ['log', 'info', 'warn', 'error'] as const) console[method] = () => undefined
}

export interface MemoryAuth {
  state: AuthenticationState
  /** All stored keys, by kind and id. */
  keys: Map<string, unknown>
}

export function memoryAuth(): MemoryAuth {
  const keys = new Map<string, unknown>()
  const copy = (value: unknown): unknown => JSON.parse(JSON.stringify(value, BufferJSON.replacer), BufferJSON.reviver)
  return {
    keys,
    state: {
      creds: initAuthCreds(),
      keys: {
        get: async <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) => {
          const found: { [id: string]: SignalDataTypeMap[T] } = {}
          for (const id of ids) {
            const value = keys.get(`${type} ${id}`)
            if (value !== undefined) found[id] = copy(value) as SignalDataTypeMap[T]
          }
          return found
        },
        set: async (data) => {
          for (const [type, entries] of Object.entries(data)) {
            for (const [id, value] of Object.entries(entries ?? {})) {
              if (value === null || value === undefined) keys.delete(`${type} ${id}`)
              else keys.set(`${type} ${id}`, copy(value))
            }
          }
        },
      },
    },
  }
}

export interface Ended {
  /** What Baileys reports in `lastDisconnect`. */
  statusCode: number | undefined
  data: unknown
}

export interface ClientOptions {
  keepAliveIntervalMs?: number
  connectTimeoutMs?: number
  retryRequestDelayMs?: number
  shouldSyncHistoryMessage?: () => boolean
  fetchAgent?: Agent
}

/** One Baileys socket, with everything that it reported so far. */
export class Client {
  readonly socket: WASocket
  readonly auth: MemoryAuth
  readonly received: WAMessage[] = []
  /** Status by message id, in the order of the updates. */
  readonly statuses = new Map<string, number[]>()
  /** What the server said to a message: `undefined` is an ack without an error. */
  readonly acks = new Map<string, string | undefined>()
  /** `delivered`, `read`, … by message id, as they came over the wire: Baileys merges updates that follow closely. */
  readonly receipts = new Map<string, string[]>()
  /** `read 123@lid`, … by message id: what members of a group said. */
  readonly #participantReceipts = new Map<string, string[]>()
  readonly upgradeStatuses: number[] = []
  readonly #states: Partial<ConnectionState>[] = []
  readonly #sent = new Map<string, proto.IMessage>()
  readonly #checks = new Set<() => void>()

  constructor(url: string, auth: MemoryAuth, sent = new Map<string, proto.IMessage>(), options: ClientOptions = {}) {
    this.auth = auth
    this.#sent = sent
    this.socket = makeWASocket({
      waWebSocketUrl: url,
      auth: auth.state,
      logger: pino({ level: 'silent' }),
      shouldSyncHistoryMessage: () => false,
      emitOwnEvents: false,
      syncFullHistory: false,
      markOnlineOnConnect: false,
      retryRequestDelayMs: 1,
      getMessage: async ({ id }) => this.#sent.get(id ?? ''),
      ...options,
    })
    const { ev, ws } = this.socket
    ev.on('creds.update', (update) => Object.assign(auth.state.creds, update))
    ev.on('connection.update', (state) => this.#note(() => this.#states.push(state)))
    ev.on('messages.upsert', ({ messages }) => this.#note(() => this.received.push(...messages)))
    ev.on('messages.update', (updates) =>
      this.#note(() => {
        for (const { key, update } of updates) {
          if (update.status === undefined || update.status === null) continue
          this.statuses.set(key.id ?? '', [...(this.statuses.get(key.id ?? '') ?? []), update.status])
        }
      }),
    )
    ws.on('CB:ack,class:message', ({ attrs }: { attrs: Record<string, string> }) =>
      this.#note(() => this.acks.set(attrs.id ?? '', attrs.error)),
    )
    ws.on('CB:receipt', ({ attrs }: { attrs: Record<string, string> }) =>
      this.#note(() => {
        const id = attrs.id ?? ''
        this.receipts.set(id, [...(this.receipts.get(id) ?? []), attrs.type ?? 'delivered'])
        const { participant } = attrs
        if (participant === undefined) return
        const said = `${attrs.type ?? 'delivered'} ${participant}`
        this.#participantReceipts.set(id, [...(this.#participantReceipts.get(id) ?? []), said])
      }),
    )
    ws.on('unexpected-response', (_request: unknown, response: { statusCode?: number }) =>
      this.#note(() => this.upgradeStatuses.push(response.statusCode ?? 0)),
    )
  }

  /** Resolves as soon as the condition gives a value; looked at after everything that the socket reports. */
  async until<T>(what: string, condition: () => T | undefined | false): Promise<T> {
    const now = condition()
    if (now !== undefined && now !== false) return now
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const value = condition()
        if (value === undefined || value === false) return
        this.#checks.delete(check)
        clearTimeout(timeout)
        resolve(value)
      }
      const timeout = setTimeout(() => reject(new Error(`the client never saw: ${what}`)), 30_000)
      this.#checks.add(check)
    })
  }

  opened(): Promise<true> {
    return this.until('open', () => this.#states.some(({ connection }) => connection === 'open') || undefined)
  }

  caughtUp(): Promise<true> {
    return this.until(
      'end of the backlog',
      () => this.#states.some((each) => each.receivedPendingNotifications) || undefined,
    )
  }

  /** The phone's first messages are received, so that nothing of them is left for a later login. */
  history(): Promise<unknown> {
    return this.until('the first history', () =>
      this.received.find(({ message }) => message?.protocolMessage?.historySyncNotification),
    )
  }

  qr(): Promise<string> {
    return this.until('a QR code', () => this.#states.findLast(({ qr }) => qr)?.qr)
  }

  closed(): Promise<Ended> {
    return this.until('close', () => {
      const state = this.#states.find(({ connection }) => connection === 'close')
      if (!state) return undefined
      const error = state.lastDisconnect?.error as { output?: { statusCode: number }; data?: unknown } | undefined
      return { statusCode: error?.output?.statusCode, data: error?.data }
    })
  }

  async sendText(phoneNumber: string, text: string, messageId?: string): Promise<string> {
    if (messageId !== undefined) this.#sent.set(messageId, { conversation: text })
    const options = messageId === undefined ? {} : { messageId }
    const sent = await this.socket.sendMessage(`${phoneNumber}@s.whatsapp.net`, { text }, options)
    const id = sent?.key.id ?? ''
    if (sent?.message) this.#sent.set(id, sent.message)
    return id
  }

  async sendToGroup(group: string, text: string): Promise<string> {
    const sent = await this.socket.sendMessage(group, { text })
    const id = sent?.key.id ?? ''
    if (sent?.message) this.#sent.set(id, sent.message)
    return id
  }

  participantReceipts(id: string): string[] {
    return this.#participantReceipts.get(id) ?? []
  }

  acknowledged(id: string): Promise<{ error: string | undefined }> {
    return this.until(`an ack for ${id}`, () => (this.acks.has(id) ? { error: this.acks.get(id) } : undefined))
  }

  reached(id: string, status: number): Promise<true> {
    return this.until(`status ${status} of ${id}`, () => this.statuses.get(id)?.includes(status) || undefined)
  }

  /** The texts received, in order. */
  get texts(): string[] {
    return this.received.map(textOf).filter((text) => text !== undefined)
  }

  text(text: string): Promise<WAMessage> {
    return this.until(`the message "${text}"`, () => this.received.find((each) => textOf(each) === text))
  }

  message(id: string): Promise<WAMessage> {
    return this.until(`the message ${id}`, () => this.received.find(({ key }) => key.id === id))
  }

  /** Resolves when the server has handled all that was sent before. */
  ping(): Promise<unknown> {
    return this.socket.query({ tag: 'iq', attrs: { to: '@s.whatsapp.net', type: 'get', xmlns: 'w:p' } })
  }

  /** A new socket on the same auth state, as after a restart. */
  again(url: string, options: ClientOptions = {}): Client {
    return new Client(url, this.auth, this.#sent, options)
  }

  /** Ends the TCP connection without a word, as a killed process does. */
  kill(): void {
    const socket = (this.socket.ws as unknown as { socket: { terminate(): void } | null }).socket
    socket?.terminate()
  }

  async stop(): Promise<void> {
    await this.socket.end(undefined).catch(() => undefined)
  }

  #note(fact: () => void): void {
    fact()
    for (const check of [...this.#checks]) check()
  }
}

export function textOf({ message }: WAMessage): string | undefined {
  return message?.conversation ?? message?.extendedTextMessage?.text ?? undefined
}

export interface InboxView {
  messages: InboxMessage[]
  undecryptable: { id: string; reason: string; failures: number; resolved: boolean }[]
}

/** The simulator with its control API in words. */
export class Simulation {
  readonly server: WhatsAppSimulator
  readonly #clients: Client[] = []

  private constructor(server: WhatsAppSimulator) {
    this.server = server
    WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(server.rootPublicKeyHex, 'hex')
  }

  static async start(options: Partial<WhatsAppSimulatorOptions> = {}): Promise<Simulation> {
    silenceLibsignal()
    return new Simulation(await startWhatsAppSimulator({ port: 0, ...options }))
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.stop()))
    await this.server.close()
  }

  async call<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
    const response = await fetch(`${this.server.controlUrl}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    const text = await response.text()
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T }
  }

  async phone(phoneNumber: string, settings: Record<string, unknown> = {}): Promise<string> {
    await this.call('POST', '/phones', { phoneNumber, ...settings })
    return phoneNumber
  }

  client(auth = memoryAuth(), options: ClientOptions = {}): Client {
    return this.track(new Client(this.server.url, auth, undefined, options))
  }

  again(client: Client, options: ClientOptions = {}): Client {
    return this.track(client.again(this.server.url, options))
  }

  track(client: Client): Client {
    this.#clients.push(client)
    return client
  }

  /** Links a device by QR and brings it online. */
  async linked(phoneNumber: string, options: ClientOptions = {}): Promise<Client> {
    const pairing = this.client()
    await this.scan(phoneNumber, await pairing.qr())
    await pairing.closed()
    const client = this.again(pairing, options)
    await client.opened()
    await client.caughtUp()
    await client.history()
    return client
  }

  scan(phoneNumber: string, qr: string) {
    return this.call<{ device: string; code?: string }>('POST', `/phones/${phoneNumber}/scan`, { qr })
  }

  async fault(request: Record<string, unknown>): Promise<string> {
    const { status, body } = await this.call<{ id: string }>('POST', '/faults', request)
    if (status !== 201) throw new Error(`fault refused: ${JSON.stringify(body)}`)
    return body.id
  }

  async send(from: string, to: string, text: string): Promise<string> {
    const { body } = await this.call<{ id: string }>('POST', `/phones/${from}/messages`, { to, text })
    return body.id
  }

  /** Any kind of message from a phone; fails with the problem that the simulator tells. */
  async sendMessage(from: string, request: Record<string, unknown>): Promise<{ id: string }> {
    const { status, body } = await this.call<{ id: string }>('POST', `/phones/${from}/messages`, request)
    if (status !== 201) throw new Error(`not sent: ${JSON.stringify(body)}`)
    return body
  }

  /** The name under which the control API knows what lies at a direct path. */
  mediumId(directPath: string | null | undefined): string {
    return /([\w.-]+)\.enc/.exec(directPath ?? '')?.[1] ?? ''
  }

  async inbox(phoneNumber: string, count = 0): Promise<InboxView> {
    const wait = count > 0 ? `?wait=20&count=${count}` : ''
    return (await this.call<InboxView>('GET', `/phones/${phoneNumber}/inbox${wait}`)).body
  }

  async stats() {
    return (await this.call<Record<string, never>>('GET', '/stats')).body as unknown as {
      [counter: string]: number
    } & { devices: Record<string, { open: number; maxOpen: number; logins: number }>; messages: Record<string, number> }
  }
}
