/** What every auth store must do: the model of the simulation and the adapter on the emulators run this same suite. */
import { describe, expect, it } from 'vitest'
import { type AuthStore, type JournalEntry, SnapshotUnreadable } from '../../shared/domain/stores/auth.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'

export interface AuthStoreUnderTest {
  readonly store: AuthStore
  /** Changes one byte of a stored snapshot object. */
  damageSnapshot(key: string): Promise<void>
  removeSnapshot(key: string): Promise<void>
}

let connections = 0

/** A connection that no other test uses. */
function freshRef(): ConnectionRef {
  connections += 1
  const unique = `${process.pid.toString(36)}${Date.now().toString(36)}${connections.toString(36)}`
  return { businessProfileId: 'bp_contract', connectionId: `con_${unique}` }
}

function entry(seq: number, epoch: number, text = `entry ${seq}`, nonce = `nonce-${epoch}-${seq}`): JournalEntry {
  return { seq, epoch, nonce, data: Buffer.from(text) }
}

function texts(entries: readonly JournalEntry[]): string[] {
  return entries.map(({ data }) => Buffer.from(data).toString())
}

export function authStoreContract(name: string, make: () => AuthStoreUnderTest | Promise<AuthStoreUnderTest>): void {
  describe(`auth store: ${name}`, () => {
    it('creates a head at the first claim and raises its epoch at later ones', async () => {
      const { store } = await make()
      const ref = freshRef()
      expect(await store.claim(ref, 3)).toEqual({ kind: 'claimed', head: { epoch: 3, identity: 'none' } })
      expect(await store.claim(ref, 3)).toMatchObject({ kind: 'claimed', head: { epoch: 3 } })
      expect(await store.claim(ref, 5)).toMatchObject({ kind: 'claimed', head: { epoch: 5 } })
      expect(await store.claim(ref, 4)).toEqual({ kind: 'fenced' })
    })

    it('gives entries back in order, after the sequence asked for, byte for byte', async () => {
      const { store } = await make()
      const ref = freshRef()
      await store.claim(ref, 1)
      for (const seq of [1, 2, 3, 10, 11]) expect(await store.append(ref, entry(seq, 1))).toEqual({ kind: 'appended' })
      expect(await store.readJournal(ref, 0)).toEqual(
        [1, 2, 3, 10, 11].map((seq) => ({
          ...entry(seq, 1),
          data: expect.anything(),
        })),
      )
      expect(texts(await store.readJournal(ref, 2))).toEqual(['entry 3', 'entry 10', 'entry 11'])
    })

    it('takes an entry of 300 KB', async () => {
      const { store } = await make()
      const ref = freshRef()
      await store.claim(ref, 1)
      const data = Buffer.alloc(300 * 1024, 7)
      expect(await store.append(ref, { seq: 1, epoch: 1, nonce: 'large', data })).toEqual({ kind: 'appended' })
      expect(Buffer.compare((await store.readJournal(ref, 0))[0]!.data, data)).toBe(0)
    })

    it('tells a repeated entry, which is the same, from another in its place', async () => {
      const { store } = await make()
      const ref = freshRef()
      await store.claim(ref, 1)
      await store.append(ref, entry(1, 1, 'mine', 'a'))
      expect(await store.append(ref, entry(1, 1, 'mine', 'a'))).toEqual({ kind: 'appended' })
      expect(await store.append(ref, entry(1, 1, 'another', 'b'))).toEqual({ kind: 'exists' })
      expect(texts(await store.readJournal(ref, 0))).toEqual(['mine'])
    })

    it('lets no write of an older owner land once a newer one has claimed', async () => {
      const { store } = await make()
      const ref = freshRef()
      await store.claim(ref, 1)
      await store.append(ref, entry(1, 1))
      const snapshot = await store.writeSnapshot(ref, 1, 1, 'n1', Buffer.from('old'))
      await store.claim(ref, 2)
      expect(await store.append(ref, entry(2, 1))).toEqual({ kind: 'fenced' })
      expect(await store.commitSnapshot(ref, 1, snapshot, 'linked')).toEqual({ kind: 'fenced' })
      expect(await store.archive(ref, 1)).toEqual({ kind: 'fenced' })
      await Promise.resolve(store.erase(ref, 1)).catch(() => undefined)
      expect(await store.claim(ref, 2)).toEqual({ kind: 'claimed', head: { epoch: 2, identity: 'none' } })
      expect(texts(await store.readJournal(ref, 0))).toEqual(['entry 1'])
    })

    it('an entry whose answer got lost counts, although a newer owner has claimed since', async () => {
      const { store } = await make()
      const ref = freshRef()
      await store.claim(ref, 1)
      await store.append(ref, entry(1, 1))
      await store.claim(ref, 2)
      // Either answer is true of it; what it must never be is another writer's entry.
      expect((await store.append(ref, entry(1, 1))).kind).not.toBe('exists')
    })

    it('a snapshot counts once the head points to it, and the one before stays as previous', async () => {
      const { store } = await make()
      const ref = freshRef()
      await store.claim(ref, 1)
      const first = await store.writeSnapshot(ref, 1, 4, 'n1', Buffer.from('first'))
      expect(first).toMatchObject({ seq: 4, bytes: 5 })
      expect(await store.claim(ref, 1)).toEqual({ kind: 'claimed', head: { epoch: 1, identity: 'none' } })
      expect(await store.commitSnapshot(ref, 1, first, 'linked')).toEqual({ kind: 'committed' })
      const second = await store.writeSnapshot(ref, 1, 9, 'n2', Buffer.from('second'))
      expect(second.key).not.toBe(first.key)
      expect(await store.commitSnapshot(ref, 1, second, 'linked')).toEqual({ kind: 'committed' })
      expect(await store.claim(ref, 2)).toEqual({
        kind: 'claimed',
        head: { epoch: 2, identity: 'linked', snapshot: second, previous: first },
      })
      expect(Buffer.from(await store.readSnapshot(second)).toString()).toBe('second')
      expect(Buffer.from(await store.readSnapshot(first)).toString()).toBe('first')
    })

    it('a repeated commit does not make a snapshot its own predecessor', async () => {
      const { store } = await make()
      const ref = freshRef()
      await store.claim(ref, 1)
      const first = await store.writeSnapshot(ref, 1, 1, 'n1', Buffer.from('first'))
      const second = await store.writeSnapshot(ref, 1, 2, 'n2', Buffer.from('second'))
      await store.commitSnapshot(ref, 1, first, 'linked')
      await store.commitSnapshot(ref, 1, second, 'linked')
      expect(await store.commitSnapshot(ref, 1, second, 'linked')).toEqual({ kind: 'committed' })
      expect(await store.claim(ref, 1)).toMatchObject({ head: { snapshot: second, previous: first } })
    })

    it('a damaged or missing snapshot is unreadable, never empty', async () => {
      const { store, damageSnapshot, removeSnapshot } = await make()
      const ref = freshRef()
      await store.claim(ref, 1)
      const damaged = await store.writeSnapshot(ref, 1, 1, 'n1', Buffer.from('some bytes'))
      await damageSnapshot(damaged.key)
      await expect(store.readSnapshot(damaged)).rejects.toBeInstanceOf(SnapshotUnreadable)
      const gone = await store.writeSnapshot(ref, 1, 2, 'n2', Buffer.from('other bytes'))
      await removeSnapshot(gone.key)
      await expect(store.readSnapshot(gone)).rejects.toBeInstanceOf(SnapshotUnreadable)
    })

    it('trims entries up to and including a sequence', async () => {
      const { store } = await make()
      const ref = freshRef()
      await store.claim(ref, 1)
      for (let seq = 1; seq <= 30; seq += 1) await store.append(ref, entry(seq, 1))
      await store.trimJournal(ref, 28)
      expect(texts(await store.readJournal(ref, 0))).toEqual(['entry 29', 'entry 30'])
    })

    it('archives under the head, keeping all that there is; a new identity may follow', async () => {
      const { store } = await make()
      const ref = freshRef()
      await store.claim(ref, 1)
      const snapshot = await store.writeSnapshot(ref, 1, 1, 'n1', Buffer.from('kept'))
      await store.commitSnapshot(ref, 1, snapshot, 'linked')
      expect(await store.archive(ref, 1)).toEqual({ kind: 'archived' })
      expect(await store.claim(ref, 2)).toMatchObject({ head: { identity: 'archived', snapshot } })
      expect(Buffer.from(await store.readSnapshot(snapshot)).toString()).toBe('kept')
      const next = await store.writeSnapshot(ref, 2, 2, 'n2', Buffer.from('new'))
      await store.commitSnapshot(ref, 2, next, 'linked')
      expect(await store.claim(ref, 2)).toMatchObject({ head: { identity: 'linked', snapshot: next } })
    })

    it('erases head, journal and snapshots of a connection and of no other', async () => {
      const { store } = await make()
      const ref = freshRef()
      const other = freshRef()
      for (const each of [ref, other]) {
        await store.claim(each, 1)
        await store.append(each, entry(1, 1))
      }
      const snapshot = await store.writeSnapshot(ref, 1, 1, 'n1', Buffer.from('gone'))
      await store.commitSnapshot(ref, 1, snapshot, 'linked')
      await store.erase(ref, 1)
      expect(await store.claim(ref, 1)).toEqual({ kind: 'claimed', head: { epoch: 1, identity: 'none' } })
      expect(await store.readJournal(ref, 0)).toEqual([])
      await expect(store.readSnapshot(snapshot)).rejects.toBeInstanceOf(SnapshotUnreadable)
      expect(texts(await store.readJournal(other, 0))).toEqual(['entry 1'])
    })
  })
}
