import type { CacheStore } from '@whiskeysockets/baileys'
import type { Clock } from '../ports.ts'

/**
 * A cache for Baileys without a timer of its own: entries go when they are older than `forMs` or when there are more than
 * `entriesMax`, oldest first. One per purpose serves all sockets, each under its own prefix.
 */
export class BoundedCache {
  readonly #entries = new Map<string, { readonly value: unknown; readonly until: number }>()
  readonly #clock: Clock
  readonly #entriesMax: number
  readonly #forMs: number

  constructor(clock: Clock, entriesMax: number, forMs: number) {
    this.#clock = clock
    this.#entriesMax = entriesMax
    this.#forMs = forMs
  }

  view(prefix: string): CacheStore {
    const entries = this.#entries
    const nameOf = (key: string): string => `${prefix}/${key}`
    return {
      get: <T>(key: string): T | undefined => {
        const entry = entries.get(nameOf(key))
        if (entry === undefined || entry.until < this.#clock.monotonic()) return undefined
        return entry.value as T
      },
      set: (key, value) => {
        entries.delete(nameOf(key))
        entries.set(nameOf(key), { value, until: this.#clock.monotonic() + this.#forMs })
        for (const oldest of entries.keys()) {
          if (entries.size <= this.#entriesMax) break
          entries.delete(oldest)
        }
      },
      del: (key) => {
        entries.delete(nameOf(key))
      },
      flushAll: () => {
        for (const key of entries.keys()) if (key.startsWith(`${prefix}/`)) entries.delete(key)
      },
    }
  }
}
