import { setTimeout as delay } from 'node:timers/promises'
import { SendMessageBatchCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { Answer, Frame } from '../end-to-end/callers.ts'
import { ok } from '../faults/asking.ts'
import type { Fleet, Line } from '../faults/fleet.ts'
import { size } from './size.ts'

const ways = ['rest', 'standard', 'fifo'] as const
type Way = (typeof ways)[number]

interface Chat {
  readonly line: Line
  readonly customer: string
  readonly way: Way
  readonly texts: string[]
}

/** SQS's limit. */
const batchMax = 10
/** A caller asks again for so long: only a hang meets it, where one machine plays all the parts. */
const callForMs = Math.max(60_000, size.boundMs)
/** More of them at a time only measure that machine. */
const callersMax = 10
const problemsShown = 30
const partitionZero = 'holdfast-dev-partition-0.fifo'

/** Until it is answered for good, for a while. */
async function asked(call: () => Promise<Answer>): Promise<ReturnType<typeof ok>> {
  const until = performance.now() + callForMs
  for (let tries = 1; ; tries++) {
    const late = performance.now() > until
    const answer = await call().catch((error: Error) => {
      // The connection broke: whether it was accepted, only the key tells.
      if (late) throw error
      return undefined
    })
    const again = answer === undefined || answer.status === 429 || answer.status >= 500
    if (answer !== undefined && (!again || late)) return ok(answer)
    await delay(Math.min(2_000, 100 * 2 ** tries))
  }
}

/**
 * What goes out through REST and both sends queues, a chat for each way and line, and what comes in. Who writes it keeps the
 * account of what was accepted; at the end it is held against the phones, the store and what was published.
 */
export class Correspondence {
  readonly name: string
  readonly #fleet: Fleet
  readonly #chats: readonly Chat[]
  readonly #received = new Map<string, Line>()
  readonly #queues: SQSClient
  #callers = 0
  readonly #waitingCallers: (() => void)[] = []
  #startedAt = 0
  #writtenAt = 0
  #settledAt = 0

  private constructor(fleet: Fleet, name: string, chats: readonly Chat[]) {
    this.#fleet = fleet
    this.name = name
    this.#chats = chats
    this.#queues = new SQSClient(fleet.place.aws)
  }

  static async open(fleet: Fleet, name: string, lines: readonly Line[]): Promise<Correspondence> {
    const chats: Chat[] = []
    for (const line of lines)
      for (const way of ways) chats.push({ line, way, customer: await fleet.newPhone(), texts: [] })
    return new Correspondence(fleet, name, chats)
  }

  close(): void {
    this.#queues.destroy()
  }

  get accepted(): number {
    return this.#chats.reduce((sum, { texts }) => sum + texts.length, this.#received.size)
  }

  /** Sends so many through each way of each line, chats side by side, each in its order. `progress`: after each that is accepted. */
  async write(perChat: number, progress: () => Promise<void> = async () => undefined): Promise<void> {
    this.#startedAt = performance.now()
    await Promise.all(
      this.#chats.map(async (chat) => {
        for (let sent = 0; sent < perChat; ) {
          const count = chat.way === 'rest' ? 1 : Math.min(batchMax, perChat - sent)
          const texts = Array.from({ length: count }, (_, i) => this.#text(chat, i))
          await this.#inTurn(() => (chat.way === 'rest' ? this.#call(chat, String(texts[0])) : this.#post(chat, texts)))
          chat.texts.push(...texts)
          sent += count
          await progress()
        }
      }),
    )
    this.#writtenAt = performance.now()
  }

  /** Milliseconds in which all of it was asked for. */
  get writingMs(): number {
    return Math.round(this.#writtenAt - this.#startedAt)
  }

  /** Milliseconds from the last accepted send until every one had ended well. */
  get settledInMs(): number {
    return Math.round(this.#settledAt - this.#writtenAt)
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    while (this.#callers >= callersMax) await new Promise<void>((resolve) => this.#waitingCallers.push(resolve))
    this.#callers += 1
    try {
      await work()
    } finally {
      this.#callers -= 1
      this.#waitingCallers.shift()?.()
    }
  }

  #text({ line, way, texts }: Chat, offset: number): string {
    return `${this.name} ${line.device} ${way} ${texts.length + offset}`
  }

  /** As a caller does: what failed on the way, or was too much at a time, is asked for again, under the same key. */
  async #call({ line, customer }: Chat, body: string): Promise<void> {
    const headers = { 'idempotency-key': body.replaceAll(' ', '-') }
    const message = { to: customer, type: 'text', text: { body } }
    await asked(() => this.#fleet.tenant.post(`/connections/${line.connectionId}/messages`, message, headers))
  }

  async #post({ line, customer, way }: Chat, texts: readonly string[]): Promise<void> {
    const { sendsQueueUrl, sendsFifoQueueUrl } = this.#fleet.place.local
    const fifo = way === 'fifo'
    const { Failed } = await this.#queues.send(
      new SendMessageBatchCommand({
        QueueUrl: fifo ? sendsFifoQueueUrl : sendsQueueUrl,
        Entries: texts.map((body, i) => ({
          Id: String(i),
          MessageBody: JSON.stringify({
            version: 1,
            businessProfileId: this.#fleet.businessProfileId,
            connectionId: line.connectionId,
            to: customer,
            type: 'text',
            text: { body },
            // A client that tries again after a broken connection posts twice; FIFO queues have an id for that.
            ...(fifo ? {} : { idempotencyKey: body.replaceAll(' ', '-') }),
          }),
          ...(fifo ? { MessageGroupId: customer, MessageDeduplicationId: body.replaceAll(' ', '-') } : {}),
        })),
      }),
    )
    if ((Failed ?? []).length > 0) throw new Error(`the queue refused ${Failed?.length} messages`)
  }

  /** These bodies, as they are, to both sends queues and to the partition queue of a line. */
  async poison(bodies: readonly string[]): Promise<void> {
    const { sendsQueueUrl, sendsFifoQueueUrl } = this.#fleet.place.local
    const partitionUrl = sendsQueueUrl.replace(/[^/]+$/, partitionZero)
    for (const QueueUrl of [sendsQueueUrl, sendsFifoQueueUrl, partitionUrl]) {
      for (const [at, MessageBody] of bodies.entries()) {
        const fifo = QueueUrl.endsWith('.fifo')
        const place = fifo ? { MessageGroupId: 'poison', MessageDeduplicationId: `poison-${at}` } : {}
        await this.#queues.send(new SendMessageCommand({ QueueUrl, MessageBody, ...place }))
      }
    }
  }

  /** So many from each customer to its line. */
  async receive(perChat: number, progress: () => Promise<void> = async () => undefined): Promise<void> {
    this.#startedAt = performance.now()
    await Promise.all(
      this.#chats.map(async ({ line, customer, way }) => {
        for (let i = 0; i < perChat; i++) {
          const text = `${this.name} ${line.device} in ${way} ${i}`
          await this.#inTurn(() => this.#fleet.phones.send(customer, line.phoneNumber, text))
          this.#received.set(text, line)
          await progress()
        }
      }),
    )
    this.#writtenAt = performance.now()
  }

  /** Waits until all is where it belongs, then says what is wrong, in words; nothing, if all is well. */
  async problems(boundMs: number): Promise<readonly string[]> {
    const sent = this.#chats.flatMap(({ texts }) => texts)
    const [unread, unpublished] = await Promise.all([
      this.#missing(sent, boundMs, ({ event, data }) => event === 'message-status' && data.status === 'read'),
      this.#missing([...this.#received.keys()], boundMs, ({ event }) => event === 'message-received'),
    ])
    this.#settledAt = performance.now()
    const problems = [
      ...unread.map((text) => `${text}: not read within ${boundMs} ms`),
      ...unpublished.map((text) => `${text}: not published within ${boundMs} ms`),
      ...this.#publishedTwice(),
    ]
    for (const chat of this.#chats) problems.push(...(await this.#shown(chat)))
    for (const line of new Set(this.#chats.map((chat) => chat.line))) problems.push(...(await this.#stored(line)))
    const more = problems.length - problemsShown
    return more > 0 ? [...problems.slice(0, problemsShown), `and ${more} more`] : problems
  }

  /** Texts that no frame of that kind came for. */
  async #missing(texts: readonly string[], boundMs: number, matches: (frame: Frame) => boolean): Promise<string[]> {
    const missing = new Set(texts)
    const all = (frame: Frame) => {
      const text: unknown = frame.data?.text?.body
      if (typeof text === 'string' && missing.has(text) && matches(frame)) missing.delete(text)
      return missing.size === 0
    }
    if (texts.length > 0) await this.#fleet.observer.until('all of them', all, boundMs).catch(() => undefined)
    return [...missing]
  }

  #publishedTwice(): string[] {
    const ids = new Map<string, Set<string>>()
    for (const { event, id, data } of this.#fleet.observer.frames) {
      const text: unknown = data?.text?.body
      if (event !== 'message-received' || typeof text !== 'string' || !this.#received.has(text)) continue
      ids.set(text, (ids.get(text) ?? new Set()).add(id))
    }
    return [...ids]
      .filter(([, { size }]) => size > 1)
      .map(([text, { size }]) => `${text}: published as ${size} messages`)
  }

  /** Each text once, under one id; in the order of acceptance where the way in has one. */
  async #shown({ customer, way, texts }: Chat): Promise<string[]> {
    const inbox = await this.#fleet.phones.inbox(customer, 0)
    const shown = inbox.map(({ text }) => text)
    const problems = texts
      .filter((text) => shown.filter((each) => each === text).length !== 1)
      .map((text) => `${text}: the phone shows it ${shown.filter((each) => each === text).length} times`)
    if (shown.length !== texts.length) problems.push(`${customer} has ${shown.length} messages, not ${texts.length}`)
    if (way === 'standard' || problems.length > 0) return problems
    const late = texts.findIndex((text, i) => shown[i] !== text)
    return late < 0 ? [] : [`${texts[late]}: the phone shows ${shown[late]} in its place`]
  }

  /** What came in is in the history, once; what went out has ended well. */
  async #stored({ connectionId }: Line): Promise<string[]> {
    const counts = new Map<string, number>()
    const problems: string[] = []
    for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
      const query = new URLSearchParams({ limit: '100', ...(next === undefined ? {} : { next }) })
      const page = await asked(() => this.#fleet.tenant.get(`/connections/${connectionId}/messages?${query}`))
      next = page.next
      for (const { direction, status, text, messageId } of page.items) {
        if (!String(text?.body).startsWith(`${this.name} `)) continue
        if (direction === 'inbound') counts.set(text.body, (counts.get(text.body) ?? 0) + 1)
        else if (status !== 'read') problems.push(`${text.body} (${messageId}) ended as ${status}`)
      }
    }
    for (const [text, line] of this.#received) {
      if (line.connectionId !== connectionId || counts.get(text) === 1) continue
      problems.push(`${text}: stored ${counts.get(text) ?? 0} times`)
    }
    return problems
  }
}
