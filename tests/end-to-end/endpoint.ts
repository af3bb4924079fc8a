import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { type OutwardEvent, outwardEventSchema } from '../../shared/api/events.ts'

/** How it treats the next requests. */
export type Mood = 'well' | 'failing' | 'hanging' | 'gone' | 'redirecting'

/** Somebody's webhook endpoint: it keeps what it took, verified by the reference library of Standard Webhooks. */
export class Endpoint {
  readonly url: string
  mood: Mood = 'well'
  /** While it fails: what it says to each. */
  secret = ''
  readonly taken: OutwardEvent[] = []
  readonly headers: NodeJS.Dict<string | string[]>[] = []
  readonly invalid: string[] = []
  refused = 0
  readonly #server: ReturnType<typeof createServer>
  readonly #hanging = new Set<ServerResponse>()

  private constructor(server: ReturnType<typeof createServer>, port: number) {
    this.#server = server
    this.url = `http://127.0.0.1:${port}/hooks`
  }

  static async open(): Promise<Endpoint> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('expected a port')
    const endpoint = new Endpoint(server, address.port)
    server.on('request', async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      endpoint.#answer(Buffer.concat(chunks).toString('utf8'), request.headers, response)
    })
    return endpoint
  }

  #answer(body: string, headers: NodeJS.Dict<string | string[]>, response: ServerResponse): void {
    if (this.mood !== 'well') {
      this.refused += 1
      if (this.mood === 'hanging') {
        this.#hanging.add(response)
        return
      }
      const status = { failing: 503, gone: 410, redirecting: 302 }[this.mood]
      response.writeHead(status, this.mood === 'redirecting' ? { location: this.url } : {}).end()
      return
    }
    try {
      const event = new Webhook(this.secret).verify(body, headers as Record<string, string>)
      const parsed = outwardEventSchema.parse(event) as OutwardEvent
      if (parsed.id !== headers['webhook-id']) throw new Error('webhook-id is not the id of the event')
      this.taken.push(parsed)
      this.headers.push(headers)
    } catch (error) {
      this.invalid.push(String(error))
    }
    response.writeHead(204).end()
  }

  /** Waits until it has taken what `enough` asks for. */
  async until(what: string, enough: (taken: readonly OutwardEvent[]) => boolean, boundMs = 90_000): Promise<void> {
    const until = Date.now() + boundMs
    while (!enough(this.taken)) {
      if (Date.now() > until) throw new Error(`${what}: not within ${boundMs} ms; it took ${this.taken.length}`)
      await delay(25)
    }
  }

  async until503s(count: number, boundMs = 60_000): Promise<void> {
    const until = Date.now() + boundMs
    while (this.refused < count) {
      if (Date.now() > until) throw new Error(`it refused ${this.refused} within ${boundMs} ms, expected ${count}`)
      await delay(25)
    }
  }

  /** Of each connection, the first time each event came, in that order. */
  byConnection(): ReadonlyMap<string | null, readonly OutwardEvent[]> {
    const seen = new Set<string>()
    const firsts = this.taken.filter(({ id }) => !seen.has(id) && seen.add(id))
    return Map.groupBy(firsts, ({ connectionId }) => connectionId)
  }

  async close(): Promise<void> {
    for (const response of this.#hanging) response.destroy()
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
