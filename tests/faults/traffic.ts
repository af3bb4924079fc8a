import { setTimeout as delay } from 'node:timers/promises'
import type { Fleet, Line } from './fleet.ts'

interface Accepted {
  readonly line: Line
  readonly customer: string
  readonly messageId: string
  readonly text: string
}

/** Messages of a line that may be under way in one direction: a slow machine gets fewer, not a backlog. */
const underWayMax = 3
const readMs = 60_000

/** Every line writes with a customer of its own, both ways, until it is stopped; then it is counted who got what. */
export class Traffic {
  readonly #fleet: Fleet
  readonly #lines: readonly Line[]
  readonly #random: () => number
  readonly #name: string
  readonly #accepted: Accepted[] = []
  /** Text, and the line that it was sent to. */
  readonly #inbound = new Map<string, Line>()
  readonly #customers = new Map<Line, string>()
  readonly #stopped = new AbortController()
  readonly #failures: Error[] = []
  #loops: Promise<unknown> = Promise.resolve()

  private constructor(fleet: Fleet, lines: readonly Line[], random: () => number, name: string) {
    this.#fleet = fleet
    this.#lines = lines
    this.#random = random
    this.#name = name
  }

  /** `pauseMs`: the longest between two messages of a line in one direction. */
  static async start(
    fleet: Fleet,
    lines: readonly Line[],
    options: { readonly name: string; readonly random: () => number; readonly pauseMs: number },
  ): Promise<Traffic> {
    const traffic = new Traffic(fleet, lines, options.random, options.name)
    for (const line of lines) traffic.#customers.set(line, await fleet.newPhone())
    traffic.#loops = Promise.all(
      lines
        .flatMap((line) => [
          traffic.#loop(options.pauseMs, (count) => traffic.#write(line, count)),
          traffic.#loop(options.pauseMs, (count) => traffic.#receive(line, count)),
        ])
        .map((loop) => loop.catch((error: Error) => void traffic.#failures.push(error))),
    )
    return traffic
  }

  get accepted(): number {
    return this.#accepted.length
  }

  /** Until one more of its messages was read. */
  async flows(boundMs: number): Promise<void> {
    const from = new Date().toISOString()
    await this.#fleet.observer.until(
      'a message to be read',
      ({ event, at, data }) => event === 'message-status' && data.status === 'read' && at > from,
      boundMs,
    )
    this.mustGoOn()
  }

  /** Throws what ended a loop: who cannot write or be written to any more proves nothing. */
  mustGoOn(): void {
    const [first] = this.#failures
    if (first !== undefined) throw new Error(`traffic of ${this.#name} ended: ${first.message}`, { cause: first })
  }

  /** Without a look at what became of it. */
  stop(): void {
    this.#stopped.abort()
  }

  /** `step` gives what ends when its message has arrived. */
  async #loop(pauseMs: number, step: (count: number) => Promise<() => Promise<unknown>>): Promise<void> {
    const underWay: (() => Promise<unknown>)[] = []
    const stopped = new Promise<void>((resolve) => {
      this.#stopped.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    for (let count = 0; !this.#stopped.signal.aborted; count += 1) {
      underWay.push(await step(count))
      // What never arrives is told at the end.
      if (underWay.length >= underWayMax)
        await Promise.race([
          underWay
            .shift()?.()
            .catch(() => undefined),
          stopped,
        ])
      await delay(pauseMs * this.#random(), undefined, { signal: this.#stopped.signal }).catch(() => undefined)
    }
  }

  #customer(line: Line): string {
    const customer = this.#customers.get(line)
    if (customer === undefined) throw new Error(`no customer writes with ${line.phoneNumber}`)
    return customer
  }

  async #write(line: Line, count: number): Promise<() => Promise<unknown>> {
    const text = `${this.#name} out ${line.device} ${count}`
    const customer = this.#customer(line)
    const messageId = await this.#fleet.send(line, customer, text)
    this.#accepted.push({ line, customer, text, messageId })
    return () => this.#fleet.sendStatus(messageId, 'read', readMs)
  }

  async #receive(line: Line, count: number): Promise<() => Promise<unknown>> {
    const text = `${this.#name} in ${line.device} ${count}`
    await this.#fleet.phones.send(this.#customer(line), line.phoneNumber, text)
    this.#inbound.set(text, line)
    return () => this.#received(text, readMs)
  }

  #received(text: string, boundMs: number): Promise<unknown> {
    return this.#fleet.observer.until(
      text,
      ({ event, data }) => event === 'message-received' && data.text?.body === text,
      boundMs,
    )
  }

  /** Ends it, waits until all that was accepted was read, and gives what is wrong then, in words; nothing, if all is well. */
  async settle(boundMs: number): Promise<readonly string[]> {
    this.stop()
    await this.#loops
    this.mustGoOn()
    const problems: string[] = []
    const note = (what: string) => (error: Error) => void problems.push(`${what}: ${error.message}`)
    await Promise.all([
      ...this.#accepted.map(({ messageId, text }) =>
        this.#fleet.sendStatus(messageId, 'read', boundMs).then(() => undefined, note(text)),
      ),
      ...[...this.#inbound.keys()].map((text) => this.#received(text, boundMs).then(() => undefined, note(text))),
    ])
    for (const line of this.#lines) problems.push(...(await this.#compareInbox(line)))
    return [...problems, ...this.#receivedTwice()]
  }

  async #compareInbox(line: Line): Promise<readonly string[]> {
    const inbox = await this.#fleet.phones.inbox(this.#customer(line), 0)
    return this.#accepted
      .filter((each) => each.line === line)
      .flatMap(({ text }) => {
        const copies = inbox.filter((message) => message.text === text).length
        return copies === 1 ? [] : [`${text}: the phone shows it ${copies} times`]
      })
  }

  #receivedTwice(): readonly string[] {
    const ids = new Map<string, Set<string>>()
    for (const { event, data } of this.#fleet.observer.frames) {
      const text: unknown = data?.text?.body
      if (event !== 'message-received' || typeof text !== 'string' || !this.#inbound.has(text)) continue
      ids.set(text, (ids.get(text) ?? new Set()).add(data.messageId))
    }
    return [...ids].flatMap(([text, of]) => (of.size === 1 ? [] : [`${text}: stored as ${of.size} messages`]))
  }
}
