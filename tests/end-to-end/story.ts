import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { expect } from 'vitest'
import { type Frame, type Phones, phones, type Rest, rest, Watcher } from './callers.ts'

/** Where the product runs, as `.holdfast/local.json` says it. */
export interface Place {
  readonly httpUrl: string
  readonly liveUrl: string
  readonly sendsQueueUrl: string
  readonly adminApiKey: string
  readonly simulatorUrl: string
  readonly aws: {
    readonly region: string
    readonly endpoint: string
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  }
  /** Kills the connector's processes as a crash would. */
  killConnector(): Promise<void>
}

export interface Patience {
  /** How long one step may take. */
  readonly stepMs: number
}

const business = '+94714515253'
const customer = '+4915112345678'

/** The product's story, through public interfaces only. Every step throws when it does not come true in time. */
export class Story {
  readonly #place: Place
  readonly #patience: Patience
  readonly #phones: Phones
  admin!: Rest
  tenant!: Rest
  watcher!: Watcher
  apiKey = ''
  businessProfileId = ''
  connectionId = ''

  constructor(place: Place, patience: Patience) {
    this.#place = place
    this.#patience = patience
    this.#phones = phones(place.simulatorUrl)
  }

  get simulatedPhones(): Phones {
    return this.#phones
  }

