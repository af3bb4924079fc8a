import { type OutboundRow, previousKept, type WorkerMessages } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import { HoldingEnded, type StoreContext, untilStored } from './until-stored.ts'

/** What was accepted so long before another send is in the index of waiting sends by the time that one is looked at. */
const indexLagMsMax = 60_000
/** Rows in one read. */
const readMax = 100

/**
 * Which of a connection's sends are accounted for. A doorbell may get lost or come late, so what comes with a number beyond
 * the next one waits until those in between are known: from the index of waiting sends and, as that shows the latest of them
 * late, from the rows themselves, each of which names its predecessors. A number of which there is no row was taken and
 * not used, or is being used at this moment by a caller who has no answer yet: nobody was promised an order then.
 */
export class AcceptanceOrder {
  readonly #ref: ConnectionRef
  readonly #messages: WorkerMessages
  readonly #store: StoreContext
  readonly #onFound: (row: OutboundRow, consistent: boolean) => void
  readonly #onClear: () => void
  /** All up to this number are accounted for; unknown until the first look. */
  #through: number | undefined
  /** Rows beyond, by number. */
  readonly #beyond = new Map<number, OutboundRow>()
  #looking = false

  constructor(options: {
    readonly ref: ConnectionRef
    readonly messages: WorkerMessages
    readonly store: StoreContext
    /** A send that waits, and of which no doorbell came so far. `consistent`: the row is as it is, not as an index has it. */
    readonly onFound: (row: OutboundRow, consistent: boolean) => void
    /** More is accounted for. */
    readonly onClear: () => void
  }) {
    this.#ref = options.ref
    this.#messages = options.messages
    this.#store = options.store
    this.#onFound = options.onFound
    this.#onClear = options.onClear
  }

  /** All that was accepted before that number has come, or will not. */
  isClear(seq: number): boolean {
    return this.#through !== undefined && seq <= this.#through
  }

  /** A send of any status came to be known. */
  came(row: OutboundRow): void {
    this.#note(row)
    if (!this.isClear(row.seq) && !this.#looking) void this.#look()
  }

  #note(row: OutboundRow): void {
    if (this.isClear(row.seq)) return
    this.#beyond.set(row.seq, row)
    this.#advance()
  }

  #advance(): void {
    if (this.#through === undefined) {
      if (!this.#beyond.has(1)) return
      this.#through = 0
    }
    while (this.#beyond.delete(this.#through + 1)) this.#through += 1
  }

  async #look(): Promise<void> {
    this.#looking = true
    try {
      while (this.#beyond.size > 0) {
        const last = Math.max(...this.#beyond.keys())
        await this.#account(last)
        this.#through = Math.max(last, this.#through ?? 0)
        for (const seq of this.#beyond.keys()) if (seq <= this.#through) this.#beyond.delete(seq)
        this.#advance()
        this.#onClear()
      }
    } catch (error) {
      if (!(error instanceof HoldingEnded)) throw error
    } finally {
      this.#looking = false
    }
  }

  /** Finds what is between the last number that is accounted for and this one. */
  async #account(last: number): Promise<void> {
    const from = this.#through
    const missing = last - 1 - (from ?? 0) - (this.#beyond.size - 1)
    let since = Number.NEGATIVE_INFINITY
    if (from === undefined || missing > previousKept || !this.#isNamed(from, last)) {
      const latest = this.#beyond.get(last) as OutboundRow
      since = Date.parse(latest.createdAt) - indexLagMsMax
      const range = { after: from ?? 0, before: last }
      const listed = await untilStored(this.#store, 'list waiting sends', () =>
        this.#messages.listWaitingOf(this.#ref, latest.partition, range),
      )
      for (const row of listed) this.#found(row, false)
    }
    const looked = new Set<number>()
    for (;;) {
      const ids = this.#unknown(from ?? 0, last, since, looked)
      if (ids.size === 0) return
      await this.#read([...ids])
      for (const seq of ids.keys()) looked.add(seq)
    }
  }

  /** Predecessors that rows since then name and nobody has seen, by number. */
  #unknown(from: number, last: number, since: number, looked: ReadonlySet<number>): ReadonlyMap<number, string> {
    const ids = new Map<number, string>()
    for (const row of this.#beyond.values()) {
      if (row.seq > last || Date.parse(row.createdAt) < since) continue
      for (const [i, whatsappId] of (row.previous ?? []).entries()) {
        const seq = row.seq - 1 - i
        const known = seq <= from || this.isClear(seq) || this.#beyond.has(seq)
        if (!known && !looked.has(seq)) ids.set(seq, whatsappId)
      }
    }
    return ids
  }

  /** Whether the rows at hand name all that is missing between two numbers, of which there are few. */
  #isNamed(from: number, last: number): boolean {
    const named = this.#unknown(from, last, Number.NEGATIVE_INFINITY, new Set())
    for (let seq = from + 1; seq < last; seq += 1) if (!this.#beyond.has(seq) && !named.has(seq)) return false
    return true
  }

  async #read(places: readonly (readonly [seq: number, whatsappId: string])[]): Promise<void> {
    for (let at = 0; at < places.length; at += readMax) {
      const some = places.slice(at, at + readMax)
      const ids = some.map(([, whatsappId]) => whatsappId)
      const rows = await untilStored(this.#store, 'read sends', () => this.#messages.getByWhatsappIds(this.#ref, ids))
      for (const [seq, whatsappId] of some) {
        const row = rows.get(whatsappId)
        // Under another number: the place was taken twice for it.
        if (row?.seq === seq) this.#found(row, true)
      }
    }
  }

  #found(row: OutboundRow, consistent: boolean): void {
    if (!this.isClear(row.seq)) this.#beyond.set(row.seq, row)
    if (row.status === 'queued') this.#onFound(row, consistent)
  }
}
