import type { Clock, ConnectionRow, Log } from '../ports.ts'

/** How a connection's first restore came out. */
export type RestoreResult = 'open' | 'opening' | 'waiting' | 'stopped' | 'ended'

/**
 * What a person can follow of a restore: how many were found, one line each, then the totals; and the same as figures for the
 * worker's row. A restore that finds more while it runs (further partitions taken) goes on as one.
 */
export class RestoreProgress {
  readonly #clock: Clock
  readonly #log: Log
  readonly #changed: (progress: { readonly done: number; readonly total: number } | undefined) => void
  #done = 0
  #total = 0
  #startedAt = 0
  #results = new Map<RestoreResult, number>()

  constructor(clock: Clock, log: Log, changed: (progress: { done: number; total: number } | undefined) => void) {
    this.#clock = clock
    this.#log = log
    this.#changed = changed
  }

  get current(): { readonly done: number; readonly total: number } {
    return { done: this.#done, total: this.#total }
  }

  /** Connections that were linked once, in the order in which they come back. */
  found(rows: readonly ConnectionRow[]): void {
    if (rows.length === 0) return
    this.#log.info({ found: rows.length }, `Restoring WhatsApp connections... found ${rows.length}`)
    for (const row of rows) {
      const fields = { businessProfileId: row.businessProfileId, connectionId: row.connectionId }
      this.#log.info(fields, `Restoring ${row.phoneNumber ?? 'a number not known yet'} (${row.label})`)
    }
    if (this.#total === this.#done) {
      this.#done = 0
      this.#total = 0
      this.#results = new Map()
      this.#startedAt = this.#clock.monotonic()
    }
    this.#total += rows.length
    this.#changed(this.current)
  }

  settled(result: RestoreResult): void {
    this.#done++
    this.#results.set(result, (this.#results.get(result) ?? 0) + 1)
    if (this.#done < this.#total) {
      this.#changed(this.current)
      return
    }
    const connected = this.#results.get('open') ?? 0
    const trying = (this.#results.get('waiting') ?? 0) + (this.#results.get('opening') ?? 0)
    const tookMs = Math.round(this.#clock.monotonic() - this.#startedAt)
    const stopped = this.#results.get('stopped') ?? 0
    const left = this.#results.get('ended') ?? 0
    const totals = [
      `${connected} of ${this.#total} connected`,
      `${trying} still trying`,
      `${stopped} need attention`,
      ...(left === 0 ? [] : [`${left} no longer this worker's`]),
    ]
    this.#log.info(
      { total: this.#total, connected, trying, stopped, left, tookMs },
      `Restored WhatsApp connections: ${totals.join(', ')} (${(tookMs / 1_000).toFixed(1)} s)`,
    )
    this.#changed(undefined)
  }
}
