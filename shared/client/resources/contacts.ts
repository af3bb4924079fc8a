import type { Answer } from '../contract.ts'
import type { Http } from '../http.ts'
import { type OperationOptions, operationHeaders, waitHeader } from './operations.ts'

type Waiting = Pick<OperationOptions, 'waitSeconds'>

/** People on WhatsApp. Every call gives an operation; `resultOf` takes the answer out of it. */
export class Contacts {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  /** Which of up to 100 phone numbers are on WhatsApp. */
  check(
    connectionId: string,
    phoneNumbers: string[],
    options: OperationOptions = {},
  ): Promise<Answer<'POST /connections/{connectionId}/contacts/check'>> {
    return this.#http.request('POST /connections/{connectionId}/contacts/check', {
      params: { connectionId },
      body: { phoneNumbers },
      headers: operationHeaders(options),
    })
  }

  /** About text and picture, as far as the contact shows them. */
  get(
    connectionId: string,
    contact: string,
    options: Waiting = {},
  ): Promise<Answer<'GET /connections/{connectionId}/contacts/{contact}'>> {
    return this.#http.request('GET /connections/{connectionId}/contacts/{contact}', {
      params: { connectionId, contact },
      headers: waitHeader(options),
    })
  }

  /** `presence` events come on the WebSocket until the connection is opened anew. */
  followPresence(
    connectionId: string,
    contact: string,
    options: OperationOptions = {},
  ): Promise<Answer<'POST /connections/{connectionId}/contacts/{contact}/presence'>> {
    return this.#http.request('POST /connections/{connectionId}/contacts/{contact}/presence', {
      params: { connectionId, contact },
      body: {},
      headers: operationHeaders(options),
    })
  }

  listBlocked(
    connectionId: string,
    options: Waiting = {},
  ): Promise<Answer<'GET /connections/{connectionId}/blocked-contacts'>> {
    return this.#http.request('GET /connections/{connectionId}/blocked-contacts', {
      params: { connectionId },
      headers: waitHeader(options),
    })
  }

  block(
    connectionId: string,
    contact: string,
    options: OperationOptions = {},
  ): Promise<Answer<'POST /connections/{connectionId}/blocked-contacts'>> {
    return this.#http.request('POST /connections/{connectionId}/blocked-contacts', {
      params: { connectionId },
      body: { contact },
      headers: operationHeaders(options),
    })
  }

  unblock(
    connectionId: string,
    contact: string,
    options: OperationOptions = {},
  ): Promise<Answer<'DELETE /connections/{connectionId}/blocked-contacts/{contact}'>> {
    return this.#http.request('DELETE /connections/{connectionId}/blocked-contacts/{contact}', {
      params: { connectionId, contact },
      headers: operationHeaders(options),
    })
  }
}
