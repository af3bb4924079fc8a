/**
 * What the product makes AWS do: idle, and for each send, received message, change of status and frame to a browser. Counted on local
 * mode from the synthesized template, where every call goes through one place. `tests/cost` makes docs/cost.md of it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { HoldfastClient } from '../../shared/client/index.ts'
import type { Amount, Counts, OperationName } from '../cost/counts.ts'
import { costFigures, readCounts, writeCounts, writePage } from '../cost/files.ts'
import { type IdleWindow, idleAmounts, isBackground, rounded } from '../cost/idle.ts'
import { settingsNow } from '../cost/settings.ts'
import { averageBytes, bytesWithIndexes, type StoredTables, storedTables } from '../cost/stored.ts'
import { type Counted, Tally } from '../cost/tally.ts'
import { phones, rest, Watcher } from '../end-to-end/callers.ts'
import { Endpoint } from '../end-to-end/endpoint.ts'
import { type RunningPlace, startPlace } from '../end-to-end/place.ts'
import type { BenchOptions } from './options.ts'
import type { Figures } from './report.ts'
import { createTenant, type Linked, link, type Tenant } from './tenant.ts'

/** As many again are linked later. */
const linkedFirst = 6
const idleMs = 120_000
/** Of each operation, one after the other: what shares a batch with others costs less. */
const times = 10
const watchersOpen = 3
const contact = '+4915112345599'
/** Nothing that belongs to an operation has happened for that long: streams are read every few tenths of a second. */
const restMs = 1_500
/** Partitions move to a new worker one by one. */
const movedMs = 15_000
const operationMs = 120_000

export async function cost(
  { write, render }: BenchOptions,
  figures: Figures,
  progress: (message: string) => void,
): Promise<void> {
  const now = settingsNow()
  const counts = render ? readCounts() : await count(progress)
  if (write) writeCounts(counts)
  if (write || render) writePage(counts, now.standing)
  for (const { name, unit, connections, value } of costFigures(counts, now.standing)) {
    figures.add('holdfast', connections, name, unit, value)
  }

  async function count(told: (message: string) => void): Promise<Counts> {
    const tally = new Tally()
    const place = await startPlace({
      observe: tally.take,
      targets: 'any',
      environmentOverrides: { containers: { connector: asInProduction(now.counted) } },
    })
    try {
      const counter = new Counter(place, tally, await createTenant(place), await storedTables(place), told)
      const counted = await counter.all(now.standing.settings.partitions)
      return {
        countedOn: new Date().toISOString().slice(0, 10),
        settings: now.counted,
        watchers: watchersOpen,
        ...counted,
      }
    } finally {
      await place.stop()
    }
  }
}

/** What the tests' place makes shorter is as long as by default. That a lost connection comes back sooner changes no count. */
function asInProduction({ doorbellWaitSeconds, metricsMs }: Counts['settings']): Readonly<Record<string, string>> {
  return {
    DOORBELL_WAIT_SECONDS: String(doorbellWaitSeconds),
    METRICS_MS: String(metricsMs),
    BACKOFF_BASE_MS: '500',
    STABLE_AFTER_MS: '100',
  }
}

class Counter {
  readonly #place: RunningPlace
  readonly #tally: Tally
  readonly #tenant: Tenant
  readonly #stored: StoredTables
  readonly #progress: (message: string) => void
  readonly #linked: Linked[] = []
  readonly #operations = new Map<OperationName, readonly Amount[]>()
  readonly #windows: IdleWindow[] = []
  #said = 0

  constructor(
    place: RunningPlace,
    tally: Tally,
    tenant: Tenant,
    stored: StoredTables,
    progress: (message: string) => void,
  ) {
    this.#place = place
    this.#tally = tally
    this.#tenant = tenant
    this.#stored = stored
    this.#progress = progress
  }

