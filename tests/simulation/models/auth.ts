/**
 * The auth store in memory, for the simulation. It passes `tests/contracts/auth-store.ts` like the real adapter, and its
 * network can be told to fail: requests that never arrive, that arrive late, answers that get lost, objects that are damaged.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../../../connector/ports.ts'
import {
  type AppendOutcome,
  type AuthHead,
  type AuthStore,
  type JournalEntry,
  type SnapshotRef,
  SnapshotUnreadable,
} from '../../../shared/domain/stores/auth.ts'
import { assertNever, type ConnectionRef, type Epoch } from '../../../shared/domain/words.ts'

export type AuthCall = Exclude<keyof AuthStore, 'toString'>

/** What happens to one request. Times from the moment of the call, on the given clock; absent, it does at once. */
export type Fate =
  | { readonly kind: 'answered'; readonly afterMs?: number }
  /** The request never arrives; the caller gives up. */
  | { readonly kind: 'lost'; readonly givesUpAfterMs: number }
  /** The store does it, before or long after the caller gave up. */
  | { readonly kind: 'unanswered'; readonly arrivesAfterMs: number; readonly givesUpAfterMs: number }

export interface ModelNetwork {
  readonly clock: Clock
  fate(call: AuthCall, ref: ConnectionRef | undefined): Fate
}

/** What is stored; shared by the stores of several workers, and by those before and after a crash. */
export class AuthTables {
  readonly heads = new Map<string, AuthHead>()
  readonly journals = new Map<string, Map<number, JournalEntry>>()
  readonly objects = new Map<string, Uint8Array>()
  /** Every write that landed, in order. */
  readonly landed: {
    readonly call: AuthCall
    readonly connection: string
    readonly epoch: Epoch
    readonly seq?: number
  }[] = []
}

export function modelAuthStore(tables: AuthTables, network?: ModelNetwork): AuthStore {
  const journalOf = (key: string): Map<number, JournalEntry> => {
    const journal = tables.journals.get(key) ?? new Map<number, JournalEntry>()
    tables.journals.set(key, journal)
    return journal
  }
  const mine = (key: string, epoch: Epoch): boolean => tables.heads.get(key)?.epoch === epoch

  /** `effect` runs at one instant, when the request arrives. */
  function request<T>(call: AuthCall, ref: ConnectionRef | undefined, effect: () => T): Promise<T> {
    const fate: Fate = network?.fate(call, ref) ?? { kind: 'answered' }
    if (network === undefined || (fate.kind === 'answered' && fate.afterMs === undefined)) {
      return new Promise((resolve) => resolve(effect()))
    }
    const { clock } = network
    return new Promise<T>((resolve, reject) => {
      const giveUp = (): void => reject(new Error(`model store: no answer to ${call}`))
      switch (fate.kind) {
        case 'answered':
          clock.after(fate.afterMs ?? 0, () => {
            try {
              resolve(effect())
            } catch (error) {
              reject(error)
            }
          })
          return
        case 'lost':
          clock.after(fate.givesUpAfterMs, giveUp)
          return
        case 'unanswered':
          clock.after(fate.givesUpAfterMs, giveUp)
          clock.after(fate.arrivesAfterMs, () => attemptQuietly(effect))
          return
        default:
          assertNever(fate)
      }
    })
  }

  return {
    claim: (ref, epoch) =>
      request('claim', ref, () => {
        const key = keyOf(ref)
        const head = tables.heads.get(key) ?? { epoch, identity: 'none' as const }
        if (head.epoch > epoch) return { kind: 'fenced' as const }
        const raised: AuthHead = { ...head, epoch }
        tables.heads.set(key, raised)
        return { kind: 'claimed' as const, head: raised }
      }),
    readJournal: (ref, afterSeq) =>
      request('readJournal', ref, () =>
        [...journalOf(keyOf(ref)).values()].filter(({ seq }) => seq > afterSeq).sort((a, b) => a.seq - b.seq),
      ),
    readSnapshot: (snapshot) =>
      request('readSnapshot', undefined, () => {
        const object = tables.objects.get(snapshot.key)
        if (object === undefined) throw new SnapshotUnreadable(snapshot.key, 'the object does not exist')
        if (object.length !== snapshot.bytes) {
          throw new SnapshotUnreadable(snapshot.key, `${object.length} bytes, expected ${snapshot.bytes}`)
        }
        if (sha256(object) !== snapshot.checksum)
          throw new SnapshotUnreadable(snapshot.key, 'its checksum does not match')
        return Uint8Array.from(object)
      }),
    append: (ref, entry) =>
      request('append', ref, (): AppendOutcome => {
        const key = keyOf(ref)
        const there = journalOf(key).get(entry.seq)
        if (there?.nonce === entry.nonce) return { kind: 'appended' }
        if (!mine(key, entry.epoch)) return { kind: 'fenced' }
        if (there !== undefined) return { kind: 'exists' }
        journalOf(key).set(entry.seq, { ...entry, data: Uint8Array.from(entry.data) })
        tables.landed.push({ call: 'append', connection: key, epoch: entry.epoch, seq: entry.seq })
        return { kind: 'appended' }
      }),
    writeSnapshot: (ref, epoch, seq, nonce, data) =>
      request('writeSnapshot', ref, (): SnapshotRef => {
        const key = `${ref.businessProfileId}/${ref.connectionId}/${epoch}-${seq}-${nonce}`
        tables.objects.set(key, Uint8Array.from(data))
        return { key, seq, checksum: sha256(data), bytes: data.length }
      }),
    commitSnapshot: (ref, epoch, snapshot, identity) =>
      request('commitSnapshot', ref, () => {
        const key = keyOf(ref)
        const head = tables.heads.get(key)
        if (head === undefined || head.epoch !== epoch) return { kind: 'fenced' as const }
        // A repeated commit of the same snapshot must not make it its own predecessor.
        const previous = head.snapshot?.key === snapshot.key ? head.previous : head.snapshot
        tables.heads.set(key, { epoch, identity, snapshot, ...(previous && { previous }) })
        tables.landed.push({ call: 'commitSnapshot', connection: key, epoch, seq: snapshot.seq })
        return { kind: 'committed' as const }
      }),
    trimJournal: (ref, seq) =>
      request('trimJournal', ref, () => {
        const journal = journalOf(keyOf(ref))
        for (const entry of [...journal.keys()]) if (entry <= seq) journal.delete(entry)
      }),
    archive: (ref, epoch) =>
      request('archive', ref, () => {
        const key = keyOf(ref)
        const head = tables.heads.get(key)
        if (head === undefined || head.epoch !== epoch) return { kind: 'fenced' as const }
        tables.heads.set(key, { ...head, identity: 'archived' })
        tables.landed.push({ call: 'archive', connection: key, epoch })
        return { kind: 'archived' as const }
      }),
    erase: (ref, epoch) =>
      request('erase', ref, () => {
        const key = keyOf(ref)
        if (!mine(key, epoch)) return
        tables.heads.delete(key)
        tables.journals.delete(key)
        const prefix = `${ref.businessProfileId}/${ref.connectionId}/`
        for (const object of [...tables.objects.keys()]) if (object.startsWith(prefix)) tables.objects.delete(object)
        tables.landed.push({ call: 'erase', connection: key, epoch })
      }),
  }
}

function attemptQuietly(effect: () => unknown): void {
  try {
    effect()
  } catch {
    // Nobody waits for this answer any more.
  }
}

function keyOf(ref: ConnectionRef): string {
  return `${ref.businessProfileId}#${ref.connectionId}`
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
