import type { ConnectionRef, Epoch } from '../words.ts'

/**
 * Auth state at rest: head and journal in DynamoDB (table `auth`: partition key `connectionKey`, sort key `head` or
 * `journal#<12 digits>`), immutable snapshots in S3 under `<businessProfileId>/<connectionId>/<epoch>-<seq>-<nonce>`.
 */
export interface AuthHead {
  readonly epoch: Epoch
  /** `linked` once pairing succeeded; `archived` after a logout: kept, never loaded again. */
  readonly identity: 'none' | 'linked' | 'archived'
  readonly snapshot?: SnapshotRef
  readonly previous?: SnapshotRef
}

export interface SnapshotRef {
  /** S3 key. */
  readonly key: string
  /** The snapshot covers journal entries up to and including this one. */
  readonly seq: number
  /** Hex SHA-256 of the object's bytes. */
  readonly checksum: string
  readonly bytes: number
}

export interface JournalEntry {
  readonly seq: number
  /** Random, of the appender: tells a lost answer from another's entry. */
  readonly nonce: string
  readonly epoch: Epoch
  /** Encoded by `shared/aws/auth-codec.ts`, opaque here. */
  readonly data: Uint8Array
}

export type ClaimOutcome =
  | { readonly kind: 'claimed'; readonly head: AuthHead }
  /** A newer owner was here. */
  | { readonly kind: 'fenced' }

/** `fenced`: the head's epoch is another's. `exists`: an entry with that seq and another nonce is there: a bug or two writers. */
export type AppendOutcome = { readonly kind: 'appended' } | { readonly kind: 'fenced' } | { readonly kind: 'exists' }

export interface AuthStore {
  /**
   * Raises the head's epoch to `epoch` (creating the head where there is none), condition: lower than or equal to it. From
   * then on no write of an older owner lands. Must come before `load`.
   */
  claim(ref: ConnectionRef, epoch: Epoch): Promise<ClaimOutcome>
  /** Entries after `afterSeq`, consistent, in order. */
  readJournal(ref: ConnectionRef, afterSeq: number): Promise<readonly JournalEntry[]>
  /** Throws `SnapshotUnreadable` (missing object, wrong length or checksum); never answers an empty state instead. */
  readSnapshot(ref: SnapshotRef): Promise<Uint8Array>
  /** One transaction: head epoch is mine, entry put if absent. A lost answer is resolved by the nonce. */
  append(ref: ConnectionRef, entry: JournalEntry): Promise<AppendOutcome>
  /** Uploads an immutable object. It counts only once `commitSnapshot` points the head at it. */
  writeSnapshot(ref: ConnectionRef, epoch: Epoch, seq: number, nonce: string, data: Uint8Array): Promise<SnapshotRef>
  /** Condition: head epoch is mine. Moves the current snapshot to `previous`, sets the identity. */
  commitSnapshot(
    ref: ConnectionRef,
    epoch: Epoch,
    snapshot: SnapshotRef,
    identity: AuthHead['identity'],
  ): Promise<{ readonly kind: 'committed' } | { readonly kind: 'fenced' }>
  /** Deletes journal entries up to and including `seq`; after a commit, best effort. */
  trimJournal(ref: ConnectionRef, seq: number): Promise<void>
  /** After a logout: identity `archived`, data kept. Condition: head epoch is mine. */
  archive(ref: ConnectionRef, epoch: Epoch): Promise<{ readonly kind: 'archived' } | { readonly kind: 'fenced' }>
  /** For a deleted connection: head, journal and snapshots go. Condition: head epoch is mine. */
  erase(ref: ConnectionRef, epoch: Epoch): Promise<void>
}

/** The stored bytes are not what was written: keep them, alarm, never treat as empty. */
export class SnapshotUnreadable extends Error {
  readonly key: string
  constructor(key: string, what: string) {
    super(`auth snapshot is unreadable: ${what}`)
    this.name = 'SnapshotUnreadable'
    this.key = key
  }
}
