import { cancelTimers, type SendEntry } from './send-entry.ts'

/** Ids of ended sends that are remembered: the index of waiting sends may still list them for a moment. */
const endedKept = 5_000

/** The sends of one connection from acceptance to outcome, by WhatsApp id; those that wait stand in order of acceptance. */
export class SendList {
  readonly #entries = new Map<string, SendEntry>()
  /** By `seq`. */
  readonly #waiting: SendEntry[] = []
  readonly #ended = new Set<string>()
  #quietWaiters: (() => void)[] = []

  get size(): number {
    return this.#entries.size
  }

  /** Those that wait, by `seq`. Changes under who iterates over it. */
  get waiting(): readonly SendEntry[] {
    return this.#waiting
  }

  /** Changes under who iterates over it. */
  all(): Iterable<SendEntry> {
    return this.#entries.values()
  }

  get(whatsappId: string): SendEntry | undefined {
    return this.#entries.get(whatsappId)
  }

  /** Here now, or here until lately. */
  knows(whatsappId: string): boolean {
    return this.#entries.has(whatsappId) || this.#ended.has(whatsappId)
  }

  has(entry: SendEntry): boolean {
    return this.#entries.get(entry.row.whatsappId) === entry
  }

  add(entry: SendEntry): void {
    this.#entries.set(entry.row.whatsappId, entry)
    this.#insert(entry)
  }

  /** Back to its place among those that wait. */
  putBack(entry: SendEntry): void {
    entry.state = 'waiting'
    this.#insert(entry)
  }

  /** Its turn has come: it is no longer among those that wait. */
  takeOut(entry: SendEntry): void {
    const at = this.#waiting.indexOf(entry)
    if (at >= 0) this.#waiting.splice(at, 1)
  }

  /** How it ended is known: nothing of it happens by itself any more. */
  ending(entry: SendEntry): void {
    entry.state = 'ending'
    cancelTimers(entry)
    this.takeOut(entry)
  }

  /** How it ended is stored. */
  forget(entry: SendEntry): void {
    if (!this.has(entry)) return
    const { whatsappId } = entry.row
    this.#entries.delete(whatsappId)
    this.#ended.add(whatsappId)
    if (this.#ended.size > endedKept) this.#ended.delete(this.#ended.values().next().value as string)
  }

  clear(): void {
    for (const entry of this.#entries.values()) cancelTimers(entry)
    this.#entries.clear()
    this.#waiting.length = 0
    this.#wakeQuietWaiters()
  }

  /** Resolves when nothing is on its way and no outcome is to be stored. */
  quiet(): Promise<void> {
    if (this.#isQuiet()) return Promise.resolve()
    return new Promise((resolve) => this.#quietWaiters.push(resolve))
  }

  /** States have changed. */
  tellIfQuiet(): void {
    if (this.#isQuiet()) this.#wakeQuietWaiters()
  }

  #insert(entry: SendEntry): void {
    // Mostly it belongs at the end.
    let at = this.#waiting.length
    while (at > 0 && (this.#waiting[at - 1] as SendEntry).row.seq > entry.row.seq) at -= 1
    this.#waiting.splice(at, 0, entry)
  }

  #isQuiet(): boolean {
    for (const { state } of this.#entries.values()) {
      if (state === 'handing' || state === 'unacked' || state === 'ending') return false
    }
    return true
  }

  #wakeQuietWaiters(): void {
    for (const wake of this.#quietWaiters.splice(0)) wake()
  }
}
