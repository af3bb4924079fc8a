import type { LeaseTerms, Stamp } from '../../shared/domain/leases.ts'
import type { FleetStore, WorkerRow } from '../../shared/domain/stores/fleet.ts'
import type { Clock, Timer } from '../ports.ts'

/** Figures that a renewal carries to the worker's row. */
export type WorkerLoad = Pick<WorkerRow, 'connections' | 'restoring' | 'state'>

export type RenewalEnd =
  /** An observer or the platform declared this worker dead: it must stop. */
  | { readonly kind: 'dead' }
  /** The renewing thread is gone. */
  | { readonly kind: 'broken'; readonly error: Error }

/** The renewing side as the main thread sees it. */
export interface Renewal {
  /** When the newest confirmed renewal was stamped, before it was sent. */
  confirmed(): Stamp | undefined
  /** The main thread is alive. Without it for a renewal period, nothing is renewed. */
  beat(): void
  carry(load: WorkerLoad): void
  /** Resolves when renewing ended other than by `stop`. */
  readonly ended: Promise<RenewalEnd>
  stop(): Promise<void>
}

export interface RenewalLoopDependencies {
  readonly clock: Clock
  readonly store: Pick<FleetStore, 'renew'>
  readonly workerId: string
  readonly terms: LeaseTerms
  /** How long ago the main thread's heart beat last. */
  readonly heartbeatAgeMs: () => number
  /** Called with stamps in rising order. */
  readonly publish: (stamp: Stamp) => void
  readonly dead: () => void
}

const requestTimeoutMs = 8_000
/** So many may be on their way at once: what a request may take, in renewal periods. */
const requestsMax = 4

/**
 * Raises the worker's counter every renewal period while the main thread is alive. The same code runs in the renewing thread
 * and, on a virtual clock, in the simulation.
 */
export class RenewalLoop {
  readonly #deps: RenewalLoopDependencies
  #load: WorkerLoad
  #counter = 0
  #underWay = 0
  #newest: Stamp | undefined
  #timer: Timer | undefined
  #stopped = false

  constructor(deps: RenewalLoopDependencies, load: WorkerLoad) {
    this.#deps = deps
    this.#load = load
  }

  start(): void {
    this.#tick()
  }

  /** A changed state is told at once, figures with the next renewal. */
  carry(load: WorkerLoad): void {
    const stateChanged = load.state !== this.#load.state
    this.#load = load
    if (stateChanged) this.#again(0)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #again(delayMs: number): void {
    this.#timer?.cancel()
    if (!this.#stopped) this.#timer = this.#deps.clock.after(delayMs, () => this.#tick())
  }

  #tick(): void {
    const { heartbeatAgeMs, terms } = this.#deps
    if (heartbeatAgeMs() > terms.renewMs) {
      // A frozen main thread must lose its lease; one that was only late is noticed soon.
      this.#again(terms.renewMs / 10)
      return
    }
    if (this.#underWay < requestsMax) void this.#renew()
    this.#again(terms.renewMs)
  }

  async #renew(): Promise<void> {
    const { clock, store, workerId } = this.#deps
    const stamp: Stamp = { monotonic: clock.monotonic(), wall: clock.now() }
    this.#underWay++
    // Given up only in the count: an answer that comes later than this still confirms its own old stamp.
    let counted = true
    const settle = () => {
      if (counted) this.#underWay--
      counted = false
      timeout.cancel()
    }
    const timeout = clock.after(requestTimeoutMs, settle)
    try {
      const outcome = await store.renew(workerId, ++this.#counter, this.#load)
      settle()
      if (this.#stopped) return
      if (outcome.kind === 'dead') {
        this.stop()
        this.#deps.dead()
      } else {
        this.#confirm(stamp)
      }
    } catch {
      // Passing by nature; the next attempt is the retry, and what never succeeds ends in the lease's deadline.
      settle()
      if (!this.#stopped) this.#again(this.#deps.terms.renewMs / 3)
    }
  }

  #confirm(stamp: Stamp): void {
    if (this.#newest !== undefined && stamp.monotonic <= this.#newest.monotonic) return
    this.#newest = stamp
    this.#deps.publish(stamp)
  }
}

/** Renewal without a thread, on the given clock: for the simulation, and wherever one event loop is all there is. */
export function renewalOnClock(
  deps: Pick<RenewalLoopDependencies, 'clock' | 'store' | 'workerId' | 'terms'>,
  load: WorkerLoad,
): Renewal {
  const { clock } = deps
  let beatAt = clock.monotonic()
  let confirmed: Stamp | undefined
  const { promise: ended, resolve } = Promise.withResolvers<RenewalEnd>()
  const loop = new RenewalLoop(
    {
      ...deps,
      heartbeatAgeMs: () => clock.monotonic() - beatAt,
      publish: (stamp) => {
        confirmed = stamp
      },
      dead: () => resolve({ kind: 'dead' }),
    },
    load,
  )
  loop.start()
  return {
    confirmed: () => confirmed,
    beat: () => {
      beatAt = clock.monotonic()
    },
    carry: (next) => loop.carry(next),
    ended,
    stop: async () => loop.stop(),
  }
}
