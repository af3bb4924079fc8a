import type { Connection } from '../../shared/api/connections.ts'
import { announced, type OutwardEvent } from '../../shared/api/events.ts'
import type { ChangeFrame } from '../../shared/api/live.ts'
import { eventIdOf } from '../../shared/aws/ids.ts'
import type { BusinessProfileId, IsoTime } from '../../shared/domain/words.ts'

/** EventBridge and SQS take 256 KB; this leaves room for what they add, and for a byte that takes several in JSON. */
export const eventBytesMax = 200 * 1024

const connectionNames = new Set<string>([
  'connection-created',
  'whatsapp-qr',
  'whatsapp-connected',
  'whatsapp-reconnecting',
  'whatsapp-disconnected',
  'connection-updated',
])

/**
 * What a change is to those outside: the frame with an id that follows from it, without what links a device, and without
 * content that is too long.
 *
 * @param item what the version counts: the id of a connection or of a message
 */
export function outwardEvent(
  businessProfileId: BusinessProfileId,
  item: string,
  frame: ChangeFrame,
  at: IsoTime = frame.at,
): OutwardEvent {
  const { event, connectionId, version } = frame
  const data = connectionNames.has(event) ? announced(frame.data as Connection) : frame.data
  const id = eventIdOf(`${businessProfileId}#${connectionId}`, item, version, event)
  return fitting({ id, event, at, businessProfileId, connectionId, version, data } as OutwardEvent)
}

/** Content that is too long is left out; the REST API gives it. */
function fitting(event: OutwardEvent): OutwardEvent {
  if (Buffer.byteLength(JSON.stringify(event)) <= eventBytesMax) return event
  const data: Record<string, unknown> = { ...event.data, truncated: true }
  for (const long of ['text', 'contacts', 'edit', 'mentions', 'result']) delete data[long]
  return { ...event, data } as unknown as OutwardEvent
}
