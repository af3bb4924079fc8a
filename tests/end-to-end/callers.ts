import { EventEmitter, on, once } from 'node:events'
import { WebSocket } from 'ws'

/** What an outside caller has: URLs and a key. No code of ours is between the test and the wire. */

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: a caller reads JSON; the assertions say what must be in it
  readonly body: any
}

export interface Rest {
  get(path: string, headers?: Record<string, string>): Promise<Answer>
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  delete(path: string): Promise<Answer>
  /** Any bytes, for bad input. */
  raw(method: string, path: string, body: string | undefined, headers: Record<string, string>): Promise<Answer>
}

export function rest(baseUrl: string, apiKey?: string): Rest {
  const call = async (method: string, path: string, body?: string, headers: Record<string, string> = {}) => {
    const response = await fetch(new URL(path.replace(/^\//, ''), baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`), {
      method,
      headers: { ...(apiKey ? { 'x-api-key': apiKey } : {}), ...headers },
      ...(body === undefined ? {} : { body }),
    })
    const text = await response.text()
    const json = /json/.test(response.headers.get('content-type') ?? '')
    return { status: response.status, headers: response.headers, body: json && text !== '' ? JSON.parse(text) : text }
  }
  return {
    get: (path, headers) => call('GET', path, undefined, headers),
    post: (path, body, headers) =>
      call('POST', path, body === undefined ? undefined : JSON.stringify(body), {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      }),
    delete: (path) => call('DELETE', path),
    raw: call,
  }
}

export interface Frame {
  readonly id: string
  readonly event: string
  readonly at: string
  readonly connectionId?: string
  readonly version?: number
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly data: any
}

/** A browser that watches: every frame is kept, in order; `next` finds the first one after the last one found. */
export class Watcher {
  readonly frames: Frame[] = []
  readonly #arrivals = new EventEmitter()
  readonly #socket: WebSocket
  #position = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.#arrivals.setMaxListeners(0)
    socket.on('message', (data) => {
      const parsed = JSON.parse(String(data)) as Frame | Frame[]
      for (const frame of Array.isArray(parsed) ? parsed : [parsed]) this.frames.push(frame)
      this.#arrivals.emit('frame')
    })
    socket.on('close', (code) => this.#arrivals.emit('frame', `the socket closed with ${code}`))
  }

  static async open(caller: Rest, liveUrl: string, query: Record<string, string> = {}): Promise<Watcher> {
    const { body } = await caller.post('/live/tickets')
    const socket = new WebSocket(`${liveUrl}?${new URLSearchParams({ ticket: body.ticket, ...query })}`)
    const watcher = new Watcher(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    return watcher
  }

  /** Says something on the socket, and gives what it is answered with. */
  ask(request: object): Promise<Frame> {
    this.#socket.send(JSON.stringify(request))
    return this.next('the answer', ({ event }) => ['subscribed', 'pong', 'error'].includes(event))
  }

  /** Waits for a frame after the last one found; says what came instead when it does not come. */
  async next(what: string, matches: (frame: Frame) => boolean, timeoutMs = 60_000): Promise<Frame> {
    const signal = AbortSignal.timeout(timeoutMs)
    const arrivals = on(this.#arrivals, 'frame', { signal })
    try {
      for (;;) {
        while (this.#position < this.frames.length) {
          const frame = this.frames[this.#position]
          this.#position += 1
          if (frame !== undefined && matches(frame)) return frame
        }
        const arrival = await arrivals.next()
        const closed: unknown = arrival.value?.[0]
        if (typeof closed === 'string') throw new Error(`waited for ${what}, but ${closed}; ${this.#seen()}`)
      }
    } catch (error) {
      if (signal.aborted) throw new Error(`waited ${timeoutMs} ms for ${what}; ${this.#seen()}`, { cause: error })
      throw error
    } finally {
      await arrivals.return?.()
    }
  }

  #seen(): string {
    const lines = this.frames.map((f) => `${f.event} ${f.data?.status ?? ''} ${f.data?.reason ?? ''}`.trim())
    return `seen so far: ${lines.join(' | ') || 'nothing'}`
  }

  /** Resolves when the socket is closed, by whomever; true when it was within the time. */
  async closes(timeoutMs: number): Promise<boolean> {
    if (this.#socket.readyState === WebSocket.CLOSED) return true
    const signal = AbortSignal.timeout(timeoutMs)
    return once(this.#socket, 'close', { signal }).then(
      () => true,
      () => false,
    )
  }

  say(text: string): void {
    this.#socket.send(text)
  }

  close(): void {
    this.#socket.close()
  }
}

/** The simulated phones, as a person would use them. */
export interface Phones {
  create(phoneNumber: string, options?: object): Promise<void>
  scan(phoneNumber: string, qr: string): Promise<void>
  enterCode(phoneNumber: string, code: string): Promise<void>
  /** The inbox once it holds at least `count` messages. */
  inbox(phoneNumber: string, count: number): Promise<readonly InboxEntry[]>
  send(phoneNumber: string, to: string, text: string): Promise<void>
  // biome-ignore lint/suspicious/noExplicitAny: as above
  stats(): Promise<any>
  fault(fault: object): Promise<string>
}

export interface InboxEntry {
  readonly id: string
  readonly text?: string
  readonly from: string
  readonly arrivals?: number
}

export function phones(simulatorUrl: string): Phones {
  const simulator = rest(simulatorUrl)
  const digits = (phoneNumber: string) => phoneNumber.replace(/^\+/, '')
  const expectOk = (what: string, answer: Answer) => {
    if (answer.status >= 300) throw new Error(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  return {
    async create(phoneNumber, options = {}) {
      expectOk('create phone', await simulator.post('/phones', { phoneNumber: digits(phoneNumber), ...options }))
    },
    async scan(phoneNumber, qr) {
      expectOk('scan', await simulator.post(`/phones/${digits(phoneNumber)}/scan`, { qr }))
    },
    async enterCode(phoneNumber, code) {
      expectOk('enter code', await simulator.post(`/phones/${digits(phoneNumber)}/pairing-code`, { code }))
    },
    async inbox(phoneNumber, count) {
      const body = expectOk('inbox', await simulator.get(`/phones/${digits(phoneNumber)}/inbox?count=${count}&wait=60`))
      const messages: InboxEntry[] = Array.isArray(body) ? body : body.messages
      if (messages.length < count) throw new Error(`the inbox of ${phoneNumber} has ${messages.length} of ${count}`)
      return messages
    },
    async send(phoneNumber, to, text) {
      expectOk('send', await simulator.post(`/phones/${digits(phoneNumber)}/messages`, { to: digits(to), text }))
    },
    async stats() {
      return expectOk('stats', await simulator.get('/stats'))
    },
    async fault(fault) {
      return expectOk('fault', await simulator.post('/faults', fault)).id
    },
  }
}
