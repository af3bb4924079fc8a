/** Watchers of the bench `live`, in a process of their own: told by IPC how many to open, they tell what they saw and when. */
import { createHash } from 'node:crypto'
import { WebSocket } from 'ws'
import { type Connection, HoldfastClient } from '../../shared/client/index.ts'

export type WatcherRequest =
  /** Answers once there are so many, each with its snapshot. */
  | { readonly kind: 'open'; readonly baseUrl: string; readonly apiKey: string; readonly watchers: number }
  /** Answers once every watcher knows these versions, or newer ones. */
  | { readonly kind: 'know'; readonly versions: readonly (readonly [connectionId: string, version: number])[] }

export type WatcherAnswer =
  | { readonly kind: 'opened' }
  /**
   * `latencies`: of each change of status since the last answer, milliseconds from its `updatedAt` to its event, one of each
   * watcher. `states`: how many watchers show what has this digest. `reconnects`: since the start.
   */
  | {
      readonly kind: 'known'
      readonly latencies: readonly (readonly number[])[]
      readonly states: readonly (readonly [digest: string, watchers: number])[]
      readonly reconnects: number
    }

/** Equal for equal connections, whatever their order. */
export function digest(connections: Iterable<Connection>): string {
  const sorted = [...connections].sort((a, b) => (a.connectionId < b.connectionId ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
}

const statusChanges = ['whatsapp-connected', 'whatsapp-reconnecting', 'whatsapp-disconnected'] as const
/** Sockets that are opened beside each other. Each takes a ticket, a `$connect` and a snapshot; more of them only start more functions. */
const openingAtOnce = 8
/** Longer than a run: signs of life of a thousand browsers would share the two cores. */
const pingEveryMs = 3_600_000

class Watchers {
  readonly #clients: HoldfastClient[] = []
  /** By connection and version. */
  #latencies = new Map<string, number[]>()
  #reconnects = 0
  /** Who does not know yet what was asked for. */
  #waiting = new Set<HoldfastClient>()
  #versions: readonly (readonly [string, number])[] = []
  #told: (() => void) | undefined

  async open(baseUrl: string, apiKey: string, count: number): Promise<void> {
    let left = count - this.#clients.length
    const lane = async (): Promise<void> => {
      while (left-- > 0) this.#clients.push(await this.#watcher(baseUrl, apiKey))
    }
    await Promise.all(Array.from({ length: openingAtOnce }, lane))
  }

  know(versions: readonly (readonly [string, number])[]): Promise<WatcherAnswer> {
    this.#versions = versions
    this.#waiting = new Set(this.#clients)
    return new Promise((resolve) => {
      this.#told = () => {
        this.#told = undefined
        resolve(this.#answer())
      }
      for (const client of this.#clients) this.#look(client)
    })
  }

  async #watcher(baseUrl: string, apiKey: string): Promise<HoldfastClient> {
    const client = new HoldfastClient({
      baseUrl,
      apiKey,
      pingEveryMs,
      WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    })
    const { live } = client
    for (const name of statusChanges) {
      live.on(name, ({ connectionId, version, updatedAt }) => {
        const change = `${connectionId} ${version}`
        const latencies = this.#latencies.get(change) ?? []
        latencies.push(Date.now() - Date.parse(updatedAt))
        this.#latencies.set(change, latencies)
        this.#look(client)
      })
    }
    for (const name of ['connection-updated', 'connection-created'] as const) live.on(name, () => this.#look(client))
    live.on('state', ({ kind }) => {
      if (kind === 'reconnecting') this.#reconnects += 1
    })
    await live.once('snapshot')
    live.on('snapshot', () => this.#look(client))
    return client
  }

  #look(client: HoldfastClient): void {
    if (this.#told === undefined || !this.#waiting.has(client)) return
    const { connections } = client.live
    if (!this.#versions.every(([id, version]) => (connections.get(id)?.version ?? -1) >= version)) return
    this.#waiting.delete(client)
    if (this.#waiting.size === 0) this.#told()
  }

  #answer(): WatcherAnswer {
    const states = Map.groupBy(this.#clients, ({ live }) => digest(live.connections.values()))
    const latencies = [...this.#latencies.values()]
    this.#latencies = new Map()
    return {
      kind: 'known',
      latencies,
      states: [...states].map(([state, clients]) => [state, clients.length]),
      reconnects: this.#reconnects,
    }
  }
}

if (process.send !== undefined) {
  const watchers = new Watchers()
  const answer = (said: WatcherAnswer): void => void process.send?.(said)
  process.on('message', async (request: WatcherRequest) => {
    switch (request.kind) {
      case 'open':
        await watchers.open(request.baseUrl, request.apiKey, request.watchers)
        return answer({ kind: 'opened' })
      case 'know':
        return answer(await watchers.know(request.versions))
    }
  })
}
