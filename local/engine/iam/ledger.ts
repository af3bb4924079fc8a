/** Every AWS call with the role that made it: counts for ever, the calls themselves in a ring. Readable at `GET /_local/calls`. */

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

export interface Ledger {
  record(call: RecordedCall): void
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
  let next = 0
  return {
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

/** Objects and WebSocket connections have unbounded names: they are counted by bucket and by API. */
function withoutIds(resource: string): string {
  if (resource.startsWith('arn:aws:s3:::')) return resource.replace(/\/.*$/, '/*')
  return resource.replace(/\/@connections\/.*$/, '/@connections/*')
}
