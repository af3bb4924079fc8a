import { type LiveRequest, socketConnectionsMax } from '../../shared/api/live.ts'
import { Problem } from '../../shared/api/problems.ts'
import type { Interest } from '../../shared/aws/live.ts'

/**
 * What a socket listens to after a request; undefined where that is what it listens to already. Without a connection id a
 * request is about everything; with one it adds or takes away that connection.
 */
export function changedInterest(
  interest: Interest,
  { action, connectionId }: Exclude<LiveRequest, { action: 'ping' }>,
): Interest | undefined {
  if (connectionId === undefined) {
    if (action === 'subscribe') return interest.kind === 'all' ? undefined : { kind: 'all' }
    return listsNothing(interest) ? undefined : { kind: 'connections', connectionIds: [] }
  }
  if (interest.kind === 'all') {
    if (action === 'subscribe') return undefined
    throw wrong('this socket listens to all connections: unsubscribe without connectionId, then subscribe to some')
  }
  const rest = interest.connectionIds.filter((id) => id !== connectionId)
  if (action === 'unsubscribe') {
    return rest.length === interest.connectionIds.length ? undefined : { kind: 'connections', connectionIds: rest }
  }
  if (rest.length < interest.connectionIds.length) return undefined
  if (rest.length >= socketConnectionsMax) throw wrong(`a socket may name at most ${socketConnectionsMax} connections`)
  return { kind: 'connections', connectionIds: [...rest, connectionId] }
}

const listsNothing = (interest: Interest): boolean =>
  interest.kind === 'connections' && interest.connectionIds.length === 0

function wrong(message: string): Problem {
  return new Problem('invalid_request', {
    detail: `connectionId: ${message}`,
    errors: [{ field: 'connectionId', message }],
  })
}
