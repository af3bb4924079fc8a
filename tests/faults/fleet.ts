import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import type { LocalOptions } from '../../local/engine/options.ts'
import { type Answer, type Frame, type Phones, phones, type Rest, rest } from '../end-to-end/callers.ts'
import { type RunningPlace, startPlace } from '../end-to-end/place.ts'
import { ok, persistently } from './asking.ts'
import { Observer } from './observer.ts'

/** One linked phone. */
export interface Line {
  readonly connectionId: string
  /** E.164. */
  readonly phoneNumber: string
  /** As the simulator names it: `15550001:1`. */
  readonly device: string
}

export interface DeviceStats {
  readonly open: number
  readonly maxOpen: number
  readonly logins: number
}

export interface WhatsAppStats {
  readonly socketsOpen: number
  readonly maxSocketsPerDevice: number
  readonly loginRatePeak: number
  readonly loginsTotal: number
  readonly refusedLogins: number
  readonly refusedUpgrades: number
  readonly conflicts: number
  readonly pairings: number
  readonly decryptFailures: number
  readonly undecryptable: number
  readonly resendsRequested: number
  readonly messagesArrivedTwice: number
  readonly protocolErrors: number
  readonly deviceListsAsked: number
  readonly bundlesFetched: number
  readonly devices: Readonly<Record<string, DeviceStats>>
  readonly messages: Readonly<Record<string, number>>
}

export interface Task {
  readonly taskId: string
  readonly lastStatus: string
  readonly part: string
}

export interface Fault {
  /** For ending kinds that acted once there is nothing left to end. */
  end(): Promise<void>
}

const pairingsAtOnce = 6
const phonesFrom = 15_552_000_000
/** What the simulator says of a QR whose client has gone on to another one, or has left. */
const pastCodes: ReadonlySet<string> = new Set(['qr_not_offered', 'client_gone'])

/** Local mode with many linked phones, driven and watched from outside, as callers and phones do. */
export class Fleet {
  readonly place: RunningPlace
  readonly tenant: Rest
  readonly observer: Observer
  readonly phones: Phones
  readonly simulator: Rest
  readonly businessProfileId: string
  #numbers = phonesFrom

  private constructor(place: RunningPlace, tenant: Rest, observer: Observer, businessProfileId: string) {
    this.place = place
    this.tenant = tenant
    this.observer = observer
    this.businessProfileId = businessProfileId
    this.phones = phones(place.simulatorUrl)
    this.simulator = rest(place.simulatorUrl)
  }

