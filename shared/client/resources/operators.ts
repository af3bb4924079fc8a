import type { Answer, Body, Query } from '../contract.ts'
import type { Http } from '../http.ts'

type QueueName = Answer<'GET /admin/dead-letters'>['items'][number]['queue']

/** For who runs the service: needs the admin key. */
export class Operators {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  /** Who holds what: workers with their load and restores, partitions with owner and epoch. */
  fleet(): Promise<Answer<'GET /admin/fleet'>> {
    return this.#http.request('GET /admin/fleet')
  }

  /** How many messages could not be done, queue by queue. */
  async deadLetterQueues(): Promise<Answer<'GET /admin/dead-letters'>['items']> {
    return (await this.#http.request('GET /admin/dead-letters')).items
  }

  /** Some of a queue's messages, which stay there. */
  async deadLetters(
    queue: QueueName,
    query: Query<'GET /admin/dead-letters/{queue}/messages'> = {},
  ): Promise<Answer<'GET /admin/dead-letters/{queue}/messages'>['items']> {
    return (await this.#http.request('GET /admin/dead-letters/{queue}/messages', { params: { queue }, query })).items
  }

  /** Puts messages back where they came from; tells what became of each. */
  async redrive(
    queue: QueueName,
    ids: Body<'POST /admin/dead-letters/{queue}/redrive'>['ids'],
  ): Promise<Answer<'POST /admin/dead-letters/{queue}/redrive'>['items']> {
    const call = 'POST /admin/dead-letters/{queue}/redrive'
    return (await this.#http.request(call, { params: { queue }, body: { ids } })).items
  }

  /** Deletes messages: what they asked for is not done. */
  async drop(
    queue: QueueName,
    ids: Body<'POST /admin/dead-letters/{queue}/drop'>['ids'],
  ): Promise<Answer<'POST /admin/dead-letters/{queue}/drop'>['items']> {
    const call = 'POST /admin/dead-letters/{queue}/drop'
    return (await this.#http.request(call, { params: { queue }, body: { ids } })).items
  }
}
