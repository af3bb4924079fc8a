/** Remembers values for a while, in this process. The oldest goes when there are too many. */
export class RecentValues<V> {
  readonly #keepMs: number
  readonly #entriesMax: number
  readonly #now: () => number
  readonly #entries = new Map<string, { readonly value: V; readonly until: number }>()

  constructor(options: { readonly keepMs: number; readonly entriesMax: number; readonly now?: () => number }) {
    this.#keepMs = options.keepMs
    this.#entriesMax = options.entriesMax
    this.#now = options.now ?? (() => Date.now())
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (this.#now() < entry.until) return entry.value
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, until: this.#now() + this.#keepMs })
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#entriesMax) break
      this.#entries.delete(oldest)
    }
  }
}
