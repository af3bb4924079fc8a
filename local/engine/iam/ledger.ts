/** Every AWS call with the role that made it: counts for ever, the calls themselves in a ring. Readable at `GET /_local/calls`. */
import type { AccessRequest } from './decide.ts'

export interface RecordedCall {
  /** ISO 8601. */
  readonly at: string
  readonly role: string
  /** The function or task that made it. */
  readonly by: string
  readonly action: string
  readonly resource: string
  readonly allowed: boolean
}

export interface CallCount {
  readonly role: string
  readonly action: string
  readonly resource: string
  readonly allowed: number
  readonly refused: number
}

/** What was asked and allowed, with all that the decision rests on: enough to take it again under other policies. */
export interface AllowedRequest {
  readonly caller:
    | { readonly kind: 'role'; readonly name: string }
    | { readonly kind: 'service'; readonly service: string; readonly sourceArn: string }
  readonly request: AccessRequest
  /** ARN whose own policy counts. */
  readonly owner: string
}

export interface Ledger {
  record(call: RecordedCall): void
  recordAllowed(request: AllowedRequest): void
  /** One of each kind: of requests that differ in ids alone, the first. */
  allowed(): readonly AllowedRequest[]
  counts(): readonly CallCount[]
  /** Newest last. */
  recent(): readonly RecordedCall[]
  /** Each call from now on, as it comes in; gives the way to stop. */
  listen(listener: (call: RecordedCall) => void): () => void
}

export function createLedger(capacity = 2_000): Ledger {
  const ring: RecordedCall[] = []
  const counts = new Map<string, { role: string; action: string; resource: string; allowed: number; refused: number }>()
  const listeners = new Set<(call: RecordedCall) => void>()
  const allowed = new Map<string, AllowedRequest>()
  let next = 0
  return {
    recordAllowed(request) {
      const key = kindOf(request)
      if (!allowed.has(key)) allowed.set(key, request)
    },
    allowed: () => [...allowed.values()],
    record(call) {
      ring[next % capacity] = call
      next += 1
      const resource = withoutIds(call.resource)
      const key = `${call.role}\n${call.action}\n${resource}`
      const count = counts.get(key) ?? { role: call.role, action: call.action, resource, allowed: 0, refused: 0 }
      if (call.allowed) count.allowed += 1
      else count.refused += 1
      counts.set(key, count)
      for (const listener of listeners) listener(call)
    },
    counts: () => [...counts.values()],
    recent: () =>
      [...ring.slice(next % capacity), ...ring.slice(0, next % capacity)].filter((call) => call !== undefined),
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** Of the values that conditions look at, keys of items among them, only what stands before their ids is told apart. */
export function kindOf({ caller, request, owner }: AllowedRequest): string {
  const context = Object.entries(request.context).map(([key, values]) => [
    key,
    [...new Set((values ?? []).map((value) => /^[^#]*#|^[a-z_-]{1,24}$|/i.exec(value)?.[0]))].sort(),
  ])
  return JSON.stringify([caller, request.action, withoutIds(request.resource), withoutIds(owner), context])
}

/** Objects and WebSocket connections have unbounded names: they are counted by bucket and by API. */
function withoutIds(resource: string): string {
  if (resource.startsWith('arn:aws:s3:::')) return resource.replace(/\/.*$/, '/*')
  return resource.replace(/\/@connections\/.*$/, '/@connections/*')
}
