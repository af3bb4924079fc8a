import type { SeenPresence } from '../../shared/domain/operations.ts'
import type { WorkerOperations } from '../../shared/domain/stores/operations.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import { errorName } from './row-writer.ts'
import { pause, type StoreContext } from './until-stored.ts'

/** People type, stop and type: what comes between two writes is folded. */
const gapMs = 1_000

/** Stores where contacts are, the latest of each, one write at a time. Nobody misses one that a store did not take. */
export class PresenceTeller {
  readonly #ref: ConnectionRef
  readonly #operations: Pick<WorkerOperations, 'tellPresence'>
  readonly #store: StoreContext
  /** By contact. */
  readonly #latest = new Map<string, SeenPresence>()
  #telling = false

  constructor(ref: ConnectionRef, operations: Pick<WorkerOperations, 'tellPresence'>, store: StoreContext) {
    this.#ref = ref
    this.#operations = operations
    this.#store = store
  }

  seen(seen: SeenPresence): void {
    this.#latest.set(seen.contact.lid ?? seen.contact.phoneNumber ?? '', seen)
    if (!this.#telling) void this.#tell()
  }

  async #tell(): Promise<void> {
    const { clock, holding, log, over } = this.#store
    this.#telling = true
    while (this.#latest.size > 0 && !over.aborted && holding.held()) {
      const all = [...this.#latest.values()]
      this.#latest.clear()
      for (const seen of all) {
        if (over.aborted || !holding.held()) break
        const now = new Date(clock.now()).toISOString()
        try {
          const written = await this.#operations.tellPresence(this.#ref, holding.epoch, seen, now)
          if (written.kind === 'fenced') holding.fenced()
        } catch (error) {
          log.debug({ error: errorName(error) }, 'A presence was not stored')
        }
      }
      await pause(clock, gapMs, over)
    }
    this.#telling = false
  }
}
