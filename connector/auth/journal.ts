import { encodeChanges, type RecordChange } from '../../shared/aws/auth-codec.ts'
import type { AuthHead, AuthStore, JournalEntry, SnapshotRef } from '../../shared/domain/stores/auth.ts'
import { assertNever, type ConnectionRef } from '../../shared/domain/words.ts'
import type { Clock, Holding, Log, Random, Timer } from '../ports.ts'
import { StoreCalls } from './store-calls.ts'

export interface JournalSettings {
  /** Pauses between tries of a store call, as in `StoreCalls`. */
  readonly retryBaseMs: number
  readonly retryMaxMs: number
  /** A change nobody waits for is appended after this long at the latest. */
  readonly lingerMs: number
  /** A snapshot is made after this many entries, or this many bytes of them. */
  readonly compactEntries: number
  readonly compactBytes: number
  /** An entry larger than this becomes a snapshot: an item holds 400 KB, and what is large is written cheaper as an object. */
  readonly entryBytesMax: number
}

export const journalDefaults: JournalSettings = {
  retryBaseMs: 100,
  retryMaxMs: 5_000,
  lingerMs: 1_000,
  compactEntries: 256,
  compactBytes: 512 * 1024,
  entryBytesMax: 48 * 1024,
}

export interface JournalDependencies {
  readonly store: AuthStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly settings: JournalSettings
}

/** The records the journal keeps durable. It holds only the names of what changed and reads them when it appends. */
export interface JournalSource {
  get(key: string): string | undefined
  /** All of it, for a snapshot. */
  entries(): Iterable<RecordChange>
}

/** Where the stored journal ends. */
export interface JournalPosition {
  /** Last sequence number in use. */
  readonly seq: number
  readonly snapshot?: SnapshotRef
  /** Entries and bytes after the snapshot, for the next compaction. */
  readonly entries: number
  readonly bytes: number
}

/** Ends a journal for good: the state in memory must not be used any more. */
export class JournalEnded extends Error {
  /** `conflict`: another entry was stored in our place; reading anew helps. `broken`: a fault of our own. */
  readonly why: 'fenced' | 'not_held' | 'conflict' | 'closed' | 'broken'
  constructor(why: JournalEnded['why'], what: string) {
    super(`auth journal ended: ${what}`)
    this.name = 'JournalEnded'
    this.why = why
  }
}

/**
 * Makes changes durable in order: one append at a time, each carrying all that changed since the one before. Trimming lags
 * one snapshot behind the compaction, so that the previous snapshot and the entries after it still give the newest state,
 * and so that a commit whose answer was lost and that lands late can't point the head at entries already gone.
 */
export class Journal {
  readonly #deps: JournalDependencies
  readonly #ref: ConnectionRef
  readonly #holding: Holding
  readonly #source: JournalSource
  readonly #onEnded: () => void
  readonly #calls: StoreCalls
  #position: JournalPosition
  /** `held_back`: nothing is stored until `begin`. `first`: the next write is the identity's first snapshot. */
  #mode: 'held_back' | 'first' | 'appending'
  #dirty = new Set<string>()
  /** Rises with every change; an append makes all up to the one it saw durable. */
  #version = 0
  #durableVersion = 0
  #waiters: { readonly version: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
  #ended: JournalEnded | undefined
  #running: Promise<void> | undefined
  #compaction: Promise<void> | undefined
  #linger: Timer | undefined

