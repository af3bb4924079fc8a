import type { z } from 'zod'
import type { Connection } from '../api/connections.ts'
import type { AcceptedMessage, Message } from '../api/messages.ts'
import type { routes } from '../api/routes.ts'
import { type CallApi, type HttpOptions, httpCaller } from './http.ts'
import { Live, type LiveOptions } from './live.ts'

type Body<Operation extends keyof typeof routes> = (typeof routes)[Operation] extends { readonly body: infer Schema }
  ? Schema extends z.ZodType
    ? z.input<Schema>
    : never
  : never

export interface Page<T> {
  readonly items: readonly T[]
  /** Give it to the next call; absent on the last page. */
  readonly next?: string
}

export interface PageOptions {
  readonly limit?: number
  readonly next?: string
}

export interface ClientOptions extends HttpOptions, Partial<LiveOptions> {}

/** A typed client of Holdfast's REST and live API, for browsers and Node. Errors are `ProblemError`. */
export class HoldfastClient {
  readonly connections: Connections
  readonly messages: Messages
  readonly #live: Live | undefined

  constructor(options: ClientOptions) {
    const call = httpCaller(options)
    this.connections = new Connections(call)
    this.messages = new Messages(call)
    const { liveUrl } = options
    this.#live = liveUrl === undefined ? undefined : new Live(call, { ...options, liveUrl })
  }

  /** Throws when the client was made without `liveUrl`. */
  get live(): Live {
    if (this.#live === undefined) throw new Error('liveUrl: give it to the client to use the live API')
    return this.#live
  }
}

class Connections {
  readonly #call: CallApi
  constructor(call: CallApi) {
    this.#call = call
  }

  create(connection: Body<'createConnection'>): Promise<Connection> {
    return this.#call({ method: 'POST', path: ['connections'], body: connection })
  }

  list(options: PageOptions = {}): Promise<Page<Connection>> {
    return this.#call({ method: 'GET', path: ['connections'], query: { ...options } })
  }

  get(connectionId: string): Promise<Connection> {
    return this.#call({ method: 'GET', path: ['connections', connectionId] })
  }

  /** The current QR code's text. */
  qr(connectionId: string): Promise<{ readonly qr: string; readonly expiresAt: string }> {
    return this.#call({ method: 'GET', path: ['connections', connectionId, 'qr'] })
  }

  pair(connectionId: string, pairing: Body<'pairConnection'> = {}): Promise<Connection> {
    return this.#call({ method: 'POST', path: ['connections', connectionId, 'pair'], body: pairing })
  }

  restart(connectionId: string): Promise<Connection> {
    return this.#call({ method: 'POST', path: ['connections', connectionId, 'restart'] })
  }

  logout(connectionId: string): Promise<Connection> {
    return this.#call({ method: 'POST', path: ['connections', connectionId, 'logout'] })
  }

  delete(connectionId: string): Promise<Connection> {
    return this.#call({ method: 'DELETE', path: ['connections', connectionId] })
  }
}

class Messages {
  readonly #call: CallApi
  constructor(call: CallApi) {
    this.#call = call
  }

  /** The same `idempotencyKey` and message again give the same answer and no second message. */
  send(
    connectionId: string,
    message: Body<'sendMessage'>,
    options: { readonly idempotencyKey?: string } = {},
  ): Promise<AcceptedMessage> {
    const { idempotencyKey } = options
    return this.#call({
      method: 'POST',
      path: ['connections', connectionId, 'messages'],
      body: message,
      ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }),
    })
  }

  get(connectionId: string, messageId: string): Promise<Message> {
    return this.#call({ method: 'GET', path: ['connections', connectionId, 'messages', messageId] })
  }

  /** Both directions, newest first. */
  list(connectionId: string, options: PageOptions = {}): Promise<Page<Message>> {
    return this.#call({ method: 'GET', path: ['connections', connectionId, 'messages'], query: { ...options } })
  }
}
