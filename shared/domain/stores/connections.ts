import type { Ignoring } from '../ignoring.ts'
import type { MediaDownload } from '../media.ts'
import type { Pace } from '../pace.ts'
import type { Retention } from '../tenancy.ts'
import type {
  BusinessProfileId,
  ConnectionCommand,
  ConnectionRef,
  ConnectionStatusView,
  Epoch,
  IsoTime,
  PairingMethod,
  PartitionId,
  PhoneNumber,
  Restriction,
} from '../words.ts'

/** One connection as stored. Table `connections`: partition key `businessProfileId`, sort key `connectionId`. */
export interface ConnectionRow extends ConnectionRef, ConnectionStatusView {
  readonly label: string
  /** Absent: `ignoringDefault`. */
  readonly ignore?: Ignoring
  /** When media of received messages are downloaded; absent: when they are asked for. */
  readonly downloadMedia?: MediaDownload
  readonly pairing: PairingMethod
  /** As the caller gave it, or as WhatsApp told it after the scan. */
  readonly phoneNumber?: PhoneNumber
  readonly partition: PartitionId
  /** Of the worker that wrote last; 0 until a worker did. A worker's write needs `epoch <= its own`. */
  readonly epoch: Epoch
  /** Rises by one at every write; live clients merge by it. */
  readonly version: number
  readonly createdAt: IsoTime
  readonly updatedAt: IsoTime
  /** Set at the first successful pairing and never removed: from then on a new identity needs an explicit pairing. */
  readonly linkedAt?: IsoTime
  readonly lastConnectedAt?: IsoTime
  /** `94714515253:7@s.whatsapp.net` */
  readonly jid?: string
  readonly lid?: string
  readonly qr?: { readonly text: string; readonly expiresAt: IsoTime }
  readonly pairingCode?: { readonly code: string; readonly expiresAt: IsoTime }
  readonly restriction?: Restriction
  /** As its owner set it; absent: no limits. */
  readonly pace?: Pace
  /** Copied from its business profile: how long what is written from now on is kept. */
  readonly retention?: Retention
  /** Copied from its business profile: sends of all its connections in one UTC day. */
  readonly sendsPerDay?: number
  /** Of a creation with an idempotency key: hash of its body. */
  readonly bodyHash?: string
  readonly command?: ConnectionCommand
  /** `commandId` of the last command that a worker finished; a command is open while this differs from it. */
  readonly handledCommandId?: string
  /**
   * Not forgotten yet, so that a change of owner forgets it neither: failed attempts of a connection that is open but not for
   * long enough, and when other sessions took its place.
   */
  readonly setbacks?: { readonly failures: number; readonly replacedAt?: readonly IsoTime[] }
  /** Openings that ended in a worker's crash, in a row; see `suspects.ts`. */
  readonly openingCrashes?: number
  /** Worker and epoch that started opening a socket and have not yet come to an end of it. */
  readonly opening?: { readonly workerId: string; readonly epoch: Epoch }
}

/** Keys set to `null` are removed from the item. `version` and `updatedAt` are the adapter's. */
export type ConnectionChange = {
  readonly [K in keyof Omit<
    ConnectionRow,
    'businessProfileId' | 'connectionId' | 'partition' | 'epoch' | 'version' | 'createdAt' | 'updatedAt'
  >]?: ConnectionRow[K] | null
}

/** Whether a worker's write landed. `fenced`: a newer owner wrote; `gone`: the item does not exist (deleted). */
export type FencedWrite = { readonly kind: 'written' } | { readonly kind: 'fenced' } | { readonly kind: 'gone' }

export interface Page<T> {
  readonly items: readonly T[]
  /** Opaque to callers outside; the adapter's own encoding. */
  readonly next?: string
}

/** What a worker needs of connections. */
export interface WorkerConnections {
  /** Consistent read. */
  get(ref: ConnectionRef): Promise<ConnectionRow | undefined>
  /** From an index, so that a connection of the last second may be missing: its `pair` doorbell brings it. */
  listByPartition(partition: PartitionId): Promise<readonly ConnectionRow[]>
  /** Conditional on existence and on `epoch <= given`; sets the epoch, raises the version. */
  update(ref: ConnectionRef, epoch: Epoch, change: ConnectionChange, now: IsoTime): Promise<FencedWrite>
  /** The end of a deletion, same conditions. */
  remove(ref: ConnectionRef, epoch: Epoch): Promise<FencedWrite>
}

export type CommandOutcome =
  | { readonly kind: 'accepted'; readonly row: ConnectionRow }
  /** The same kind of command is already open, or a deletion is: nothing was changed. */
  | { readonly kind: 'already'; readonly row: ConnectionRow }
  | { readonly kind: 'not_found' }

/** What the API needs of connections. */
export interface ApiConnections {
  create(row: ConnectionRow): Promise<{ readonly kind: 'created' } | { readonly kind: 'exists' }>
  get(ref: ConnectionRef): Promise<ConnectionRow | undefined>
  /** Consistent; counts no further than `max`. */
  count(businessProfileId: BusinessProfileId, max: number): Promise<number>
  /** Consistent, in order of connection id. */
  list(businessProfileId: BusinessProfileId, limit: number, next?: string): Promise<Page<ConnectionRow>>
  /**
   * Stores the command. A later command takes the place of an open one, except that nothing replaces `delete`, and
   * `restart` and `pair` do not replace an open `logout`. `change` goes into the same write (e.g. status `qr_pending`).
   */
  requestCommand(
    ref: ConnectionRef,
    command: ConnectionCommand,
    change: ConnectionChange,
    now: IsoTime,
  ): Promise<CommandOutcome>
  /** @param version where given, only if the row has it */
  configure(ref: ConnectionRef, settings: ConnectionSettings, now: IsoTime, version?: number): Promise<SettingsOutcome>
}

/** What its owner may change of a connection; `null` removes. */
export interface ConnectionSettings {
  readonly label?: string
  readonly pace?: Pace | null
  readonly ignore?: Ignoring | null
  /** An operator's, carried here from the business profile. */
  readonly retention?: Retention
  readonly sendsPerDay?: number | null
  readonly downloadMedia?: MediaDownload
}

export type SettingsOutcome =
  | { readonly kind: 'written'; readonly row: ConnectionRow }
  /** It has another version than the caller saw. */
  | { readonly kind: 'changed'; readonly row: ConnectionRow }
  | { readonly kind: 'not_found' }

/** What the minutely `no_worker` check needs: marks connections of a partition whose owner is not alive. */
export interface WatchdogConnections {
  listByPartition(partition: PartitionId): Promise<readonly ConnectionRow[]>
  /** Conditional on `epoch` being exactly the one seen, so that it never overwrites a living owner's word. */
  markNoWorker(row: ConnectionRow, now: IsoTime): Promise<FencedWrite>
}
