/**
 * Faults on demand. Ending kinds (drop, close, failure, stream-error, …) act at once on the sockets that they match; the
 * others change how the server treats a socket for as long as they stand. Expiry is looked at when a fault is asked for,
 * so a standing fault costs no timer, and a server without faults pays one length check.
 */

import { createHash, randomUUID } from 'node:crypto'
import { z } from 'zod'
import { messageFilter } from './message-faults.ts'

const target = z.union([
  z.strictObject({ all: z.literal(true) }),
  z.strictObject({ device: z.string().regex(/^\d+:\d+$/, 'expected "<phone number>:<device>"') }),
  z.strictObject({ phoneNumber: z.string().regex(/^\d+$/, 'expected digits only') }),
  z.strictObject({ share: z.number().min(0).max(1) }),
])

const positive = z.int().positive().optional()
/** How often it acts, and for how long it stands; without either an ending kind acts once, at once. */
const limits = { target, count: positive, ms: positive }
/** `until` is an instant in ISO 8601, in place of `ms`. */
const ackLimits = { ...limits, until: z.iso.datetime().optional(), messages: messageFilter.optional() }
/** Which queries: by namespace (`usync`, `w:g2`, …), and by a number or other text that occurs in them. */
const queryLimits = { ...limits, xmlns: z.string().optional(), about: z.string().min(1).optional() }

export const faultRequest = z.discriminatedUnion('kind', [
  /** TCP reset. */
  z.strictObject({ kind: z.literal('drop'), ...limits }),
  /** A WebSocket close, or `<xmlstreamend/>` before it. */
  z.strictObject({
    kind: z.literal('close'),
    how: z.enum(['websocket', 'xmlstreamend']).default('websocket'),
    ...limits,
  }),
  /** The socket stays open, nothing is heard or said; with `ignoreClose` not even the client's WebSocket close. */
  z.strictObject({ kind: z.literal('silent'), ignoreClose: z.boolean().default(false), target, ms: positive }),
  /** An HTTP status instead of the upgrade; no device is known then, so only `all` and `share` match. */
  z.strictObject({ kind: z.literal('refuse-upgrade'), status: z.int().min(400).max(599).default(503), ...limits }),
  /** `<failure reason>`, on open sockets and at every later login while it stands. */
  z.strictObject({ kind: z.literal('failure'), reason: z.int().default(500), ...limits }),
  /** `<stream:error code>`, or with `child` the form that carries a child element and no code. */
  z.strictObject({
    kind: z.literal('stream-error'),
    code: z.int().optional(),
    child: z.string().optional(),
    ...limits,
  }),
  /** `<conflict type="replaced"/>`, as if another socket had logged in. */
  z.strictObject({ kind: z.literal('replaced'), ...limits }),
  /** The device is unlinked; `withoutCode` leaves out the 401, as WhatsApp sometimes does. */
  z.strictObject({ kind: z.literal('device-removed'), withoutCode: z.boolean().default(false), ...limits }),
  /** `<ib><downgrade_webclient/></ib>`. */
  z.strictObject({ kind: z.literal('downgrade'), ...limits }),
  /** Messages are delivered, but never acknowledged. */
  z.strictObject({ kind: z.literal('no-acks'), ...ackLimits }),
  /** Messages are refused with this error and not delivered. */
  z.strictObject({ kind: z.literal('error-acks'), errorCode: z.int().default(463), ...ackLimits }),
  /** As no-acks, for this share of the messages. */
  z.strictObject({ kind: z.literal('drop-acks'), share: z.number().min(0).max(1), ...ackLimits }),
  /** Queries are answered with this error. */
  z.strictObject({
    kind: z.literal('refuse-queries'),
    code: z.int().default(429),
    text: z.string().default('rate-overlimit'),
    ...queryLimits,
  }),
  /** Queries are never answered. */
  z.strictObject({ kind: z.literal('ignore-queries'), ...queryLimits }),
  /** The media host answers with this status. Nobody is logged in there: only `all` and `share` match. */
  z.strictObject({
    kind: z.literal('refuse-media'),
    status: z.int().min(400).max(599).default(503),
    direction: z.enum(['upload', 'download', 'both']).default('both'),
    ...limits,
  }),
  /** Everything the server writes is late by `ms`; `durationMs` is how long the fault stands. */
  z.strictObject({
    kind: z.literal('delay'),
    target,
    ms: z.int().positive(),
    durationMs: positive,
  }),
])