  async all(partitions: number): Promise<Pick<Counts, 'operations' | 'idle' | 'itemBytes' | 'storedBytes'>> {
    const simulated = phones(this.#place.simulatorUrl)
    const { httpUrl, liveUrl, aws, sendsQueueUrl } = this.#place
    const caller = rest(httpUrl, this.#tenant.apiKey)
    await simulated.create(contact, { name: 'Ada' })
    await this.#linkMore(linkedFirst)
    const [first] = this.#linked
    if (first === undefined) throw new Error('nothing is linked')
    const { connectionId, phoneNumber } = first
    const queues = new SQSClient(aws)

    const message = () => ({
      to: contact,
      type: 'text',
      text: { body: `Your order ${++this.#said} is on its way, it arrives on Tuesday.` },
    })
    const arrived = async (): Promise<void> => void (await simulated.inbox(contact, this.#said))
    const byRest = async (): Promise<void> => {
      const { status } = await caller.post(`/connections/${connectionId}/messages`, message())
      if (status !== 202) throw new Error(`a send was answered with ${status}`)
      await arrived()
    }
    const byQueue = async (): Promise<void> => {
      const { businessProfileId } = this.#tenant
      const body = JSON.stringify({ version: 1, businessProfileId, connectionId, ...message() })
      await queues.send(new SendMessageCommand({ QueueUrl: sendsQueueUrl, MessageBody: body }))
      await arrived()
    }
    const received = (): Promise<void> =>
      simulated.send(contact, phoneNumber, 'Where is my order? It should have been here on Tuesday.')
    const lost = async (): Promise<void> => {
      const { loginsTotal } = await simulated.stats()
      await simulated.fault({ kind: 'drop', target: { phoneNumber: phoneNumber.slice(1) } })
      for (const end = Date.now() + operationMs; Date.now() < end; await delay(50))
        if ((await simulated.stats()).loginsTotal > loginsTotal) return
      throw new Error(`a connection that was lost did not come back within ${operationMs} ms`)
    }

    // Sessions are made, functions are warm, keys are remembered.
    for (const warm of [byRest, byQueue, received, lost, byRest]) await warm()
    await settled(this.#tally)
    const before = await this.#messageBytes()
    await this.#count('send by REST', byRest)
    const sent = await this.#messageBytes()
    await this.#count('received message', received)
    const had = await this.#messageBytes()
    await this.#count('send by queue', byQueue)
    await this.#count('connection lost and restored', lost)

    const watchers = await Promise.all(Array.from({ length: watchersOpen }, () => Watcher.open(caller, liveUrl)))
    await this.#count('send by REST, watched', byRest)
    await this.#count('connection lost and restored, watched', lost)
    for (const watcher of watchers) watcher.close()

    const endpoint = await Endpoint.open()
    const hook = await caller.post('/webhooks', { url: endpoint.url, events: ['message-received'] })
    if (hook.status !== 201) throw new Error(`a webhook was answered with ${hook.status}`)
    endpoint.secret = hook.body.secret
    await received()
    await this.#count('received message, to a webhook', received)
    if (endpoint.taken.length !== times + 1)
      throw new Error(`the endpoint took ${endpoint.taken.length} of ${times + 1}`)
    await caller.delete(`/webhooks/${hook.body.webhookId}`)
    await endpoint.close()

    await this.#idle('1 worker', 1, partitions)
    await this.#linkMore(linkedFirst)
    await this.#idle('1 worker, twice as many connections', 1, partitions)
    await this.#place.control.post('/services/connector/scale', { desiredCount: 2 })
    await this.#balanced()
    const weights = await this.#weights()
    await this.#idle('2 workers', 2, partitions)
    queues.destroy()
    this.#stored.close()
    return {
      operations: Object.fromEntries(this.#operations) as Counts['operations'],
      idle: idleAmounts(this.#windows),
      itemBytes: weights,
      storedBytes: { send: Math.round((sent - before) / times), received: Math.round((had - sent) / times) },
    }
  }

  /** By a client that is gone afterwards: it watches. */
  async #linkMore(count: number): Promise<void> {
    const client = new HoldfastClient({ baseUrl: this.#place.httpUrl, apiKey: this.#tenant.apiKey })
    for (let n = 0; n < count; n++) {
      this.#linked.push(await link(this.#place, client, `+49151123456${10 + this.#linked.length}`))
    }
    client.live.close()
    this.#progress(`${this.#linked.length} connections are linked`)
  }

  async #count(name: OperationName, act: () => Promise<void>): Promise<void> {
    await settled(this.#tally)
    this.#tally.reset()
    for (let n = 0; n < times; n++) {
      await act()
      await settled(this.#tally)
    }
    this.#operations.set(name, amountsOf(this.#tally.reset()))
    this.#progress(`${name}: counted ${times} times`)
  }

  async #idle(name: string, workers: number, partitions: number): Promise<void> {
    await settled(this.#tally)
    this.#tally.reset()
    const startedAt = performance.now()
    await delay(idleMs)
    const seconds = (performance.now() - startedAt) / 1_000
    this.#windows.push({
      name,
      seconds,
      workers,
      connections: this.#linked.length,
      partitions,
      counts: this.#tally.reset(),
    })
    this.#progress(`idle, ${name}: counted for ${idleMs / 1_000} s`)
  }

  /** Until two workers share the partitions, and nothing moves any more. */
  async #balanced(): Promise<void> {
    let before = ''
    let since = performance.now()
    for (const end = Date.now() + operationMs; Date.now() < end; await delay(500)) {
      const owners = (await this.#stored.items('fleet')).flatMap(({ id, owner }) =>
        owner === undefined ? [] : [{ id, owner }],
      )
      const now = JSON.stringify(owners)
      if (now !== before || new Set(owners.map(({ owner }) => JSON.stringify(owner))).size !== 2)
        since = performance.now()
      before = now
      if (performance.now() - since > movedMs) return
    }
    throw new Error(`two workers did not share the partitions within ${operationMs} ms`)
  }

  async #messageBytes(): Promise<number> {
    return bytesWithIndexes('messages', await this.#stored.items('messages'))
  }

  async #weights(): Promise<Counts['itemBytes']> {
    const fleet = await this.#stored.items('fleet')
    const of = (kind: string) => averageBytes(fleet.filter((item) => JSON.stringify(item['kind']).includes(kind)))
    const connections = await this.#stored.items('connections')
    return { connection: averageBytes(connections), worker: of('worker'), partition: of('partition') }
  }
}

/** Of one operation. What happens by itself, and less often than every fifth time, belongs to none. */
function amountsOf(counted: readonly Counted[]): readonly Amount[] {
  const called: readonly Counted[] = counted
    .filter(
      ({ service, of, by }) =>
        service === 'lambda' && of === 'apigateway.amazonaws.com' && /^Rest(?!Authorizer)/.test(by),
    )
    .map((each) => ({ ...each, by: 'caller', service: 'apigateway', operation: 'call', of: '' }))
  return [...counted, ...called]
    .filter((group) => !isBackground(group, false) || group.operation === 'ReceiveMessage')
    .map((each) => ({ ...each, requests: each.requests - each.empty }))
    .filter(({ requests }) => requests / times > 0.2)
    .map(({ by, service, operation, of, requests, writeUnits, readUnits, pieces, bytes }) => ({
      by,
      service,
      operation,
      of,
      requests: rounded(requests / times),
      writeUnits: rounded(writeUnits / times),
      readUnits: rounded(readUnits / times),
      pieces: rounded(pieces / times),
      bytes: rounded(bytes / times),
    }))
}

/** Resolves once nothing has happened for a while but what happens by itself. */
async function settled(tally: Tally, forMs = restMs): Promise<void> {
  let lastAt = performance.now()
  const end = tally.listen((group, empty) => {
    if (!isBackground(group, empty) && group.service !== 'logs') lastAt = performance.now()
  })
  try {
    for (const giveUp = lastAt + operationMs; performance.now() < giveUp; await delay(100))
      if (performance.now() - lastAt >= forMs) return
    throw new Error(`it did not come to rest within ${operationMs} ms`)
  } finally {
    end()
  }
}
