/** Which calls of a worker are writes, of what, and whether they changed anything. */
import type { ConnectionRef, Epoch } from '../../shared/domain/words.ts'
import type { Service } from './weather.ts'

export interface Write {
  readonly ref: ConnectionRef
  readonly epoch: Epoch | undefined
  readonly item?: string
}

/** What a worker's call would change, where it changes something of a connection. */
export function writeOf(service: Service, method: string, args: readonly unknown[]): Write | undefined {
  const [first, second, third] = args
  switch (`${service}.${method}`) {
    case 'connections.update':
    case 'connections.remove':
    case 'auth.claim':
    case 'auth.writeSnapshot':
    case 'auth.commitSnapshot':
    case 'auth.archive':
    case 'auth.erase':
      return { ref: first as ConnectionRef, epoch: second as Epoch }
    case 'auth.append':
      return { ref: first as ConnectionRef, epoch: (second as { epoch: Epoch }).epoch }
    case 'auth.trimJournal':
      return { ref: first as ConnectionRef, epoch: undefined }
    case 'messages.step':
    case 'messages.note':
    case 'messages.claim':
      return { ref: first as ConnectionRef, epoch: third as Epoch, item: `send ${String(second)}` }
    case 'messages.begin':
    case 'messages.complete':
      return { ref: first as ConnectionRef, epoch: third as Epoch, item: `operation ${String(second)}` }
    case 'messages.putInbound': {
      const row = first as ConnectionRef & { epoch: Epoch; key: string }
      return { ref: row, epoch: row.epoch, item: row.key }
    }
    default:
      return undefined
  }
}

/** A snapshot's object counts for nothing until the head points to it. */
export function landed(outcome: unknown): boolean {
  const kind = typeof outcome === 'object' && outcome !== null && 'kind' in outcome ? outcome.kind : undefined
  return kind !== undefined && ['written', 'claimed', 'appended', 'committed', 'archived'].includes(String(kind))
}
