import { SendMessageBatchCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type Fleet, type Line, ok } from '../faults/fleet.ts'

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
const callTriesMax = 5
const partitionZero = 'holdfast-dev-partition-0.fifo'

/**
 * What goes out through REST and both sends queues, a chat for each way and line, and what comes in. Who writes it keeps the
 * account of what was accepted; at the end it is held against the phones, the store and what was published.
 */
export class Correspondence {
  readonly #fleet: Fleet
  readonly #name: string
  readonly #chats: readonly Chat[]
  readonly #received = new Map<string, Line>()
  readonly #queues: SQSClient

  private constructor(fleet: Fleet, name: string, chats: readonly Chat[]) {
    this.#fleet = fleet
    this.#name = name
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
    return this.#chats.reduce((sum, { texts }) => sum + texts.length, 0)
  }

  /** Sends so many through each way of each line, chats side by side, each in its order. `progress`: after each that is accepted. */
  async write(perChat: number, progress: () => void = () => undefined): Promise<void> {
    await Promise.all(
      this.#chats.map(async (chat) => {
        for (let sent = 0; sent < perChat; ) {
          const count = chat.way === 'rest' ? 1 : Math.min(batchMax, perChat - sent)
          const texts = Array.from({ length: count }, (_, i) => this.#text(chat, i))
          if (chat.way === 'rest') await this.#call(chat, String(texts[0]))
          else await this.#post(chat, texts)
          chat.texts.push(...texts)
          sent += count
          progress()
        }
      }),
    )
  }

  #text({ line, way, texts }: Chat, offset: number): string {
    return `${this.#name} ${line.device} ${way} ${texts.length + offset}`
  }

  /** As a caller does: what failed on the way is asked for again, under the same key. */
  async #call({ line, customer }: Chat, body: string): Promise<void> {
    const headers = { 'idempotency-key': body.replaceAll(' ', '-') }
    for (let tries = 1; ; tries++) {
      const message = { to: customer, type: 'text', text: { body } }
      const answer = await this.#fleet.tenant.post(`/connections/${line.connectionId}/messages`, message, headers)
      if (answer.status < 500 || tries === callTriesMax) return void ok(answer)
    }
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
  async receive(perChat: number, progress: () => void = () => undefined): Promise<void> {
    await Promise.all(
      this.#chats.map(async ({ line, customer, way }) => {
        for (let i = 0; i < perChat; i++) {
          const text = `${this.#name} ${line.device} in ${way} ${i}`
          await this.#fleet.phones.send(customer, line.phoneNumber, text)
          this.#received.set(text, line)
          progress()
        }
      }),
    )
  }

  /** Waits until all is where it belongs, then says what is wrong, in words; nothing, if all is well. */
  async problems(boundMs: number): Promise<readonly string[]> {
    const problems = (
      await Promise.all([
        ...this.#chats.flatMap((chat) => chat.texts.map((text) => this.#status(text, 'read', boundMs))),
        ...[...this.#received.keys()].map((text) => this.#published(text, boundMs)),
      ])
    ).flat()
    for (const chat of this.#chats) problems.push(...(await this.#shown(chat)))
    for (const line of new Set(this.#chats.map((chat) => chat.line))) problems.push(...(await this.#stored(line)))
    return problems
  }

  #status(text: string, status: string, boundMs: number): Promise<string[]> {
    return this.#fleet.observer
      .until(
        `${text} to be ${status}`,
        ({ event, data }) => event === 'message-status' && data.text?.body === text && data.status === status,
        boundMs,
      )
      .then(
        () => [],
        (error: Error) => [error.message],
      )
  }

  async #published(text: string, boundMs: number): Promise<string[]> {
    const isIt = ({ event, data }: { event: string; data: { text?: { body: string } } }) =>
      event === 'message-received' && data.text?.body === text
    try {
      await this.#fleet.observer.until(text, isIt, boundMs)
    } catch (error) {
      return [(error as Error).message]
    }
    const frames = new Set(this.#fleet.observer.frames.filter(isIt).map(({ id }) => id))
    return frames.size === 1 ? [] : [`${text}: published as ${frames.size} messages`]
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
      const page = ok(await this.#fleet.tenant.get(`/connections/${connectionId}/messages?${query}`))
      next = page.next
      for (const { direction, status, text, messageId } of page.items) {
        if (!String(text?.body).startsWith(`${this.#name} `)) continue
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
