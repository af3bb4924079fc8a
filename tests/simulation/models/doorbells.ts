/**
 * The partitions' FIFO queues in memory: groups in order, one batch of a group on its way at a time, visibility timeouts, and
 * deduplication of what was rung twice.
 */
import type { Clock } from '../../../connector/ports.ts'
import { parseDoorbell } from '../../../shared/aws/doorbells.ts'
import type {
  Doorbell,
  DoorbellQueue,
  DoorbellRinger,
  ReceivedDoorbell,
} from '../../../shared/domain/stores/doorbell.ts'
import { assertNever, type PartitionId } from '../../../shared/domain/words.ts'

interface Message {
  readonly order: number
  readonly group: string
  readonly body: string
  receipt: string | undefined
  hiddenUntil: number
}

interface Poll {
  answer(messages: readonly ReceivedDoorbell[]): void
}

const visibilityMs = 30_000
const deduplicationMs = 300_000
const batchMax = 10

export class ModelDoorbells implements DoorbellQueue, DoorbellRinger {
  readonly #clock: Clock
  readonly #messages = new Map<PartitionId, Message[]>()
  readonly #seen = new Map<string, number>()
  readonly #polls = new Map<PartitionId, Set<Poll>>()
  readonly rejected: { readonly body: string; readonly reason?: string }[] = []
  #numbers = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async ring(partition: PartitionId, doorbell: Doorbell): Promise<void> {
    const send = doorbell.kind === 'send'
    const id = `${partition}:${doorbell.connectionId}:${ownId(doorbell)}`
    const now = this.#clock.monotonic()
    if ((this.#seen.get(id) ?? Number.NEGATIVE_INFINITY) > now - deduplicationMs) return
    this.#seen.set(id, now)
    const group = send ? doorbell.connectionId : `command:${doorbell.connectionId}`
    this.post(partition, group, JSON.stringify(doorbell))
  }

  post(partition: PartitionId, group: string, body: string): void {
    this.#of(partition).push({ order: ++this.#numbers, group, body, receipt: undefined, hiddenUntil: 0 })
    this.#answerPolls(partition)
  }

  async receive(partition: PartitionId, waitSeconds: number): Promise<readonly ReceivedDoorbell[]> {
    const messages = this.#take(partition)
    if (messages.length > 0 || waitSeconds === 0) return messages
    const polls = this.#polls.get(partition) ?? new Set()
    this.#polls.set(partition, polls)
    return new Promise((resolve) => {
      const poll: Poll = {
        answer: (found) => {
          polls.delete(poll)
          timer.cancel()
          resolve(found)
        },
      }
      const timer = this.#clock.after(waitSeconds * 1_000, () => poll.answer(this.#take(partition)))
      polls.add(poll)
    })
  }

  async done(partition: PartitionId, receipts: readonly string[]): Promise<void> {
    const gone = new Set(receipts)
    const rest = this.#of(partition).filter(({ receipt }) => receipt === undefined || !gone.has(receipt))
    this.#messages.set(partition, rest)
    this.#answerPolls(partition)
  }

  async handBack(partition: PartitionId, receipts: readonly string[]): Promise<void> {
    const back = new Set(receipts)
    for (const message of this.#of(partition)) {
      if (message.receipt !== undefined && back.has(message.receipt)) message.hiddenUntil = 0
    }
    this.#answerPolls(partition)
  }

  async reject(partition: PartitionId, message: ReceivedDoorbell): Promise<void> {
    this.rejected.push({ body: message.body, ...(message.problem === undefined ? {} : { reason: message.problem }) })
    await this.done(partition, [message.receipt])
  }

  #of(partition: PartitionId): Message[] {
    const messages = this.#messages.get(partition) ?? []
    this.#messages.set(partition, messages)
    return messages
  }

  #take(partition: PartitionId): readonly ReceivedDoorbell[] {
    const now = this.#clock.monotonic()
    const messages = this.#of(partition)
    const locked = new Set(messages.filter(({ hiddenUntil }) => hiddenUntil > now).map(({ group }) => group))
    const taken = messages.filter(({ group }) => !locked.has(group)).slice(0, batchMax)
    return taken.map((message) => {
      message.receipt = `receipt-${++this.#numbers}`
      message.hiddenUntil = now + visibilityMs
      return { receipt: message.receipt, body: message.body, ...parseDoorbell(message.body) }
    })
  }

  #answerPolls(partition: PartitionId): void {
    for (const poll of [...(this.#polls.get(partition) ?? [])]) {
      const messages = this.#take(partition)
      if (messages.length === 0) return
      poll.answer(messages)
    }
  }
}

/** What tells two rings of a connection apart. */
function ownId(doorbell: Doorbell): string {
  switch (doorbell.kind) {
    case 'send':
      return `${doorbell.messageId}:${doorbell.generation}`
    case 'operation':
      return doorbell.ringId
    case 'command':
      return doorbell.commandId
    case 'settings':
      return String(doorbell.version)
    case 'gesture':
      return doorbell.gestureId
    default:
      return assertNever(doorbell)
  }
}
