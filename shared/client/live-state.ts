import { connectionEvent } from '../api/connection-event.ts'
import type { Connection } from '../api/connections.ts'
import type { ConnectionEvent } from '../api/events.ts'
import type { ChangeFrame, LiveFrame, SnapshotFrame } from '../api/live.ts'
import type { Told } from './live-events.ts'

/** What was seen of a connection or a message: which version, and whether somebody was told of it. */
interface Seen {
  readonly version: number
  readonly told: boolean
}

/** Messages, operations and presences whose versions are remembered. */
const messagesMax = 20_000

/**
 * What a watcher knows. Frames may come late, twice and in another order than the changes: what is older than what was seen is
 * not told, and nothing is told twice. What a snapshot shows to have changed while there was no socket is told like any change.
 */
export class LiveState {
  readonly #connections = new Map<string, Connection>()
  readonly #seenConnections = new Map<string, Seen>()
  readonly #seenItems = new Map<string, number>()
  #parts: { readonly version: number; readonly connections: Map<number, readonly Connection[]> } | undefined
  #changedOnThisSocket = new Set<string>()
  #hadSnapshot = false
  /** Greatest `at` up to which everything was heard. */
  #since: string | undefined
  /** The same, of a socket that has not yet told all that was missed before it. */
  #sinceIfResumed: string | undefined
  #resuming = false

  get connections(): ReadonlyMap<string, Connection> {
    return this.#connections
  }

  /** For the next socket; undefined before the first one was heard. */
  get since(): string | undefined {
    return this.#since
  }

  /** A new socket is about to open. */
  begin(): void {
    this.#parts = undefined
    this.#changedOnThisSocket = new Set()
    this.#resuming = this.#since !== undefined
    this.#sinceIfResumed = this.#since
  }

  /** Another choice of connections is watched from now on: what is not among them is forgotten. */
  narrow(watches: (connectionId: string) => boolean): void {
    for (const id of this.#connections.keys()) {
      if (watches(id)) continue
      this.#connections.delete(id)
      this.#seenConnections.delete(id)
    }
  }

  hear(frame: LiveFrame): readonly Told[] {
    const told = this.#take(frame)
    if (this.#sinceIfResumed === undefined || this.#sinceIfResumed < frame.at) this.#sinceIfResumed = frame.at
    if (frame.event === 'resumed') this.#resuming = false
    if (!this.#resuming) this.#since = this.#sinceIfResumed
    return told
  }

  #take(frame: LiveFrame): readonly Told[] {
    switch (frame.event) {
      case 'snapshot':
        return this.#takeSnapshot(frame)
      case 'resumed':
        return [['resumed', frame.data]]
      case 'pong':
      case 'subscribed':
        return []
      case 'error':
        return [['error', new Error(frame.data.detail ?? frame.data.title)]]
      default:
        return this.#takeChange(frame) ? [[frame.event, frame.data] as Told] : []
    }
  }

  /** Whether it is news. */
  #takeChange(frame: ChangeFrame): boolean {
    if ('messageId' in frame.data) return this.#takeItem(frame.data.messageId, frame.version)
    if (frame.event === 'operation-completed') return this.#takeItem(frame.data.operationId, frame.version)
    if (frame.event === 'presence') {
      const { lid, phoneNumber } = frame.data.contact
      return this.#takeItem(`${frame.connectionId} ${lid ?? phoneNumber}`, frame.version)
    }
    const { connectionId, version, data } = frame
    this.#changedOnThisSocket.add(connectionId)
    const seen = this.#seenConnections.get(connectionId)
    if (seen !== undefined && (version < seen.version || (version === seen.version && seen.told))) return false
    this.#seenConnections.set(connectionId, { version, told: true })
    if ('pairing' in data) this.#connections.set(connectionId, data)
    else this.#connections.delete(connectionId)
    return true
  }

  #takeItem(id: string, version: number): boolean {
    const seen = this.#seenItems.get(id)
    if (seen !== undefined && version <= seen) return false
    // The oldest are the first of the map.
    this.#seenItems.delete(id)
    this.#seenItems.set(id, version)
    for (const oldest of this.#seenItems.keys()) {
      if (this.#seenItems.size <= messagesMax) break
      this.#seenItems.delete(oldest)
    }
    return true
  }

  #takeSnapshot({ version, data }: SnapshotFrame): readonly Told[] {
    if (this.#parts === undefined || this.#parts.version < version) this.#parts = { version, connections: new Map() }
    if (this.#parts.version !== version) return []
    this.#parts.connections.set(data.part, data.connections)
    if (this.#parts.connections.size < data.parts) return []
    const listed = [...this.#parts.connections.values()].flat()
    const changes = [...listed.flatMap((connection) => this.#found(connection)), ...this.#gone(listed)]
    const missed = this.#hadSnapshot ? changes : []
    this.#hadSnapshot = true
    return [['snapshot', [...this.#connections.values()]], ...missed]
  }

  /** A connection of the snapshot, and what that says of the time without a socket. */
  #found(connection: Connection): readonly Told[] {
    const { connectionId, version } = connection
    const seen = this.#seenConnections.get(connectionId)
    if (seen !== undefined && version <= seen.version) return []
    const before = this.#connections.get(connectionId)
    this.#connections.set(connectionId, connection)
    // Before the first snapshot nobody knows what was before: a change of this same version still has its name to tell.
    this.#seenConnections.set(connectionId, { version, told: this.#hadSnapshot })
    return namesOf(before, connection).map((name) => [name, connection])
  }

  /** Connections that the snapshot does not have are gone for good: ids are not given out twice. */
  #gone(listed: readonly Connection[]): readonly Told[] {
    const there = new Set(listed.map(({ connectionId }) => connectionId))
    const gone = [...this.#connections.keys()].filter((id) => !there.has(id) && !this.#changedOnThisSocket.has(id))
    return gone.map((connectionId) => {
      this.#connections.delete(connectionId)
      this.#seenConnections.set(connectionId, { version: Number.POSITIVE_INFINITY, told: true })
      return ['connection-deleted', { connectionId }]
    })
  }
}

/** A connection that was created while nobody listened has come somewhere since. */
function namesOf(before: Connection | undefined, after: Connection): readonly ConnectionEvent[] {
  if (before !== undefined) return [connectionEvent(before, after)]
  const { qr: _qr, ...unpaired } = after
  const later = connectionEvent({ ...unpaired, status: 'qr_pending', reason: 'pairing_requested' }, after)
  return later === 'connection-updated' ? ['connection-created'] : ['connection-created', later]
}
