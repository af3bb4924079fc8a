/**
 * State on disk: one small JSON file for each thing that changes on its own, written to a temporary name and renamed.
 * Changes are collected for a moment, so that a busy phone costs one write and not one a message; whoever must not
 * answer before its change is on disk awaits `flush()`.
 */

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export type StateKind =
  | 'server'
  | 'phones'
  | 'sessions'
  | 'sender-keys'
  | 'inboxes'
  | 'devices'
  | 'mailboxes'
  | 'groups'
  | 'profiles'

const COLLECT_MS = 100

interface Change {
  kind: StateKind
  name: string
  /** Undefined removes the file. */
  snapshot: (() => unknown) | undefined
}

export class StateStore {
  readonly #directory: string | undefined
  #changes = new Map<string, Change>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  /** Without a directory nothing is kept, and every call is free. */
  constructor(directory: string | undefined) {
    this.#directory = directory
  }

  /** Every stored record of a kind by its name. A file that can't be read is an error that names it, never "no state". */
  async load(kind: StateKind): Promise<Map<string, unknown>> {
    const records = new Map<string, unknown>()
    if (this.#directory === undefined) return records
    const folder = join(this.#directory, kind)
    await mkdir(folder, { recursive: true })
    for (const file of await readdir(folder)) {
      if (!file.endsWith('.json')) continue
      const text = await readFile(join(folder, file), 'utf8')
      try {
        records.set(decodeURIComponent(file.slice(0, -'.json'.length)), JSON.parse(text))
      } catch (error) {
        throw new Error(`state file ${kind}/${file} is not valid JSON`, { cause: error })
      }
    }
    return records
  }

  /** Notes that a record changed; the snapshot is taken when it is written. */
  changed(kind: StateKind, name: string, snapshot: () => unknown): void {
    this.#note({ kind, name, snapshot })
  }

  removed(kind: StateKind, name: string): void {
    this.#note({ kind, name, snapshot: undefined })
  }

  /** Resolves once every change noted so far is on disk. */
  flush(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#changes.size > 0) {
      const changes = this.#changes
      this.#changes = new Map()
      this.#writing = this.#writing.catch(() => undefined).then(() => this.#write(changes))
    }
    return this.#writing
  }

  #note(change: Change): void {
    if (this.#directory === undefined) return
    this.#changes.set(`${change.kind}/${change.name}`, change)
    // A failed write is noted again, and reported to whoever awaits the next flush.
    this.#timer ??= setTimeout(() => void this.flush().catch(() => undefined), COLLECT_MS)
  }

  async #write(changes: Map<string, Change>): Promise<void> {
    const directory = this.#directory
    if (directory === undefined) return
    for (const [key, change] of changes) {
      changes.delete(key)
      try {
        await this.#writeOne(directory, change)
      } catch (error) {
        for (const [left, older] of [[key, change] as const, ...changes]) {
          if (!this.#changes.has(left)) this.#changes.set(left, older)
        }
        throw error
      }
    }
  }

  async #writeOne(directory: string, { kind, name, snapshot }: Change): Promise<void> {
    const path = join(directory, kind, `${encodeURIComponent(name)}.json`)
    if (snapshot === undefined) {
      await rm(path, { force: true })
      return
    }
    await writeFile(`${path}.tmp`, JSON.stringify(snapshot()))
    await rename(`${path}.tmp`, path)
  }
}