export type FaultRequest = z.infer<typeof faultRequest>
export type FaultKind = FaultRequest['kind']

export interface Fault {
  id: string
  request: FaultRequest
  applied: number
  /** Milliseconds since the epoch; undefined stands until deleted. */
  expiresAt: number | undefined
}

/** What a fault may match: a socket before its login has no device. */
export interface FaultSubject {
  /** Distinguishes sockets whose device is unknown. */
  connectionNumber: number
  device: string | undefined
}

const ENDING: ReadonlySet<FaultKind> = new Set([
  'drop',
  'close',
  'failure',
  'stream-error',
  'replaced',
  'device-removed',
  'downgrade',
])

export function endsSockets(kind: FaultKind): boolean {
  return ENDING.has(kind)
}

/** How often a fault acts in all; `silent` and `delay` are states, which nothing counts. */
function countOf(request: FaultRequest): number | undefined {
  return 'count' in request ? request.count : undefined
}

/** Ending kinds stay for later logins only when a limit says for how long; a `failure` stays until it is deleted. */
function stands(request: FaultRequest): boolean {
  return (
    !endsSockets(request.kind) ||
    request.kind === 'failure' ||
    countOf(request) !== undefined ||
    request.ms !== undefined
  )
}

/** The same devices are chosen for as long as a fault stands. */
function fraction(faultId: string, subject: FaultSubject): number {
  const name = subject.device ?? `socket ${subject.connectionNumber}`
  return createHash('sha256').update(`${faultId} ${name}`).digest().readUInt32BE(0) / 2 ** 32
}

export class Faults {
  readonly #now: () => number
  #standing: Fault[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  add(request: FaultRequest): Fault {
    const standsForMs = request.kind === 'delay' ? request.durationMs : request.ms
    const until = 'until' in request && request.until !== undefined ? Date.parse(request.until) : undefined
    const expiresAt = standsForMs === undefined ? until : this.#now() + standsForMs
    const fault: Fault = { id: randomUUID(), request, applied: 0, expiresAt }
    if (stands(request)) this.#standing.push(fault)
    return fault
  }

  remove(id: string): boolean {
    const before = this.#standing.length
    this.#standing = this.#standing.filter((fault) => fault.id !== id)
    return this.#standing.length < before
  }

  clear(): void {
    this.#standing = []
  }

  list(): Fault[] {
    this.#dropExpired()
    return [...this.#standing]
  }

  matches(fault: Fault, subject: FaultSubject): boolean {
    const wanted = fault.request.target
    if ('all' in wanted) return true
    if ('share' in wanted) return fraction(fault.id, subject) < wanted.share
    if (subject.device === undefined) return false
    if ('device' in wanted) return subject.device === wanted.device
    return subject.device.startsWith(`${wanted.phoneNumber}:`)
  }

  /** The first standing fault of a kind that matches, without counting it as applied. */
  find<K extends FaultKind>(
    kind: K,
    subject: FaultSubject,
    concerned: (request: FaultRequest & { kind: K }) => boolean = () => true,
  ): (Fault & { request: { kind: K } }) | undefined {
    if (this.#standing.length === 0) return undefined
    this.#dropExpired()
    const found = this.#standing.find(
      (fault) =>
        fault.request.kind === kind &&
        this.matches(fault, subject) &&
        concerned(fault.request as FaultRequest & { kind: K }),
    )
    return found as (Fault & { request: { kind: K } }) | undefined
  }

  /** The first standing fault that ends a socket at its login. */
  findEnding(subject: FaultSubject): Fault | undefined {
    if (this.#standing.length === 0) return undefined
    this.#dropExpired()
    return this.#standing.find((fault) => endsSockets(fault.request.kind) && this.matches(fault, subject))
  }

  /** Counts one application; a fault that has none left no longer stands. */
  apply(fault: Fault): void {
    fault.applied++
    if (this.spent(fault)) this.remove(fault.id)
  }

  /** Whether a fault has acted as often as it was asked to. */
  spent(fault: Fault): boolean {
    const count = countOf(fault.request)
    return count !== undefined && fault.applied >= count
  }

  #dropExpired(): void {
    const now = this.#now()
    if (this.#standing.some((fault) => fault.expiresAt !== undefined && fault.expiresAt <= now)) {
      this.#standing = this.#standing.filter((fault) => fault.expiresAt === undefined || fault.expiresAt > now)
    }
  }
}