  /** `connector`: its environment, over the template's. */
  static async start(connector: Readonly<Record<string, string>>, options: Partial<LocalOptions> = {}): Promise<Fleet> {
    const place = await startPlace({ ...options, environmentOverrides: { containers: { connector } } })
    try {
      const admin = rest(place.httpUrl, place.adminApiKey)
      const { businessProfileId } = ok(await admin.post('/admin/business-profiles', { name: 'Fleet' }))
      const { apiKey } = ok(
        await admin.post(`/admin/business-profiles/${businessProfileId}/api-keys`, { label: 'fleet' }),
      )
      const tenant = rest(place.httpUrl, apiKey)
      return new Fleet(place, tenant, await Observer.open(tenant, place.liveUrl), businessProfileId)
    } catch (error) {
      await place.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    this.observer.close()
    await this.place.stop()
  }

  async newPhone(): Promise<string> {
    const phoneNumber = `+${++this.#numbers}`
    await this.phones.create(phoneNumber)
    return phoneNumber
  }

  /** A connection that waits for its scan, and the phone that could. */
  async create(label: string): Promise<string> {
    const { connectionId } = ok(await this.tenant.post('/connections', { label, pairing: 'qr' }))
    return connectionId
  }

  /** Links new phones, a few at a time. */
  async pair(count: number): Promise<readonly Line[]> {
    const lines: Line[] = []
    let begun = 0
    await Promise.all(
      Array.from({ length: Math.min(pairingsAtOnce, count) }, async () => {
        while (begun < count) {
          begun += 1
          lines.push(await this.#pairOne())
        }
      }),
    )
    return lines
  }

  async #pairOne(): Promise<Line> {
    const phoneNumber = await this.newPhone()
    const connectionId = await this.create(phoneNumber)
    const device = await this.scan(connectionId, phoneNumber)
    await this.observer.connection(connectionId, 'the first connected', ({ status }) => status === 'connected')
    return { connectionId, phoneNumber, device }
  }

  /** Scans the connection's QR, or the one after where that is over by then, as on a slow machine; gives the device. */
  async scan(connectionId: string, phoneNumber: string, after = -1): Promise<string> {
    const shown = ({ qr }: { qr?: { text?: string } }) => qr?.text !== undefined
    for (let seen = after; ; ) {
      const { data, version } = await this.observer.connection(connectionId, 'a QR', shown, { after: seen })
      const answer = await this.simulator.post(`/phones/${phoneNumber.slice(1)}/scan`, { qr: data.qr.text })
      if (!pastCodes.has(answer.body?.code)) return ok(answer).device
      seen = version ?? seen
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: a caller reads JSON; the assertions say what must be in it
  async show(connectionId: string): Promise<any> {
    return ok(await persistently(() => this.tenant.get(`/connections/${connectionId}`)))
  }

  /** The status that a watcher sees, after a version or from now on. */
  sees(
    line: Pick<Line, 'connectionId'>,
    status: string,
    reason: string,
    options: { readonly after?: number; readonly boundMs?: number } = {},
  ): Promise<Frame> {
    const matches = (data: { status: string; reason: string }) => data.status === status && data.reason === reason
    return this.observer.connection(line.connectionId, `${status}/${reason}`, matches, options)
  }

  restart(line: Pick<Line, 'connectionId'>): Promise<Answer> {
    return persistently(() => this.tenant.post(`/connections/${line.connectionId}/restart`)).then((answer) =>
      ok(answer),
    )
  }

  /** Accepted; gives the id. Asked again under the same key. */
  async send(line: Line, to: string, body: string): Promise<string> {
    const message = { to, type: 'text', text: { body } }
    const headers = { 'idempotency-key': randomUUID() }
    const path = `/connections/${line.connectionId}/messages`
    return ok(await persistently(() => this.tenant.post(path, message, headers))).messageId
  }

  async sendStatus(messageId: string, status: string, boundMs?: number): Promise<Frame> {
    return this.observer.until(
      `${messageId} to be ${status}`,
      ({ event, data }) => event === 'message-status' && data.messageId === messageId && data.status === status,
      boundMs,
    )
  }

  /** A message each way: the phone reads what the connection sends, and we read what the phone sends. */
  async conversationWorks(line: Line, customer: string, boundMs = 30_000): Promise<void> {
    const mark = randomUUID()
    const messageId = await this.send(line, customer, `out ${mark}`)
    await this.sendStatus(messageId, 'read', boundMs).catch(async (error: Error) => {
      const shown = JSON.stringify(
        (await this.tenant.get(`/connections/${line.connectionId}/messages/${messageId}`)).body,
      )
      const history = this.observer.history(line.connectionId).join(' | ')
      throw new Error(`${error.message}; it is ${shown}; its connection was ${history}`, { cause: error })
    })
    await this.phones.send(customer, line.phoneNumber, `in ${mark}`)
    await this.observer.until(
      `a text from ${customer} to ${line.phoneNumber}`,
      ({ event, data }) => event === 'message-received' && data.text?.body === `in ${mark}`,
      boundMs,
    )
  }

  async stats(): Promise<WhatsAppStats> {
    return ok(await this.simulator.get('/stats'))
  }

  async device(line: Line): Promise<DeviceStats> {
    const found = (await this.stats()).devices[line.device]
    if (found === undefined) throw new Error(`the simulator never saw ${line.device}`)
    return found
  }

  /** On one line, or with a target of its own. */
  async fault(fault: object, line?: Line): Promise<Fault> {
    const target = line === undefined ? {} : { target: { device: line.device } }
    const { id } = ok(await this.simulator.post('/faults', { ...target, ...fault }))
    return { end: () => this.simulator.delete(`/faults/${id}`).then(() => undefined) }
  }

  /** Onto the default bus. */
  async sendEvent(entry: {
    readonly Source: string
    readonly DetailType: string
    readonly Detail: string
  }): Promise<void> {
    const events = new EventBridgeClient(this.place.aws)
    const { FailedEntryCount } = await events.send(new PutEventsCommand({ Entries: [entry] }))
    events.destroy()
    if (FailedEntryCount !== 0) throw new Error('the bus refused the event')
  }

  async tasks(): Promise<readonly Task[]> {
    const { tasks } = ok(await this.place.control.get('/tasks'))
    return tasks.filter((task: Task) => task.lastStatus === 'RUNNING')
  }

  /** Once the worker is in the fleet, or gone: what comes before is its process's start, and the longer the busier the machine is. */
  async isUp({ taskId }: Task, boundMs = 120_000): Promise<void> {
    const until = Date.now() + boundMs
    const registered = () =>
      this.place.local.calls().recent.some(({ by, resource }) => by.includes(taskId) && /FleetTable/.test(resource))
    while (!registered() && (await this.tasks()).some((task) => task.taskId === taskId)) {
      if (Date.now() > until) throw new Error(`task ${taskId} is not up after ${boundMs} ms`)
      await delay(20)
    }
  }

  /** What the task's worker writes from now on, and reaches a service; `end` gives it, in words. */
  watchWrites(task: Task): { end(): readonly string[] } {
    const writes: string[] = []
    const stop = this.place.local.onCall(({ by, action, resource, at }) => {
      if (!by.includes(task.taskId) || /:(Get|BatchGet|Query|Scan|List|Head|Receive|Describe)/.test(action)) return
      // Its own row in the fleet: refused, since it is marked dead.
      if (!/FleetTable/.test(resource)) writes.push(`${at} ${action} ${resource}`)
    })
    return {
      end: () => {
        stop()
        return writes
      },
    }
  }

  /** As the kernel or an operator would; resolves when its process has ended. */
  async kill(task: Task): Promise<void> {
    if (!(await this.strike(task))) throw new Error(`${task.part} has ended before it could be killed`)
  }

  /** The same; false when it had ended by itself. */
  async strike(task: Task): Promise<boolean> {
    const answer = await this.place.control.post(`/tasks/${task.taskId}/kill`, { signal: 'SIGKILL' })
    if (answer.status === 404) return false
    ok(answer)
    await this.ended(task)
    return true
  }

  async ended(task: Task, boundMs = 20_000): Promise<void> {
    const until = Date.now() + boundMs
    while ((await this.tasks()).some(({ taskId }) => taskId === task.taskId)) {
      if (Date.now() > until) throw new Error(`${task.part} still runs after ${boundMs} ms`)
      await delay(20)
    }
  }

  /** As with its host: of this end the platform tells no exit code. */
  async lose(task: Task): Promise<void> {
    ok(await this.place.control.post(`/tasks/${task.taskId}/lose`))
  }

  async signal(task: Task, signal: string): Promise<void> {
    ok(await this.place.control.post(`/tasks/${task.taskId}/kill`, { signal }))
  }
}
