import type { Figure } from '../../shared/domain/metrics.ts'
import type { ConnectionRow } from '../../shared/domain/stores/connections.ts'
import type { MessageRow } from '../../shared/domain/stores/messages.ts'

/** What a change of a connection counts as. */
export function connectionFigures(before: ConnectionRow | undefined, after: ConnectionRow): readonly Figure[] {
  if (before?.status === after.status) return []
  const change: Figure = { name: 'StatusChanges', value: 1, of: after.status }
  if (after.status === 'reconnecting') return [change, { name: 'Reconnects', value: 1, of: after.reason }]
  if (after.status === 'disconnected') return [change, { name: 'Disconnects', value: 1, of: after.reason }]
  return [change]
}

/** What a change of a message counts as: each step once, also where two of them came in one write. */
export function messageFigures(before: MessageRow | undefined, after: MessageRow): readonly Figure[] {
  if (after.direction === 'inbound') return before === undefined ? [{ name: 'MessagesReceived', value: 1 }] : []
  const was = before?.direction === 'outbound' ? before : undefined
  const figures: Figure[] = []
  if (after.sentAt !== undefined && was?.sentAt === undefined) {
    figures.push({ name: 'SendsSent', value: 1 })
    if (after.sendAt === undefined) {
      figures.push({ name: 'SendLatency', value: Date.parse(after.sentAt) - Date.parse(after.createdAt) })
    }
  }
  if (after.deliveredAt !== undefined && was?.deliveredAt === undefined)
    figures.push({ name: 'SendsDelivered', value: 1 })
  if (after.status === 'failed' && was?.status !== 'failed') {
    figures.push({ name: 'SendsFailed', value: 1, of: after.error?.code ?? 'unknown' })
  }
  return figures
}
