/** What a caller of `PutEvents` hands over, and how it becomes an event on a bus (EventBridge API reference, PutEvents). */
import type { BusEvent } from '../contracts.ts'

/** As the SDK sends it; `Time` is a Date, an ISO text or epoch seconds, depending on who parsed the request. */
export interface PutEventsEntry {
  readonly Source?: string | undefined
  readonly DetailType?: string | undefined
  /** A JSON object as text. */
  readonly Detail?: string | undefined
  readonly Time?: Date | string | number | undefined
  readonly Resources?: readonly string[] | undefined
  /** Name or ARN; the bus of the call when absent. */
  readonly EventBusName?: string | undefined
}

export type PutEventsResultEntry =
  | { readonly EventId: string }
  | { readonly ErrorCode: string; readonly ErrorMessage: string }

export interface PutEventsResult {
  readonly FailedEntryCount: number
  readonly Entries: readonly PutEventsResultEntry[]
}

/** Where events say they come from. */
export interface EventOrigin {
  readonly account: string
  readonly region: string
}

export type EntryOutcome =
  | { readonly kind: 'event'; readonly event: BusEvent }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }

/** EventBridge's limit for one call, in bytes. */
const entryBytesMax = 262_144

/** The event that an entry stands for, or EventBridge's refusal of it. */
export function eventOfEntry(entry: PutEventsEntry, origin: EventOrigin, id: string, nowMs: number): EntryOutcome {
  for (const field of ['Source', 'DetailType', 'Detail'] as const) {
    if (entry[field] === undefined || entry[field] === '') {
      return refused('InvalidArgument', `Parameter ${field} is not valid. Reason: ${field} is a required argument.`)
    }
  }
  const { Source = '', DetailType = '', Detail = '' } = entry
  if (Source.startsWith('aws.')) return refused('NotAuthorizedForSource', 'Not authorized for the source.')
  if (Buffer.byteLength(Source + DetailType + Detail) > entryBytesMax) {
    return refused('InvalidArgument', 'Total size of the entries in the request is over the limit.')
  }
  const detail = parseObject(Detail)
  if (detail === undefined) return refused('MalformedDetail', 'Detail is malformed.')
  return {
    kind: 'event',
    event: {
      version: '0',
      id,
      'detail-type': DetailType,
      source: Source,
      account: origin.account,
      time: eventTime(timeMs(entry.Time, nowMs)),
      region: origin.region,
      resources: entry.Resources ?? [],
      detail,
    },
  }
}

/** EventBridge writes times to the second. */
export function eventTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** `orders` of `arn:aws:events:eu-west-1:111111111111:event-bus/orders`; a plain name is itself. */
export function busNameOf(nameOrArn: string): string {
  return nameOrArn.startsWith('arn:') ? nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1) : nameOrArn
}

function timeMs(time: PutEventsEntry['Time'], nowMs: number): number {
  if (time === undefined) return nowMs
  const ms = typeof time === 'number' ? time * 1000 : new Date(time).getTime()
  return Number.isNaN(ms) ? nowMs : ms
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function refused(code: string, message: string): EntryOutcome {
  return { kind: 'refused', code, message }
}
