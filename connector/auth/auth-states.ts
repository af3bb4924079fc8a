import { AuthDataUnreadable, decodeChanges } from '../../shared/aws/auth-codec.ts'
import { decodeValue, encodeValue } from '../../shared/aws/auth-values.ts'
import {
  type AuthStore,
  type JournalEntry,
  type SnapshotRef,
  SnapshotUnreadable,
} from '../../shared/domain/stores/auth.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import type { AuthStates, Clock, Holding, LoadOutcome, Log, Random } from '../ports.ts'
import { ConnectionAuthState, type Creds, credsOf } from './auth-state.ts'
import {
  Journal,
  type JournalDependencies,
  type JournalPosition,
  type JournalSettings,
  journalDefaults,
} from './journal.ts'
import { Records } from './records.ts'

export interface AuthStatesDependencies {
  readonly store: AuthStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Fresh creds for an explicit pairing; `newIdentity` of `connector/whatsapp/identity.ts` outside the simulation. */
  readonly newIdentity: () => Creds
  readonly settings?: Partial<JournalSettings>
}

export function authStates(deps: AuthStatesDependencies): AuthStates {
  const journalDeps: JournalDependencies = {
    store: deps.store,
    clock: deps.clock,
    random: deps.random,
    log: deps.log,
    settings: { ...journalDefaults, ...deps.settings },
  }
  /** The last journal of each connection here, until it is idle: a new reader must see whatever it may still write. */
  const journals = new Map<string, Journal>()

  async function endPrevious(key: string): Promise<void> {
    const journal = journals.get(key)
    if (journal === undefined) return
    await journal.close('abandon')
    await journal.idle()
    forget(key, journal)
  }

  function forget(key: string, journal: Journal): void {
    if (journals.get(key) === journal) journals.delete(key)
  }

  function open(
    ref: ConnectionRef,
    holding: Holding,
    creds: Creds,
    records: Records,
    position: JournalPosition,
    linked: boolean,
  ): ConnectionAuthState {
    const key = keyOf(ref)
    const journal: Journal = new Journal(
      journalDeps,
      ref,
      holding,
      records,
      position,
      linked ? 'appending' : 'held_back',
      () => void journal.idle().then(() => forget(key, journal)),
    )
    journals.set(key, journal)
    return new ConnectionAuthState(creds, records, journal, linked)
  }

  async function load(ref: ConnectionRef, holding: Holding): Promise<LoadOutcome> {
    if (!holding.held()) return { kind: 'fenced' }
    await endPrevious(keyOf(ref))
    const claim = await deps.store.claim(ref, holding.epoch)
    if (claim.kind === 'fenced') return fenced(holding)
    const { head } = claim
    if (head.identity === 'none') return { kind: 'none' }
    if (head.identity === 'archived') return { kind: 'archived' }
    if (head.snapshot === undefined) return { kind: 'missing' }
    try {
      const { records, position } = await replay(ref, head.snapshot, head.previous)
      const creds = credsOf(records)
      if (creds.me === undefined || creds.account === undefined) {
        throw new AuthDataUnreadable('its creds lack `me` or `account`')
      }
      return { kind: 'loaded', state: open(ref, holding, creds, records, position, true) }
    } catch (error) {
      if (!isUnreadable(error)) throw error
      deps.log.error(
        { ...ref, reason: error.message, snapshot: head.snapshot.key },
        'auth state is unreadable; it is kept',
      )
      return { kind: 'unreadable', error }
    }
  }

  /** The newest state: from the current snapshot, or from the one before with all the entries since. */
  async function replay(
    ref: ConnectionRef,
    current: SnapshotRef,
    previous: SnapshotRef | undefined,
  ): Promise<{ records: Records; position: JournalPosition }> {
    try {
      return await replayFrom(ref, current, current.seq)
    } catch (error) {
      if (!isUnreadable(error) || previous === undefined) throw error
      try {
        const recovered = await replayFrom(ref, previous, current.seq)
        deps.log.error(
          { ...ref, reason: error.message, snapshot: current.key },
          'auth snapshot is unreadable; the one before it served',
        )
        return recovered
      } catch (second) {
        throw isUnreadable(second) ? error : second
      }
    }
  }

  async function replayFrom(
    ref: ConnectionRef,
    snapshot: SnapshotRef,
    mustReachSeq: number,
  ): Promise<{ records: Records; position: JournalPosition }> {
    const [bytes, entries] = await Promise.all([
      deps.store.readSnapshot(snapshot),
      deps.store.readJournal(ref, snapshot.seq),
    ])
    const records = new Records()
    for (const [key, value] of decodeChanges('snapshot', bytes)) records.set(key, value)
    let seq = snapshot.seq
    for (const entry of entries) {
      if (entry.seq !== seq + 1)
        throw new AuthDataUnreadable(`journal entry ${seq + 1} is missing, the next is ${entry.seq}`)
      for (const [key, value] of decodeChanges('entry', entry.data)) records.set(key, value)
      seq = entry.seq
    }
    if (seq < mustReachSeq) throw new AuthDataUnreadable(`the journal ends at ${seq}, the head covers ${mustReachSeq}`)
    return { records, position: { seq, snapshot, entries: entries.length, bytes: sizeOf(entries) } }
  }

  function fenced(holding: Holding): { readonly kind: 'fenced' } {
    holding.fenced()
    return { kind: 'fenced' }
  }

  return {
    load,
    async create(ref, holding) {
      if (!holding.held()) return { kind: 'fenced' }
      await endPrevious(keyOf(ref))
      const claim = await deps.store.claim(ref, holding.epoch)
      if (claim.kind === 'fenced') return fenced(holding)
      const { snapshot } = claim.head
      // An earlier identity's entries may lie there: the new one starts behind them, so that they are never replayed onto it.
      const entries = await deps.store.readJournal(ref, snapshot?.seq ?? 0)
      const seq = entries.at(-1)?.seq ?? snapshot?.seq ?? 0
      const position: JournalPosition = { seq, ...(snapshot && { snapshot }), entries: 0, bytes: 0 }
      // A copy: small keys as they are made lie in large shared buffers, which they would keep alive.
      const creds = decodeValue(encodeValue(deps.newIdentity())) as Creds
      const state = open(ref, holding, creds, new Records(), position, false)
      state.saveCreds()
      return { kind: 'created', state }
    },
    async archive(ref, holding) {
      if (!holding.held()) return
      await endPrevious(keyOf(ref))
      const outcome = await deps.store.archive(ref, holding.epoch)
      if (outcome.kind === 'fenced') holding.fenced()
    },
    async erase(ref, holding) {
      if (!holding.held()) return
      await endPrevious(keyOf(ref))
      // Whoever was overtaken must not go on to remove the connection.
      const claim = await deps.store.claim(ref, holding.epoch)
      if (claim.kind === 'fenced') {
        holding.fenced()
        throw new Error('auth state is not erased: a newer owner took the connection')
      }
      await deps.store.erase(ref, holding.epoch)
    },
  }
}

function keyOf(ref: ConnectionRef): string {
  return `${ref.businessProfileId}#${ref.connectionId}`
}

function isUnreadable(error: unknown): error is SnapshotUnreadable | AuthDataUnreadable {
  return error instanceof SnapshotUnreadable || error instanceof AuthDataUnreadable
}

function sizeOf(entries: readonly JournalEntry[]): number {
  return entries.reduce((sum, entry) => sum + entry.data.length, 0)
}
