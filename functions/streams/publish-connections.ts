import { documentClient, queueClient } from '../../shared/aws/clients.ts'
import { liveStore } from '../../shared/aws/live.ts'
import { liveChanges } from '../../shared/aws/live-changes.ts'
import { configure } from '../config.ts'
import { connectionDeletedFrame, connectionFrame } from '../live/frames.ts'
import { socketsAt } from '../live/sockets.ts'
import { isoNow } from '../time.ts'
import { connectionOf, imagesOf } from './decode.ts'
import { connectionFigures } from './figures.ts'
import { publisher } from './publisher.ts'
import { RetryQueue } from './retry-queue.ts'

const config = configure('LIVE_TABLE', 'LIVE_CALLBACK_URL', 'PUBLISH_RETRY_QUEUE_URL')
const liveTable = { documents: documentClient(), table: config.LIVE_TABLE }

/** Stream of the table `connections`. */
export const handler = publisher({
  ports: {
    live: liveStore(liveTable),
    changes: liveChanges(liveTable),
    sockets: socketsAt(config.LIVE_CALLBACK_URL),
  },
  retries: new RetryQueue(queueClient(), config.PUBLISH_RETRY_QUEUE_URL),
  read: (record) => {
    const images = imagesOf(record)
    const before = images.before && connectionOf(images.before)
    const after = images.after && connectionOf(images.after)
    const row = after ?? before
    if (row === undefined) throw new Error('stream record without images')
    const frame = after ? connectionFrame(before, after) : connectionDeletedFrame(row, isoNow())
    return {
      news: frame === undefined ? [] : [{ businessProfileId: row.businessProfileId, key: row.connectionId, frame }],
      figures: after ? connectionFigures(before, after) : [],
    }
  },
})
