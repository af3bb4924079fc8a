import { connectionDeletedFrame, connectionFrame } from '../live/frames.ts'
import { announcer } from '../outward/announcer.ts'
import { outwardEvent } from '../outward/events.ts'
import { announcingPorts } from '../outward/ports.ts'
import { isoNow } from '../time.ts'
import { connectionOf, imagesOf } from './decode.ts'

/** Stream of the table `connections`, for EventBridge and webhooks. */
export const handler = announcer({
  ...announcingPorts(),
  eventsOf: (record) => {
    const images = imagesOf(record)
    const before = images.before && connectionOf(images.before)
    const after = images.after && connectionOf(images.after)
    const row = after ?? before
    if (row === undefined) throw new Error('stream record without images')
    const seconds = record.dynamodb?.ApproximateCreationDateTime
    const removedAt = seconds === undefined ? isoNow() : new Date(seconds * 1000).toISOString()
    const frame = after ? connectionFrame(before, after) : connectionDeletedFrame(row, removedAt)
    return frame === undefined ? [] : [outwardEvent(row.businessProfileId, row.connectionId, frame)]
  },
})
