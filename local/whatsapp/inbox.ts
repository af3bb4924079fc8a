/** What a simulated phone shows: each message once, however often it arrived, and what it could not decrypt. */

import type { MessageView } from './message-view.ts'

export interface InboxMessage extends MessageView {
  id: string
  /** Phone number of the sender. */
  from: string
  /** The sender's device: 0 is a phone, others are companions. */
  device: number
  /** Where it was written in a group. */
  group?: string
  /** The field of the Message protobuf that is set, such as `conversation`. */
  type: string
  text: string | undefined
  receivedAt: string
  arrivals: number
  read: boolean
  played: boolean
}

export interface UndecryptableMessage {
  id: string
  from: string
  device: number
  reason: string
  /** How often a ciphertext under this id failed. */
  failures: number
  /** True once a later copy was decrypted. */
  resolved: boolean
}

export interface InboxRecord {
  messages: InboxMessage[]
  undecryptable: UndecryptableMessage[]
}

/** The newest are kept: enough for a bench to compare, and a bound on memory. */
const MESSAGES_MAX = 50_000

interface Waiter {
  count: number
  wake: () => void
}

function key(from: string, id: string): string {
  return `${from} ${id}`
}

export class Inbox {
  readonly #onChange: () => void
  readonly #messages = new Map<string, InboxMessage>()
  /** The newest message of each id, whoever sent it. */
  readonly #byId = new Map<string, InboxMessage>()
  readonly #undecryptable = new Map<string, UndecryptableMessage>()
  readonly #waiters = new Set<Waiter>()

  constructor(onChange: () => void, record?: InboxRecord) {
    this.#onChange = onChange
    for (const message of record?.messages ?? []) this.#keep(message)
    for (const failed of record?.undecryptable ?? []) this.#undecryptable.set(key(failed.from, failed.id), failed)
  }

  get(from: string, id: string): InboxMessage | undefined {
    return this.#messages.get(key(from, id))
  }

  /** By id alone, for whoever reads a message without knowing its sender. */
  findById(id: string): InboxMessage | undefined {
    return this.#byId.get(id)
  }

  /** Returns the entry; a message that is there already counts one more arrival. */
  add(message: Omit<InboxMessage, 'arrivals' | 'read' | 'played'>): InboxMessage {
    const known = this.#messages.get(key(message.from, message.id))
    if (known) {
      known.arrivals++
      this.#onChange()
      return known
    }
    const entry = { ...message, arrivals: 1, read: false, played: false }
    this.#keep(entry)
    const oldest = this.#messages.size > MESSAGES_MAX ? this.#messages.values().next().value : undefined
    if (oldest) {
      this.#messages.delete(key(oldest.from, oldest.id))
      if (this.#byId.get(oldest.id) === oldest) this.#byId.delete(oldest.id)
    }
    this.#onChange()
    for (const waiter of this.#waiters) if (this.#messages.size >= waiter.count) waiter.wake()
    return entry
  }

  mark(message: InboxMessage, as: 'read' | 'played'): void {
    message.read = true
    if (as === 'played') message.played = true
    this.#onChange()
  }

  /** Returns how often a message under this id failed by now. */
  failed(from: string, device: number, id: string, reason: string): UndecryptableMessage {
    const known = this.#undecryptable.get(key(from, id))
    const entry = known ?? { id, from, device, reason, failures: 0, resolved: false }
    entry.failures++
    entry.reason = reason
    this.#undecryptable.set(key(from, id), entry)
    this.#onChange()
    return entry
  }

  /** A message that had failed before is decrypted now. */
  resolve(from: string, id: string): void {
    const failed = this.#undecryptable.get(key(from, id))
    if (!failed || failed.resolved) return
    failed.resolved = true
    this.#onChange()
  }

  /** Resolves when at least `count` messages are there, or when the signal ends the wait. */
  async waitFor(count: number, signal: AbortSignal): Promise<void> {
    if (this.#messages.size >= count || signal.aborted) return
    await new Promise<void>((resolve) => {
      const waiter = {
        count,
        wake: () => {
          this.#waiters.delete(waiter)
          signal.removeEventListener('abort', waiter.wake)
          resolve()
        },
      }
      this.#waiters.add(waiter)
      signal.addEventListener('abort', waiter.wake)
    })
  }

  clear(): void {
    this.#messages.clear()
    this.#byId.clear()
    this.#undecryptable.clear()
    this.#onChange()
  }

  record(): InboxRecord {
    return { messages: [...this.#messages.values()], undecryptable: [...this.#undecryptable.values()] }
  }

  #keep(message: InboxMessage): void {
    this.#messages.set(key(message.from, message.id), message)
    this.#byId.set(message.id, message)
  }
}
