import type { Connection } from '../../api/connections.ts'
import type { Answer, Body, Query } from '../contract.ts'
import type { Http } from '../http.ts'
import { everyItem } from '../pages.ts'

/** Linked devices. */
export class Connections {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  /** Starts pairing. The QR code comes as `whatsapp-qr` on the live API, or by `qr`. */
  create(connection: Body<'POST /connections'>): Promise<Connection> {
    return this.#http.request('POST /connections', { body: connection })
  }

  list(query: Query<'GET /connections'> = {}): Promise<Answer<'GET /connections'>> {
    return this.#http.request('GET /connections', { query })
  }

  /** All of them, page after page. */
  all(): AsyncGenerator<Connection, void> {
    return everyItem((next) => this.list({ next }))
  }

  get(connectionId: string): Promise<Connection> {
    return this.#http.request('GET /connections/{connectionId}', { params: { connectionId } })
  }

  /**
   * Changes what is named.
   *
   * @param options.version only while the connection has this version; else `precondition_failed`
   */
  update(
    connectionId: string,
    change: Body<'PATCH /connections/{connectionId}'>,
    options: { readonly version?: number } = {},
  ): Promise<Connection> {
    const { version } = options
    return this.#http.request('PATCH /connections/{connectionId}', {
      params: { connectionId },
      body: change,
      headers: { 'if-match': version === undefined ? undefined : `"${version}"` },
    })
  }

  /** The current QR code's text. */
  qr(connectionId: string): Promise<Answer<'GET /connections/{connectionId}/qr'>> {
    return this.#http.request('GET /connections/{connectionId}/qr', { params: { connectionId } })
  }

  pair(connectionId: string, pairing: Body<'POST /connections/{connectionId}/pair'> = {}): Promise<Connection> {
    return this.#http.request('POST /connections/{connectionId}/pair', { params: { connectionId }, body: pairing })
  }

  restart(connectionId: string): Promise<Connection> {
    return this.#http.request('POST /connections/{connectionId}/restart', { params: { connectionId }, body: {} })
  }

  /** Unlinks the device; the connection stays and can be paired again. */
  logout(connectionId: string): Promise<Connection> {
    return this.#http.request('POST /connections/{connectionId}/logout', { params: { connectionId }, body: {} })
  }

  delete(connectionId: string): Promise<Connection> {
    return this.#http.request('DELETE /connections/{connectionId}', { params: { connectionId } })
  }

  /** Shows in a chat that somebody is typing or recording, or has paused. */
  async setPresence(connectionId: string, presence: Body<'POST /connections/{connectionId}/presence'>): Promise<void> {
    await this.#http.request('POST /connections/{connectionId}/presence', {
      params: { connectionId },
      body: presence,
    })
  }
}
