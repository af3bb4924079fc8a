import { setTimeout as delay } from 'node:timers/promises'
import { ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { QueryCommand } from '@aws-sdk/lib-dynamodb'
import { documentClient } from '../../shared/aws/clients.ts'
import { type Frame, type Rest, rest, Watcher } from './callers.ts'
import { Endpoint } from './endpoint.ts'
import type { RunningPlace } from './place.ts'

const customer = { rest: '+4915112345601', standard: '+4915112345602', fifo: '+4915112345603' }

/**
 * What no refusal tells of: where a mapping or a route of the live API is missing, nothing happens. This tells of everything that
 * must happen by way of one, without a worker and without WhatsApp. Throws where it does not, in time.
 */
export class WireStory {
  readonly #place: RunningPlace
  readonly #stepMs: number
  readonly #queues: SQSClient
  #watcher: Watcher | undefined
  #endpoint: Endpoint | undefined

  constructor(place: RunningPlace, stepMs: number) {
    this.#place = place
    this.#stepMs = stepMs
    this.#queues = new SQSClient(place.aws)
  }

  async all(): Promise<void> {
    const { httpUrl, adminApiKey, liveUrl } = this.#place
    const admin = rest(httpUrl, adminApiKey)
    const { businessProfileId } = (await admin.post('/admin/business-profiles', { name: 'Tea House' })).body
    const keys = `/admin/business-profiles/${businessProfileId}/api-keys`
    const tenant = rest(httpUrl, (await admin.post(keys, { label: 'shop' })).body.apiKey)

    const watcher = await Watcher.open(tenant, liveUrl)
    this.#watcher = watcher
    await this.#frame('snapshot')
    watcher.say('{"action":"ping"}')
    await this.#frame('pong')

    const endpoint = await Endpoint.open()
    this.#endpoint = endpoint
    endpoint.secret = (await tenant.post('/webhooks', { url: endpoint.url })).body.secret
    const { connectionId } = (await tenant.post('/connections', { label: 'Desk', pairing: 'qr' })).body
    await this.#frame('connection-created')
    await this.#posted('connection-created')

    await this.#sends(tenant, businessProfileId, connectionId)
    await this.#retries(tenant, connectionId)

    const other = await Watcher.open(tenant, liveUrl)
    this.#watcher = other
    await this.#frame('snapshot')
    other.close()
    await this.#noSocketIsLeft(businessProfileId)
  }

  async #sends(tenant: Rest, businessProfileId: string, connectionId: string): Promise<void> {
    const content = { type: 'text', text: { body: 'Your tea is ready.' } }
    await tenant.post(`/connections/${connectionId}/messages`, { to: customer.rest, ...content })
    await this.#frame('message-status', ({ data }) => data.to === customer.rest)
    await this.#posted('message-status')
    const { sendsQueueUrl, local } = this.#place
    const message = { version: 1, businessProfileId, connectionId, ...content }
    const send = (QueueUrl: string, to: string, more: object) =>
      this.#queues.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify({ ...message, to }), ...more }))
    await send(sendsQueueUrl, customer.standard, {})
    await this.#frame('message-status', ({ data }) => data.to === customer.standard)
    await send(local.sendsFifoQueueUrl, customer.fifo, {
      MessageGroupId: connectionId,
      MessageDeduplicationId: connectionId,
    })
    await this.#frame('message-status', ({ data }) => data.to === customer.fifo)
  }

  /** What its first way refuses goes by the retry queues: an event onto the bus, and a socket that missed a change is closed. */
  async #retries(tenant: Rest, connectionId: string): Promise<void> {
    const { local } = this.#place
    const change = (label: string) =>
      tenant.raw('PATCH', `/connections/${connectionId}`, JSON.stringify({ label }), {
        'content-type': 'application/json',
      })
    const refuse = { kind: 'refuse', status: 503 } as const
    const announcing = local.injectFault({ service: 'events', caller: 'function EventsConnections', how: refuse })
    await change('Onto the bus, later')
    await this.#until('an event put onto the bus by the retry queue', () =>
      local
        .calls()
        .counts.some(
          ({ role, action, allowed }) => /EventsRetry/.test(role) && action === 'events:PutEvents' && allowed > 0,
        ),
    )
    announcing.end()

    const caller = 'function LivePublishConnections'
    const publishing = local.injectFault({ service: 'execute-api', caller, how: refuse })
    await change('Missed')
    if ((await this.#watcher?.closes(this.#stepMs)) !== true)
      throw new Error('a socket that missed a change stays open')
    publishing.end()
  }

  async #noSocketIsLeft(businessProfileId: string): Promise<void> {
    const { region, endpoint, credentials } = this.#place.aws
    const documents = documentClient({ region, endpoint, credentials })
    const { TableNames = [] } = await documents.send(new ListTablesCommand({}))
    const table = TableNames.find((name) => /LiveTable/.test(name))
    await this.#until('the socket to be forgotten', async () => {
      const { Count } = await documents.send(
        new QueryCommand({
          TableName: table,
          ConsistentRead: true,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :socket)',
          ExpressionAttributeValues: { ':pk': `profile#${businessProfileId}`, ':socket': 'socket#' },
        }),
      )
      return Count === 0
    })
  }

  #frame(event: string, matches: (frame: Frame) => boolean = () => true): Promise<Frame> {
    if (this.#watcher === undefined) throw new Error('nobody watches')
    return this.#watcher.next(event, (frame) => frame.event === event && matches(frame), this.#stepMs)
  }

  async #posted(event: string): Promise<void> {
    await this.#endpoint?.until(`a post of ${event}`, (taken) => taken.some((one) => one.event === event), this.#stepMs)
  }

  async #until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    for (const end = Date.now() + this.#stepMs; !(await isSo()); await delay(50)) {
      if (Date.now() > end) throw new Error(`waited ${this.#stepMs} ms for ${what}`)
    }
  }

  async close(): Promise<void> {
    this.#watcher?.close()
    this.#queues.destroy()
    await this.#endpoint?.close()
  }
}