  #event(name: string, matches: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return this.watcher.next(name, (frame) => frame.event === name && matches(frame), this.#patience.stepMs)
  }

  #status(messageId: string, status: string): Promise<Frame> {
    return this.#event('message-status', (frame) => frame.data.messageId === messageId && frame.data.status === status)
  }

  async adminCreatesProfileAndKey(): Promise<void> {
    this.admin = rest(this.#place.httpUrl, this.#place.adminApiKey)
    const profile = await this.admin.post('/admin/business-profiles', { name: 'Tea House' })
    expect(profile).toMatchObject({ status: 201, body: { name: 'Tea House' } })
    this.businessProfileId = profile.body.businessProfileId
    const key = await this.admin.post(`/admin/business-profiles/${this.businessProfileId}/api-keys`, { label: 'shop' })
    expect(key).toMatchObject({ status: 201, body: { apiKey: expect.any(String) } })
    this.apiKey = key.body.apiKey
    this.tenant = rest(this.#place.httpUrl, this.apiKey)
  }

  async clientWatches(): Promise<void> {
    this.watcher = await Watcher.open(this.tenant, this.#place.liveUrl)
    await this.#event('snapshot')
  }

  async phoneIsLinkedByQr(): Promise<void> {
    await this.#phones.create(business, { name: 'Tea House', business: true })
    await this.#phones.create(customer, { name: 'Ada' })
    const created = await this.tenant.post('/connections', { label: 'Primary Device', pairing: 'qr' })
    expect(created).toMatchObject({ status: 201, body: { label: 'Primary Device', status: 'qr_pending' } })
    this.connectionId = created.body.connectionId
    const qr = await this.#event('whatsapp-qr', (frame) => frame.data.qr?.text !== undefined)
    await this.#phones.scan(business, qr.data.qr.text)
    const connected = await this.#event('whatsapp-connected')
    expect(connected.data).toMatchObject({ status: 'connected', phoneNumber: business })
    expect((await this.tenant.get(`/connections/${this.connectionId}`)).body.status).toBe('connected')
  }

  async messageReachesThePhone(text: string, idempotencyKey: string): Promise<void> {
    const before = (await this.#phones.inbox(customer, 0)).length
    const body = { to: customer, type: 'text', text: { body: text } }
    const headers = { 'idempotency-key': idempotencyKey }
    const accepted = await this.tenant.post(`/connections/${this.connectionId}/messages`, body, headers)
    expect(accepted).toMatchObject({ status: 202, body: { messageId: expect.any(String) } })
    const { messageId } = accepted.body
    const inbox = await this.#phones.inbox(customer, before + 1)
    expect(inbox.at(-1)).toMatchObject({ text })
    for (const status of ['sent', 'delivered', 'read']) await this.#status(messageId, status)
    const row = await this.tenant.get(`/connections/${this.connectionId}/messages/${messageId}`)
    expect(row.body).toMatchObject({ status: 'read', sentAt: expect.any(String), deliveredAt: expect.any(String) })
    const again = await this.tenant.post(`/connections/${this.connectionId}/messages`, body, headers)
    expect(again).toMatchObject({ status: 202, body: { messageId } })
    const changed = { ...body, text: { body: `${text}!` } }
    const conflict = await this.tenant.post(`/connections/${this.connectionId}/messages`, changed, headers)
    expect(conflict).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } })
  }

  async connectorIsKilledAndComesBack(): Promise<void> {
    const before = await this.#phones.stats()
    const { body } = await this.tenant.get(`/connections/${this.connectionId}`)
    await this.#place.killConnector()
    const back = await this.#event('whatsapp-connected', (frame) => (frame.version ?? 0) > body.version)
    expect(back.data.status).toBe('connected')
    const after = await this.#phones.stats()
    expect(after.pairings).toEqual(before.pairings)
  }

  async messageFromAnotherServiceArrives(text: string): Promise<void> {
    const before = (await this.#phones.inbox(customer, 0)).length
    const { region, endpoint, credentials } = this.#place.aws
    const sqs = new SQSClient({ region, endpoint, credentials })
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: this.#place.sendsQueueUrl,
        MessageBody: JSON.stringify({
          version: 1,
          businessProfileId: this.businessProfileId,
          connectionId: this.connectionId,
          to: customer,
          type: 'text',
          text: { body: text },
        }),
      }),
    )
    sqs.destroy()
    const inbox = await this.#phones.inbox(customer, before + 1)
    expect(inbox.at(-1)).toMatchObject({ text })
  }

  async inboundTextIsSeen(text: string): Promise<void> {
    await this.#phones.send(customer, business, text)
    const received = await this.#event('message-received', (frame) => frame.data.text?.body === text)
    expect(received.data).toMatchObject({ direction: 'inbound', from: { phoneNumber: customer } })
  }

  async logoutEndsIt(): Promise<void> {
    const answer = await this.tenant.post(`/connections/${this.connectionId}/logout`)
    expect(answer.status).toBe(202)
    const gone = await this.#event('whatsapp-disconnected', (frame) => frame.data.reason === 'logged_out')
    expect(gone.data).toMatchObject({ status: 'disconnected', remedy: 'scan_qr' })
    const refused = await this.tenant.post(`/connections/${this.connectionId}/messages`, {
      to: customer,
      type: 'text',
      text: { body: 'anybody there?' },
    })
    expect(refused).toMatchObject({
      status: 202,
      body: {
        status: 'failed',
        error: {
          code: 'no_active_connection',
          message: 'No active WhatsApp connection found. Please connect a device first.',
        },
      },
    })
    await this.#status(refused.body.messageId, 'failed')
  }

  async nothingWentWrongAtWhatsApp(): Promise<void> {
    const stats = await this.#phones.stats()
    expect(stats).toMatchObject({ undecryptable: 0, conflicts: 0, maxSocketsPerDevice: 1 })
  }

  async all(): Promise<void> {
    await this.adminCreatesProfileAndKey()
    await this.clientWatches()
    await this.phoneIsLinkedByQr()
    await this.messageReachesThePhone('Your tea is ready.', 'order-1')
    await this.connectorIsKilledAndComesBack()
    await this.messageReachesThePhone('And the scones.', 'order-2')
    await this.messageFromAnotherServiceArrives('Sent from a queue.')
    await this.inboundTextIsSeen('Thank you!')
    await this.logoutEndsIt()
    await this.nothingWentWrongAtWhatsApp()
  }

  close(): void {
    this.watcher?.close()
  }
}
