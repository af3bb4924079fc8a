/** The simulated WhatsApp server in a process of its own, and what a bench asks of it. */
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startWhatsAppSimulator } from '../../local/engine/whatsapp-process.ts'
import { root } from './children.ts'

export interface SimulatorStats {
  readonly socketsOpen: number
  readonly maxSocketsPerDevice: number
  readonly loginRatePeak: number
  readonly loginsTotal: number
  readonly refusedLogins: number
  readonly conflicts: number
  readonly undecryptable: number
  readonly handshakesPeak: number
}

export interface MessageStats {
  readonly messagesDistinct: number
  readonly messagesArrivedTwice: number
  readonly undecryptable: number
  readonly deviceListsAsked: number
  readonly bundlesFetched: number
}

/** A login or the end of a socket, by the server's clock, which is this machine's. */
export interface SocketFact {
  readonly event: 'login' | 'logout'
  readonly device: string
  readonly atMs: number
}

/** All that the server tells as it happens. */
interface Fact {
  readonly event: string
  readonly device?: string
  readonly phone?: string
  readonly atMs: number
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

export interface Simulator {
  readonly url: string
  readonly rootKey: string
  readonly control: SimulatorControl
  stop(): Promise<void>
}

/** One that is to be kept writes its state; any other one only reads what it starts from. */
export async function startSimulator(stateDir: string, what: 'kept' | 'passing' = 'passing'): Promise<Simulator> {
  const script = what === 'kept' ? 'local/whatsapp/main.ts' : 'tests/bench/simulator-process.ts'
  const server = await startWhatsAppSimulator(join(root, script), stateDir, silent)
  const control = new SimulatorControl(server.controlUrl)
  return {
    url: server.url,
    rootKey: server.rootKey,
    control,
    async stop() {
      control.close()
      await server.stop()
    },
  }
}

export class SimulatorControl {
  readonly url: string
  #events: IncomingMessage | undefined
  #listeners = new Set<(fact: Fact) => void>()

  constructor(url: string) {
    this.url = url
  }

  async call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`simulated WhatsApp: ${method} ${path}: ${answer.status} ${text}`)
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
  }

  async stats(): Promise<SimulatorStats> {
    return (await this.call('GET', '/stats?messages=false')) as unknown as SimulatorStats
  }

  async messageStats(): Promise<MessageStats> {
    return (await this.call('GET', '/stats?messages=false')) as unknown as MessageStats
  }

  async resetStats(): Promise<void> {
    await this.call('POST', '/stats/reset')
  }

  /** Resolves once no socket is open. */
  async emptied(withinMs = 30_000): Promise<void> {
    for (const end = Date.now() + withinMs; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
      const { socketsOpen } = await this.stats()
      if (socketsOpen === 0) return
      if (Date.now() > end) throw new Error(`${socketsOpen} sockets are still open after ${withinMs} ms`)
    }
  }

  /** Each login and each socket's end from now on. */
  watch(listener: (fact: SocketFact) => void): Promise<() => void> {
    return this.#hear(({ event, device, atMs }) => {
      if (device !== undefined && (event === 'login' || event === 'logout')) listener({ event, device, atMs })
    })
  }

  async #hear(listener: (fact: Fact) => void): Promise<() => void> {
    this.#listeners.add(listener)
    if (this.#events === undefined) {
      const request = get(`${this.url}/events`)
      const [events] = (await once(request, 'response')) as [IncomingMessage]
      this.#events = events
      request.on('error', () => undefined)
      events.on('error', () => undefined)
      createInterface(events).on('line', (line) => {
        const { at, ...fact } = JSON.parse(line) as Omit<Fact, 'atMs'> & { readonly at: string }
        for (const each of this.#listeners) each({ ...fact, atMs: Date.parse(at) })
      })
    }
    return () => this.#listeners.delete(listener)
  }

  /** Epoch milliseconds at which a phone shows its next message, counted from the call on. */
  async shownOn(phone: string, withinMs: number): Promise<{ readonly atMs: Promise<number> }> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const stop = await this.#hear((fact) => {
      if (fact.event === 'received' && fact.phone === phone) resolve(fact.atMs)
    })
    const timer = setTimeout(() => reject(new Error(`${phone} showed nothing within ${withinMs} ms`)), withinMs)
    const ended = (): void => {
      stop()
      clearTimeout(timer)
    }
    promise.then(ended, ended)
    return { atMs: promise }
  }

  /** Epoch milliseconds of the login that made `count` different devices logged in, counted from the call on. */
  async loggedIn(count: number, withinMs: number): Promise<{ readonly atMs: Promise<number> }> {
    const devices = new Set<string>()
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const stop = await this.watch(({ event, device, atMs }) => {
      if (event === 'logout') devices.delete(device)
      else devices.add(device)
      if (devices.size === count) resolve(atMs)
    })
    const timer = setTimeout(
      () => reject(new Error(`${devices.size} of ${count} devices are logged in after ${withinMs} ms`)),
      withinMs,
    )
    const ended = (): void => {
      stop()
      clearTimeout(timer)
    }
    promise.then(ended, ended)
    return { atMs: promise }
  }

  close(): void {
    this.#events?.destroy()
    this.#events = undefined
  }
}
