import { createHash } from 'node:crypto'
import { decodeChanges } from '../../shared/aws/auth-codec.ts'
import type { AuthTables } from './models/auth.ts'

/** One connection's auth state as whoever loaded it now would get it; its own reading of what is stored, not the connector's. */
export interface DurableState {
  readonly identity: 'none' | 'linked' | 'archived'
  readonly records: ReadonlyMap<string, string>
}

/** Throws with what is wrong: a missing or damaged object, a gap in the journal. */
export function durableState(tables: AuthTables, connection: string): DurableState {
  const head = tables.heads.get(connection)
  if (head === undefined) return { identity: 'none', records: new Map() }
  if (head.snapshot === undefined) return { identity: head.identity, records: new Map() }
  const { key, seq, checksum } = head.snapshot
  const object = tables.objects.get(key)
  if (object === undefined) throw new Error(`the snapshot ${key} does not exist`)
  if (createHash('sha256').update(object).digest('hex') !== checksum) throw new Error(`the snapshot ${key} is damaged`)
  const records = new Map<string, string>()
  const put = (name: string, value: string | Uint8Array): void =>
    void records.set(name, typeof value === 'string' ? value : Buffer.from(value).toString('base64'))
  for (const [name, value] of decodeChanges('snapshot', object)) if (value !== null) put(name, value)
  const entries = [...(tables.journals.get(connection)?.values() ?? [])]
    .filter((entry) => entry.seq > seq)
    .sort((a, b) => a.seq - b.seq)
  let last = seq
  for (const entry of entries) {
    if (entry.seq !== last + 1) throw new Error(`journal entry ${last + 1} is missing`)
    for (const [name, value] of decodeChanges('entry', entry.data)) {
      if (value === null) records.delete(name)
      else put(name, value)
    }
    last = entry.seq
  }
  return { identity: head.identity, records }
}
