import { messageFrames, operationFrame, presenceFrame } from '../live/frames.ts'
import { announcer } from '../outward/announcer.ts'
import { outwardEvent } from '../outward/events.ts'
import { announcingPorts } from '../outward/ports.ts'
import { imagesOf, messageOf, operationOf, presenceOf } from './decode.ts'

/** Stream of the table `messages`, for EventBridge and webhooks. Rows that go, by age or with their connection, are no news. */
export const handler = announcer({
  ...announcingPorts(),
  eventsOf: (record) => {
    const images = imagesOf(record)
    const operation = images.after && operationOf(images.after)
    if (operation !== undefined) {
      const frame = operationFrame(images.before && operationOf(images.before), operation)
      return frame === undefined ? [] : [outwardEvent(operation.businessProfileId, operation.operationId, frame)]
    }
    const presence = images.after && presenceOf(images.after)
    if (presence !== undefined) {
      const frame = presenceFrame(images.before && presenceOf(images.before), presence)
      const { businessProfileId, contact } = presence
      const item = `presence#${contact.lid ?? contact.phoneNumber}`
      return frame === undefined ? [] : [outwardEvent(businessProfileId, item, frame)]
    }
    const after = images.after && messageOf(images.after)
    if (after === undefined) return []
    const frames = messageFrames(images.before && messageOf(images.before), after)
    return frames.map((frame) => outwardEvent(after.businessProfileId, after.messageId, frame))
  },
})
