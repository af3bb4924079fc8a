import { assertNever, type EpochMs, type SendContent } from './words.ts'

/**
 * How fast a connection may write, as its owner set it. Absent parts do not limit. A pace delays, it never drops: what must
 * not go yet waits, and ends at its deadline as any other send.
 */
export interface Pace {
  /** Between two sends of the connection, in milliseconds. */
  readonly minGapMs?: number
  /** Lengthens each gap by a random share of up to this; 0.5 adds up to half. */
  readonly jitter?: number
  /** Shows "typing…" in the chat before what a person would type, "recording…" before a voice note, longer before longer ones. */
  readonly typing?: boolean
  /** First messages to people with whom nothing was exchanged yet, per calendar day of the quiet hours' zone, else of UTC. */
  readonly newChatsPerDay?: number
  readonly quietHours?: QuietHours
}

/** Local times `HH:MM`; `from` after `to` is over midnight. */
export interface QuietHours {
  readonly from: string
  readonly to: string
  /** IANA name, such as `Asia/Colombo`. */
  readonly timeZone: string
}

/** What is known of the chat that a send goes to; asked only where it matters. */
export type ChatStanding =
  | 'unasked'
  /** Messages were exchanged. */
  | 'known'
  /** Nothing was exchanged, nothing decided. */
  | 'new'
  /** New, and counted within today's limit. */
  | 'admitted'

export interface PaceState {
  readonly standing: ChatStanding
  /** The earliest time that the gap after the last send allows. */
  readonly nextAt: EpochMs
  /** WhatsApp refuses new chats until then. */
  readonly restrictedUntil?: EpochMs
  /** The day whose limit of new chats is known to be reached. */
  readonly fullDay?: string
}

export type PaceDecision =
  | { readonly kind: 'go' }
  /** The chat's standing has to be looked up first; for `admit` it has to be counted as well. */
  | { readonly kind: 'ask'; readonly what: 'standing' | 'admit'; readonly day: string }
  /** Look again at `until`: the reason may last longer. `holds`: whether other chats may go meanwhile. */
  | { readonly kind: 'wait'; readonly until: EpochMs; readonly why: PaceReason; readonly holds: 'chat' | 'all' }
  /** New chats are restricted by WhatsApp. */
  | { readonly kind: 'refuse' }

export type PaceReason = 'gap' | 'quiet_hours' | 'new_chats_per_day'

/** Clocks change in summer and winter: no wait is computed further ahead. */
const lookAgainMs = 30 * 60_000

/** @param now by the wall clock */
export function decidePace(pace: Pace | undefined, state: PaceState, now: EpochMs): PaceDecision {
  const restricted = state.restrictedUntil !== undefined && state.restrictedUntil > now
  if (pace === undefined && !restricted) return { kind: 'go' }
  const day = dayIn(pace?.quietHours?.timeZone ?? 'UTC', now)
  if (restricted) {
    if (state.standing === 'unasked') return { kind: 'ask', what: 'standing', day }
    if (state.standing !== 'known') return { kind: 'refuse' }
  }
  if (pace === undefined) return { kind: 'go' }
  const quietMs = pace.quietHours === undefined ? 0 : quietForMs(pace.quietHours, now)
  if (quietMs > 0)
    return { kind: 'wait', until: now + Math.min(quietMs, lookAgainMs), why: 'quiet_hours', holds: 'all' }
  if (pace.newChatsPerDay !== undefined) {
    if (state.standing === 'unasked') return { kind: 'ask', what: 'standing', day }
    if (state.standing === 'new') {
      if (state.fullDay !== day) return { kind: 'ask', what: 'admit', day }
      return { kind: 'wait', until: now + lookAgainMs, why: 'new_chats_per_day', holds: 'chat' }
    }
  }
  if (state.nextAt > now) return { kind: 'wait', until: state.nextAt, why: 'gap', holds: 'all' }
  return { kind: 'go' }
}

/** @param random in [0, 1) */
export function gapMs({ minGapMs = 0, jitter = 0 }: Pace, random: number): number {
  return Math.round(minGapMs * (1 + jitter * random))
}

const presenceMsMin = 800
const presenceMsMax = 10_000
/** Of a voice note that nobody measured. */
const recordingMs = 3_000

export interface SendPresence {
  readonly shown: 'typing' | 'recording'
  readonly forMs: number
}

/**
 * What is shown in the chat before a message, and for how long: "typing…" for 50 ms a character of what a person would have
 * typed, "recording…" for the length of a voice note, from 0.8 to 10 seconds. Undefined where a person would do neither.
 *
 * @param seconds how long the voice note is, where that is known
 */
export function presenceBefore(content: SendContent, seconds?: number): SendPresence | undefined {
  if (content.type === 'audio' && content.audio.voice === true) {
    return { shown: 'recording', forMs: bounded(seconds === undefined ? recordingMs : seconds * 1_000) }
  }
  const characters = typedIn(content)
  return characters === 0 ? undefined : { shown: 'typing', forMs: bounded(characters * 50) }
}

const bounded = (ms: number): number => Math.min(presenceMsMax, Math.max(presenceMsMin, ms))

function typedIn(content: SendContent): number {
  switch (content.type) {
    case 'text':
      return content.text.body.length
    case 'image':
      return content.image.caption?.length ?? 0
    case 'video':
      return content.video.caption?.length ?? 0
    case 'document':
      return content.document.caption?.length ?? 0
    case 'poll':
      return content.poll.name.length + content.poll.options.join('').length
    case 'edit':
      return content.edit.text.length
    case 'audio':
    case 'sticker':
    case 'location':
    case 'contacts':
    case 'reaction':
    case 'delete':
      return 0
    default:
      return assertNever(content)
  }
}

/** Milliseconds until the quiet hours end by the wall clock of their zone; 0 outside of them. */
export function quietForMs({ from, to, timeZone }: QuietHours, now: EpochMs): number {
  const start = minutesOf(from)
  const end = minutesOf(to)
  const { minutes, restMs } = timeIn(timeZone, now)
  const inside = start <= end ? minutes >= start && minutes < end : minutes >= start || minutes < end
  if (!inside) return 0
  return ((end - minutes + 24 * 60) % (24 * 60)) * 60_000 - restMs
}

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5))

/** Making a formatter costs a hundred times what using it costs; there are some 400 zones. */
const clocks = new Map<string, Intl.DateTimeFormat>()
const calendars = new Map<string, Intl.DateTimeFormat>()

function timeIn(timeZone: string, now: EpochMs): { readonly minutes: number; readonly restMs: number } {
  const clock =
    clocks.get(timeZone) ??
    new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  clocks.set(timeZone, clock)
  return { minutes: minutesOf(clock.format(now)), restMs: now % 60_000 }
}

/** `2026-01-31` */
export function dayIn(timeZone: string, now: EpochMs): string {
  const calendar =
    calendars.get(timeZone) ??
    new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  calendars.set(timeZone, calendar)
  return calendar.format(now)
}
