import { traceIds } from '../../shared/domain/trace.ts'
import type { TracedSend } from '../ports.ts'

/**
 * What the connector did for one traced send, as X-Ray's segment documents have it: from the moment a worker had it until its
 * outcome was known, with the time on the way to WhatsApp's acknowledgement in a subsegment. Ids and outcomes only.
 *
 * @param newId 16 hex digits, another one each time
 */
export function segmentOf(send: TracedSend, stage: string, newId: () => string): object | undefined {
  const ids = traceIds(send.trace)
  if (ids === undefined) return undefined
  const seconds = (ms: number) => ms / 1_000
  const failed = send.errorCode === undefined ? {} : { fault: true }
  return {
    name: 'holdfast-connector',
    id: newId(),
    ...ids,
    start_time: seconds(send.takenAt),
    end_time: seconds(send.endedAt),
    ...failed,
    annotations: {
      stage,
      connectionId: send.connectionId,
      messageId: send.messageId,
      status: send.status,
      ...(send.requestId === undefined ? {} : { requestId: send.requestId }),
      ...(send.errorCode === undefined ? {} : { errorCode: send.errorCode }),
    },
    ...(send.handedAt === undefined
      ? {}
      : {
          subsegments: [
            {
              name: 'WhatsApp',
              namespace: 'remote',
              id: newId(),
              start_time: seconds(send.handedAt),
              end_time: seconds(send.endedAt),
              ...failed,
            },
          ],
        }),
  }
}
