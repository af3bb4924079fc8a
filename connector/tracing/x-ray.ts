import type { Clock, Log, Timer, TracedSend, Traces } from '../ports.ts'
import { segmentOf } from './segments.ts'

/** Of one PutTraceSegments call. */
const batchMax = 25
const waitMs = 1_000
/** What waits while X-Ray does not answer; more is dropped: a trace is worth less than a send. */
const keptMax = 1_000

export interface TracesOptions {
  readonly clock: Clock
  readonly log: Log
  readonly stage: string
  readonly newId: () => string
  /** Rejects where they were not taken. */
  readonly put: (documents: readonly string[]) => Promise<void>
}

/** Collects segments for a second and tells X-Ray of them. No send waits for it, and nothing of it fails one. */
export class SegmentBuffer implements Traces {
  readonly #options: TracesOptions
  #documents: string[] = []
  #timer: Timer | undefined
  #putting: Promise<void> | undefined
  #dropped = 0

  constructor(options: TracesOptions) {
    this.#options = options
  }

  send(told: TracedSend): void {
    const { stage, newId, clock } = this.#options
    const segment = segmentOf(told, stage, newId)
    if (segment === undefined) return
    if (this.#documents.length >= keptMax) this.#dropped += 1
    else this.#documents.push(JSON.stringify(segment))
    this.#timer ??= clock.after(waitMs, () => void this.flush())
  }

  /** Resolves once everything that was told until now is out, or lost. */
  flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    const before = this.#putting ?? Promise.resolve()
    const putting = before.then(() => this.#put())
    this.#putting = putting
    return putting
  }

  async #put(): Promise<void> {
    const { put, log } = this.#options
    while (this.#documents.length > 0) {
      const batch = this.#documents.splice(0, batchMax)
      try {
        await put(batch)
      } catch (error) {
        this.#dropped += batch.length
        log.warn({ err: error, dropped: this.#dropped }, 'Traces could not be told')
      }
    }
  }
}

/** X-Ray's own API, with the task's role: no daemon and no collector beside the worker. */
export async function xRay(region: string): Promise<TracesOptions['put']> {
  const { PutTraceSegmentsCommand, XRayClient } = await import('@aws-sdk/client-xray')
  const client = new XRayClient({ region, maxAttempts: 2, requestHandler: { requestTimeout: 3_000 } })
  return async (documents) => {
    const { UnprocessedTraceSegments: refused = [] } = await client.send(
      new PutTraceSegmentsCommand({ TraceSegmentDocuments: [...documents] }),
    )
    if (refused.length > 0) throw new Error(`X-Ray refused ${refused.length} segments: ${refused[0]?.ErrorCode}`)
  }
}
