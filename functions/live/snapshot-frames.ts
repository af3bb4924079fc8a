import { type Connection, toConnection } from '../../shared/api/connections.ts'
import type { SnapshotFrame } from '../../shared/api/live.ts'
import type { Subscription } from '../../shared/aws/live.ts'
import type { ApiConnections } from '../../shared/domain/stores/connections.ts'
import { bounded } from '../bounded.ts'
import { isoNow } from '../time.ts'
import { withoutExpiredCodes } from './expiry.ts'
import { connectionParts } from './pack.ts'

const pageSize = 100
const readsAtOnce = 10

/** All connections that a socket listens to, as frames within API Gateway's limit. None for a socket that listens to nothing. */
export async function snapshotPayloads(
  connections: Pick<ApiConnections, 'get' | 'list'>,
  subscription: Subscription,
): Promise<readonly string[]> {
  const { interest, socketId, version } = subscription
  if (interest.kind === 'connections' && interest.connectionIds.length === 0) return []
  const at = isoNow()
  const nowMs = Date.now()
  const listed = await listenedTo(connections, subscription)
  const cut = connectionParts(listed.map((connection) => withoutExpiredCodes(connection, nowMs)))
  return cut.map((part, index) => {
    const frame: SnapshotFrame = {
      id: `snapshot:${socketId}:${version}:${index + 1}`,
      event: 'snapshot',
      at,
      connectionId: null,
      version,
      data: { connections: [...part], part: index + 1, parts: cut.length },
    }
    return JSON.stringify(frame)
  })
}

async function listenedTo(
  connections: Pick<ApiConnections, 'get' | 'list'>,
  { businessProfileId, interest }: Subscription,
): Promise<readonly Connection[]> {
  if (interest.kind === 'connections') {
    const rows = await bounded(interest.connectionIds, readsAtOnce, (connectionId) =>
      connections.get({ businessProfileId, connectionId }),
    )
    return rows.filter((row) => row !== undefined).map(toConnection)
  }
  const all: Connection[] = []
  let next: string | undefined
  do {
    const page = await connections.list(businessProfileId, pageSize, next)
    all.push(...page.items.map(toConnection))
    next = page.next
  } while (next !== undefined)
  return all
}
