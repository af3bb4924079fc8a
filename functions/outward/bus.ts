import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import { eventSource, type OutwardEvent } from '../../shared/api/events.ts'
import { log } from '../log.ts'

/** EventBridge takes ten entries and 256 KB in one call. */
const entriesMax = 10
const callBytesMax = 250 * 1024

/**
 * Puts events on the bus.
 *
 * @returns those that were not taken: a call may fail as a whole or entry by entry. Never rejects
 */
export async function putOnBus(
  bus: EventBridgeClient,
  name: string,
  events: readonly OutwardEvent[],
): Promise<readonly OutwardEvent[]> {
  const left: OutwardEvent[] = []
  for (const call of calls(events)) {
    try {
      const { Entries = [] } = await bus.send(
        new PutEventsCommand({
          Entries: call.map(({ event, detail }) => ({
            EventBusName: name,
            Source: eventSource,
            DetailType: event.event,
            Detail: detail,
            Time: new Date(event.at),
            Resources: [],
          })),
        }),
      )
      const refused = call.filter((_, n) => Entries[n]?.EventId === undefined)
      if (refused.length > 0) {
        const codes = [...new Set(Entries.flatMap(({ ErrorCode }) => ErrorCode ?? []))]
        log.warn('the bus refused events; they will be put again', { events: refused.length, codes })
      }
      left.push(...refused.map(({ event }) => event))
    } catch (error) {
      log.warn('the bus did not answer; events will be put again', { events: call.length, error: error as Error })
      left.push(...call.map(({ event }) => event))
    }
  }
  return left
}

interface Entry {
  readonly event: OutwardEvent
  readonly detail: string
}

function calls(events: readonly OutwardEvent[]): readonly (readonly Entry[])[] {
  const cut: Entry[][] = []
  let room = 0
  for (const event of events) {
    const detail = JSON.stringify(event)
    const bytes = Buffer.byteLength(detail) + event.event.length + eventSource.length
    const current = cut.at(-1)
    if (current !== undefined && current.length < entriesMax && bytes <= room) {
      current.push({ event, detail })
      room -= bytes
    } else {
      cut.push([{ event, detail }])
      room = callBytesMax - bytes
    }
  }
  return cut
}
