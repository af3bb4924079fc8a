import type { MessageFrame } from '../../shared/api/live.ts'
import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { liveStore } from '../../shared/aws/live.ts'
import { liveChanges } from '../../shared/aws/live-changes.ts'
import { configure } from '../config.ts'
import { messageFrames, operationFrame, presenceFrame } from '../live/frames.ts'
import { socketsAt } from '../live/sockets.ts'
import { imagesOf, messageOf, operationOf, presenceOf } from './decode.ts'
import { messageFigures } from './figures.ts'
import { publisher } from './publisher.ts'
import { RetryQueue } from './retry-queue.ts'

const config = configure('LIVE_TABLE', 'LIVE_CALLBACK_URL', 'PUBLISH_RETRY_QUEUE_URL')
const liveTable = { documents: documentClient(), table: config.LIVE_TABLE }

/**
 * A send's statuses are steps that clients act on, so each is told, also when several come in one batch; what else changes of
 * a row is folded.
 */
const keyOf = ({ data }: MessageFrame): string =>
  data.direction === 'outbound' ? `${data.messageId}#${data.status}` : data.messageId

/** Stream of the table `messages`. Rows that go, by age or with their connection, are no news. */
export const handler = publisher({
  ports: {
    live: liveStore(liveTable),
    changes: liveChanges(liveTable),
    sockets: socketsAt(config.LIVE_CALLBACK_URL),
  },
  retries: new RetryQueue(queueClient(), config.PUBLISH_RETRY_QUEUE_URL),
  read: (record) => {
    const images = imagesOf(record)
    const operation = images.after && operationOf(images.after)
    if (operation !== undefined) {
      const frame = operationFrame(images.before && operationOf(images.before), operation)
      const { businessProfileId, operationId } = operation
      return { news: frame === undefined ? [] : [{ businessProfileId, key: operationId, frame }], figures: [] }
    }
    const presence = images.after && presenceOf(images.after)
    if (presence !== undefined) {
      const frame = presenceFrame(images.before && presenceOf(images.before), presence)
      const { businessProfileId, connectionId, contact } = presence
      const key = `${connectionId}#presence#${contact.lid ?? contact.phoneNumber}`
      return { news: frame === undefined ? [] : [{ businessProfileId, key, frame }], figures: [] }
    }
    const after = images.after && messageOf(images.after)
    if (after === undefined) return { news: [], figures: [] }
    const before = images.before && messageOf(images.before)
    const { businessProfileId } = after
    return {
      news: messageFrames(before, after).map((frame) => ({ businessProfileId, key: keyOf(frame), frame })),
      figures: messageFigures(before, after),
    }
  },
})
