import type { Answer, Body, Query } from '../contract.ts'
import type { Http } from '../http.ts'
import { everyItem } from '../pages.ts'

type WebhookShown = Answer<'GET /webhooks/{webhookId}'>
type Delivery = Answer<'GET /webhooks/{webhookId}/deliveries'>['items'][number]
type DeadLetter = Answer<'GET /webhooks/{webhookId}/dead-letters'>['items'][number]

/** Endpoints that events are posted to. What comes in there is checked by `verifyWebhook`. */
export class Webhooks {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  /** The answer holds the signing secret, this once. */
  create(webhook: Body<'POST /webhooks'>): Promise<Answer<'POST /webhooks'>> {
    return this.#http.request('POST /webhooks', { body: webhook })
  }

  async list(): Promise<readonly WebhookShown[]> {
    return (await this.#http.request('GET /webhooks')).items
  }

  get(webhookId: string): Promise<WebhookShown> {
    return this.#http.request('GET /webhooks/{webhookId}', { params: { webhookId } })
  }

  /** @param version where given, only if the webhook still has it */
  update(webhookId: string, change: Body<'PATCH /webhooks/{webhookId}'>, version?: number): Promise<WebhookShown> {
    return this.#http.request('PATCH /webhooks/{webhookId}', {
      params: { webhookId },
      body: change,
      headers: { 'if-match': version === undefined ? undefined : `"${version}"` },
    })
  }

  /** Events wait, up to 14 days. */
  pause(webhookId: string): Promise<WebhookShown> {
    return this.update(webhookId, { state: 'paused' })
  }

  /** What waits goes out, in order. */
  resume(webhookId: string): Promise<WebhookShown> {
    return this.update(webhookId, { state: 'active' })
  }

  async delete(webhookId: string): Promise<void> {
    await this.#http.request('DELETE /webhooks/{webhookId}', { params: { webhookId } })
  }

  /** For `overlapHours` (24) the old secret signs as well. */
  rotateSecret(webhookId: string, overlapHours?: number): Promise<Answer<'POST /webhooks/{webhookId}/secret'>> {
    return this.#http.request('POST /webhooks/{webhookId}/secret', {
      params: { webhookId },
      body: overlapHours === undefined ? {} : { overlapHours },
    })
  }

  /** Posts a `webhook-test` event now and says what became of it. */
  test(webhookId: string): Promise<Answer<'POST /webhooks/{webhookId}/test'>> {
    return this.#http.request('POST /webhooks/{webhookId}/test', { params: { webhookId }, body: {} })
  }

  /** Attempts of the last 14 days, newest first, page after page. */
  deliveries(
    webhookId: string,
    query: Omit<Query<'GET /webhooks/{webhookId}/deliveries'>, 'next'> = {},
  ): AsyncGenerator<Delivery, void> {
    return everyItem((next) =>
      this.#http.request('GET /webhooks/{webhookId}/deliveries', { params: { webhookId }, query: { ...query, next } }),
    )
  }

  /** Events that were given up, oldest first, page after page. */
  deadLetters(
    webhookId: string,
    query: Omit<Query<'GET /webhooks/{webhookId}/dead-letters'>, 'next'> = {},
  ): AsyncGenerator<DeadLetter, void> {
    return everyItem((next) =>
      this.#http.request('GET /webhooks/{webhookId}/dead-letters', {
        params: { webhookId },
        query: { ...query, next },
      }),
    )
  }

  /** Sends given-up events of the range on their way again; gives how many. */
  async replay(webhookId: string, range: Body<'POST /webhooks/{webhookId}/replay'> = {}): Promise<number> {
    for (let replayed = 0; ; ) {
      const answer = await this.#http.request('POST /webhooks/{webhookId}/replay', {
        params: { webhookId },
        body: range,
      })
      replayed += answer.replayed
      if (!answer.more) return replayed
    }
  }
}