  constructor(
    deps: JournalDependencies,
    ref: ConnectionRef,
    holding: Holding,
    source: JournalSource,
    position: JournalPosition,
    mode: 'held_back' | 'appending',
    onEnded: () => void,
  ) {
    this.#deps = deps
    this.#ref = ref
    this.#holding = holding
    this.#source = source
    this.#position = position
    this.#mode = mode
    this.#onEnded = onEnded
    this.#calls = new StoreCalls({
      ...deps,
      ...deps.settings,
      ref,
      over: () => this.#ended ?? (holding.held() ? undefined : new JournalEnded('not_held', 'the lease is over')),
    })
  }

  /** True while everything changed is durable, or nothing is kept yet. */
  get clean(): boolean {
    return this.#ended === undefined && (this.#mode === 'held_back' || this.#durableVersion === this.#version)
  }

  /**
   * A record changed. What nothing outside rests on (`lazily`) goes along with the next append, or after `lingerMs` by itself;
   * `durable` does not wait for it.
   */
  changed(key: string, lazily = false): void {
    if (this.#ended !== undefined) return
    this.#dirty.add(key)
    if (!lazily) this.#version += 1
    this.#appendLater()
  }

  /** From now on the state is kept; its first write is a snapshot that makes the identity `linked`. */
  begin(): void {
    if (this.#mode !== 'held_back') return
    this.#mode = 'first'
    this.#version += 1
    this.#run()
  }

  /** Resolves when everything changed before is stored. Rejects with `JournalEnded`. */
  durable(): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    if (this.clean) return Promise.resolve()
    const promise = new Promise<void>((resolve, reject) => {
      this.#waiters.push({ version: this.#version, resolve, reject })
    })
    this.#run()
    return promise
  }

  /** With `flush`, resolves when all is stored or the journal ended; with `abandon`, nothing more is started. */
  async close(how: 'flush' | 'abandon'): Promise<void> {
    if (how === 'flush' && this.#ended === undefined) {
      if (this.#dirty.size > 0) this.#version += 1
      await this.durable().catch(() => undefined)
      await this.#compaction
    }
    this.#end(new JournalEnded('closed', 'it was closed'))
  }

  /** Resolves when no store call of this journal is under way, so that a reader sees all that it did. */
  async idle(): Promise<void> {
    await this.#running
    await this.#compaction
  }

  #appendLater(): void {
    if (this.#mode === 'held_back' || this.#running !== undefined || this.#linger !== undefined) return
    this.#linger = this.#deps.clock.after(this.#deps.settings.lingerMs, () => {
      this.#linger = undefined
      this.#run()
    })
  }

  #run(): void {
    if (this.#running !== undefined || this.#ended !== undefined || this.#mode === 'held_back') return
    this.#linger?.cancel()
    this.#linger = undefined
    this.#running = this.#writeAll().finally(() => {
      this.#running = undefined
      if (this.#dirty.size > 0 && this.#ended === undefined) this.#appendLater()
    })
  }

  async #writeAll(): Promise<void> {
    try {
      do {
        if (this.#mode === 'first') await this.#snapshotInstead()
        else if (this.#dirty.size > 0) await this.#appendPending()
        this.#compactIfDue()
      } while (this.#ended === undefined && this.#durableVersion !== this.#version)
    } catch (error) {
      this.#end(asEnded(error))
    }
  }

  async #appendPending(): Promise<void> {
    const version = this.#version
    const keys = this.#dirty
    const changes: RecordChange[] = []
    for (const key of keys) changes.push([key, this.#source.get(key) ?? null])
    const data = encodeChanges('entry', changes)
    if (data.length > this.#deps.settings.entryBytesMax) {
      await this.#snapshotInstead()
      return
    }
    this.#dirty = new Set()
    const entry: JournalEntry = {
      seq: this.#position.seq + 1,
      nonce: this.#deps.random.id(),
      epoch: this.#holding.epoch,
      data,
    }
    // The very same entry at every try: the store tells by its nonce whether an earlier try landed.
    const outcome = await this.#calls.untilAnswered('append', () => this.#deps.store.append(this.#ref, entry))
    switch (outcome.kind) {
      case 'appended':
        break
      case 'fenced':
        throw this.#fenced()
      case 'exists':
        // Another entry has our place: one of this worker's own that was given up and landed late, or a second writer. What
        // is in memory does not follow from what is stored; nothing of it has left. Whoever reads anew is right again.
        this.#deps.log.error({ ...this.#ref, seq: entry.seq }, 'auth journal: another entry has the next place')
        throw new JournalEnded('conflict', `entry ${entry.seq} is another`)
      default:
        assertNever(outcome)
    }
    const { snapshot, entries, bytes } = this.#position
    this.#position = { seq: entry.seq, ...(snapshot && { snapshot }), entries: entries + 1, bytes: bytes + data.length }
    this.#reached(version)
  }

  /**
   * A snapshot in place of an entry. It takes the next sequence number, so that whoever reads on from an older snapshot finds
   * a gap there and not a state that silently lacks these changes.
   */
  async #snapshotInstead(): Promise<void> {
    await this.#compaction
    if (this.#ended !== undefined) return
    const version = this.#version
    this.#dirty = new Set()
    await this.#writeSnapshot(this.#position.seq + 1)
    this.#mode = 'appending'
    this.#reached(version)
  }

  #compactIfDue(): void {
    const { entries, bytes } = this.#position
    const { compactEntries, compactBytes } = this.#deps.settings
    if (this.#ended !== undefined || this.#compaction !== undefined) return
    if (entries < compactEntries && bytes < compactBytes) return
    this.#compaction = this.#writeSnapshot(this.#position.seq)
      .catch((error: unknown) => {
        // Not held or closed: whoever comes next compacts. Fenced: the holding knows, the next append ends us.
        this.#deps.log.info({ ...this.#ref, reason: messageOf(error) }, 'auth journal: no snapshot made')
      })
      .finally(() => {
        this.#compaction = undefined
      })
  }

  /**
   * What is in memory at this instant, said to cover entries up to `seq`. It may hold changes that are not appended yet: they
   * come again in a later entry, which only repeats them.
   */
  async #writeSnapshot(seq: number): Promise<void> {
    const { store } = this.#deps
    const { epoch } = this.#holding
    const before = this.#position
    const changes: RecordChange[] = [...this.#source.entries()]
    const data = encodeChanges('snapshot', changes)
    const nonce = this.#deps.random.id()
    const snapshot = await this.#calls.untilAnswered('snapshot', () =>
      store.writeSnapshot(this.#ref, epoch, seq, nonce, data),
    )
    const identity: AuthHead['identity'] = 'linked'
    const outcome = await this.#calls.untilAnswered('commit', () =>
      store.commitSnapshot(this.#ref, epoch, snapshot, identity),
    )
    if (outcome.kind === 'fenced') throw this.#fenced()
    const now = this.#position
    this.#position = {
      seq: Math.max(now.seq, seq),
      snapshot,
      entries: now.entries - before.entries,
      bytes: now.bytes - before.bytes,
    }
    if (before.snapshot === undefined || !this.#holding.held()) return
    await store.trimJournal(this.#ref, before.snapshot.seq).catch((error: unknown) => {
      this.#deps.log.info({ ...this.#ref, reason: messageOf(error) }, 'auth journal: old entries stay for now')
    })
  }

  #fenced(): JournalEnded {
    this.#holding.fenced()
    return new JournalEnded('fenced', 'a newer owner took the connection')
  }

  #reached(version: number): void {
    this.#durableVersion = version
    const due = this.#waiters.filter((waiter) => waiter.version <= version)
    this.#waiters = this.#waiters.filter((waiter) => waiter.version > version)
    for (const waiter of due) waiter.resolve()
  }

  #end(reason: JournalEnded): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    this.#linger?.cancel()
    this.#linger = undefined
    this.#calls.wake()
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(reason)
    this.#onEnded()
  }
}

function asEnded(error: unknown): JournalEnded {
  return error instanceof JournalEnded ? error : new JournalEnded('broken', messageOf(error))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
