import type { AcceptedMessage, Message } from '../../api/messages.ts'
import type { Answer, Body, Query } from '../contract.ts'
import type { Http } from '../http.ts'
import { everyItem } from '../pages.ts'

/** Messages of one connection, in both directions. */
export class Messages {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  /** The same `idempotencyKey` and message again give the same answer and no second message. */
  send(
    connectionId: string,
    message: Body<'POST /connections/{connectionId}/messages'>,
    options: { readonly idempotencyKey?: string } = {},
  ): Promise<AcceptedMessage> {
    return this.#http.request('POST /connections/{connectionId}/messages', {
      params: { connectionId },
      body: message,
      headers: { 'idempotency-key': options.idempotencyKey },
    })
  }

  get(connectionId: string, messageId: string): Promise<Message> {
    return this.#http.request('GET /connections/{connectionId}/messages/{messageId}', {
      params: { connectionId, messageId },
    })
  }

  /** Newest first. */
  list(
    connectionId: string,
    query: Query<'GET /connections/{connectionId}/messages'> = {},
  ): Promise<Answer<'GET /connections/{connectionId}/messages'>> {
    return this.#http.request('GET /connections/{connectionId}/messages', { params: { connectionId }, query })
  }

  /** All that the filter lets through, newest first, page after page. */
  all(
    connectionId: string,
    filter: Omit<Query<'GET /connections/{connectionId}/messages'>, 'next'> = {},
  ): AsyncGenerator<Message, void> {
    return everyItem((next) => this.list(connectionId, { ...filter, next }))
  }

  /** Cancels a send that waits and of which nothing may have left; else `not_cancellable`. */
  cancel(connectionId: string, messageId: string): Promise<Message> {
    return this.#http.request('DELETE /connections/{connectionId}/messages/{messageId}', {
      params: { connectionId, messageId },
    })
  }

  /** Tells the sender of a received message that it was read. */
  async markRead(connectionId: string, messageId: string): Promise<void> {
    await this.#http.request('POST /connections/{connectionId}/messages/{messageId}/read', {
      params: { connectionId, messageId },
      body: {},
    })
  }
}
