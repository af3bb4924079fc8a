import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { newDeliveryId, newEventId } from '../../../shared/aws/ids.ts'
import { webhookLanes } from '../../../shared/aws/webhook-lanes.ts'
import { webhookLog } from '../../../shared/aws/webhook-log.ts'
import { type Rest, rest } from '../callers.ts'
import type { RunningPlace } from '../place.ts'
import { png } from '../sample-media.ts'

/** A business profile with something of everything that a profile can have. */
export interface Tenant {
  /** Stands in every text of its own: whoever sees it has seen what is not theirs. */
  readonly mark: string
  readonly businessProfileId: string
  readonly apiKey: string
  readonly rest: Rest
  /** By the names that paths have for them. The first of each kind. */
  readonly ids: Readonly<Record<string, string>>
  /** All that it has, of any kind. */
  readonly allIds: readonly string[]
  readonly upload: { readonly url: string; readonly headers: Readonly<Record<string, string>> }
}

async function made(what: string, answer: ReturnType<Rest['post']>) {
  const { status, body } = await answer
  if (status >= 300) throw new Error(`${what}: ${status} ${JSON.stringify(body)}`)
  return body
}

const recipient = '+4915112345678'
/** Nobody is asked there: no event of these tests is among those that it wants. */
const hook = { url: 'https://93.184.215.14/hooks', events: ['webhook-paused'] }

/** Makes tenants as an operator and they themselves do; what only time would bring lies in the tables. */
export class Tenants {
  readonly #place: RunningPlace
  readonly #admin: Rest
  readonly #documents: DynamoDBDocumentClient
  readonly #webhooks: { readonly documents: DynamoDBDocumentClient; readonly table: string }

  constructor(place: RunningPlace) {
    this.#place = place
    this.#admin = rest(place.httpUrl, place.adminApiKey)
    this.#documents = DynamoDBDocumentClient.from(new DynamoDBClient(place.aws))
    const table = Object.entries(place.local.outputs).find(([name]) => /RefStorageWebhooksTable/.test(name))?.[1]
    if (table === undefined) throw new Error('the template names no table of webhooks')
    this.#webhooks = { documents: this.#documents, table }
  }

  close(): void {
    this.#documents.destroy()
  }

  /**
   * @param mark of letters and digits, as no other tenant has it
   * @param each of everything; two, so that each list has a second page
   */
  async make(mark: string, each: 1 | 2 = 2): Promise<Tenant> {
    const { body: profile } = await this.#admin.post('/admin/business-profiles', { name: mark })
    const { businessProfileId } = profile
    const keys = `/admin/business-profiles/${businessProfileId}/api-keys`
    const key = await made('key', this.#admin.post(keys, { label: mark }))
    const tenant = rest(this.#place.httpUrl, key.apiKey)
    const some = <T>(make: (nth: number) => Promise<T>) =>
      Promise.all(Array.from({ length: each }, (_, nth) => make(nth)))

    const [connections, media, hooked, erasures, spare] = await Promise.all([
      some((nth) => made('connection', tenant.post('/connections', { label: `${mark} ${nth}`, pairing: 'qr' }))),
      some(() => made('medium', tenant.post('/media', medium(mark)))),
      some(() => made('webhook', tenant.post('/webhooks', { ...hook, url: `${hook.url}/${mark}`, label: mark }))),
      some(() => made('erasure', tenant.post('/erasures', { contact: '+4915199999999' }))),
      made('key', tenant.post('/api-keys', { label: mark })),
    ])
    const { connectionId } = connections[0]
    const path = `/connections/${connectionId}`
    const picture = { to: recipient, type: 'image', image: { id: media[0].mediaId, caption: mark } }
    const messages = await some(() => made('message', tenant.post(`${path}/messages`, picture)))
    const asked = { phoneNumbers: [recipient] }
    const operation = await made('check', tenant.post(`${path}/contacts/check`, asked, { prefer: 'respond-async' }))
    const { webhookId } = hooked[0]
    await this.#delivered({ businessProfileId, webhookId }, connectionId, mark)
    const ids = {
      connectionId,
      messageId: messages[0].messageId,
      mediaId: media[0].mediaId,
      operationId: operation.operationId,
      webhookId,
      keyId: spare.keyId,
      erasureId: erasures[0].erasureId,
    }
    return {
      mark,
      businessProfileId,
      apiKey: key.apiKey,
      rest: tenant,
      ids,
      allIds: [
        businessProfileId,
        key.keyId,
        ...Object.values(ids),
        ...connections.map((one) => one.connectionId),
        ...messages.map((one) => one.messageId),
        ...media.map((one) => one.mediaId),
        ...hooked.map((one) => one.webhookId),
        ...erasures.map((one) => one.erasureId),
      ],
      upload: media[0].upload,
    }
  }

  /** Two deliveries in the log of a webhook, and two events that were given up. */
  async #delivered(ref: { businessProfileId: string; webhookId: string }, connectionId: string, mark: string) {
    const lanes = webhookLanes(this.#webhooks)
    const at = new Date().toISOString()
    for (const order of ['1', '2']) {
      const event = { eventId: newEventId(), event: mark, at }
      await webhookLog(this.#webhooks).add(ref, {
        ...event,
        deliveryId: newDeliveryId(),
        connectionId,
        attempt: 1,
        delivered: false,
        durationMs: 1,
        error: mark,
      })
      const waiting = { ...event, order, body: '{}', waitingSince: at }
      await lanes.bury({ ...ref, lane: connectionId }, waiting, 1, mark, Date.now())
    }
  }
}

const medium = (mark: string) => ({
  contentType: png.contentType,
  size: png.bytes.length,
  filename: `${mark}.png`,
})
