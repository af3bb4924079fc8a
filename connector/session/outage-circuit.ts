import type { EpochMs } from '../../shared/domain/words.ts'

export interface OutageSettings {
  /** So many different connections, and this share of all that are open or failed, within the window: an outage. */
  readonly outageFailuresMin: number
  readonly outageShare: number
  readonly outageWindowMs: number
  /** Connections that probe at a time while it lasts. */
  readonly probesMax: number
  /** Wait before the first round of probes; doubles up to the maximum. */
  readonly probeDelayFirstMs: number
  readonly probeDelayMaxMs: number
  /** The limiter's full rate. */
  readonly ratePerSecond: number
  /** What a ramp leads to, before the full rate: a service that has just come back is not met with all that we can. */
  readonly rampRatePerSecond: number
}

/** A ramp begins at this part of its rate, and doubles each second. */
const rampFirstPart = 1 / 4
const rampFailuresMax = 5
/** One that was down for so long, beside others that are, shared an outage with them. */
const sharedMs = 30_000

type Phase =
  | { readonly kind: 'closed' }
  /** Probes go out in rounds: `left` may still go in this one, `probes` are under way. */
  | { readonly kind: 'outage'; nextProbeAt: EpochMs; delayMs: number; probes: number; left: number }
  | { readonly kind: 'ramp'; readonly since: EpochMs; failed: number; opened: number }

export type CircuitNews = 'outage' | 'recovered' | undefined

/**
 * Tells an outage that many connections share from the failure of one, by what the logins and the open sockets of this
 * worker report. All times are monotonic milliseconds.
 */
export class OutageCircuit {
  readonly #settings: OutageSettings
  readonly #failed = new Map<string, EpochMs>()
  readonly #open = new Set<string>()
  /** Failed in a way that an outage would make and neither opened nor left since, by when that began; longest first. */
  readonly #down = new Map<string, EpochMs>()
  #failedAt: EpochMs = Number.NEGATIVE_INFINITY
  #phase: Phase = { kind: 'closed' }

  constructor(settings: OutageSettings) {
    this.#settings = settings
  }

  get outage(): boolean {
    return this.#phase.kind !== 'closed'
  }

  /** Connections whose trouble may be WhatsApp's, longest first: none is open, or several are down. Else none. */
  get troubled(): readonly string[] {
    return this.#open.size === 0 || this.#down.size > 1 ? [...this.#down.keys()] : []
  }

  get failedAt(): EpochMs {
    return this.#failedAt
  }

  /** Whether a login may go out, and how: `probe`, at a rate, or when to ask again (`undefined`: when something happened). */
  permission(
    now: EpochMs,
  ):
    | { readonly kind: 'probe' }
    | { readonly kind: 'rate'; readonly perSecond: number }
    | { readonly kind: 'wait'; readonly until?: EpochMs } {
    const phase = this.#phase
    switch (phase.kind) {
      case 'closed':
        return { kind: 'rate', perSecond: this.#settings.ratePerSecond }
      case 'outage':
        if (phase.left === 0) return { kind: 'wait' }
        return now >= phase.nextProbeAt ? { kind: 'probe' } : { kind: 'wait', until: phase.nextProbeAt }
      case 'ramp': {
        const seconds = Math.floor((now - phase.since) / 1_000)
        const full = Math.min(this.#settings.rampRatePerSecond, this.#settings.ratePerSecond)
        const perSecond = full * rampFirstPart * 2 ** Math.min(seconds, 10)
        if (perSecond <= full) return { kind: 'rate', perSecond }
        this.#phase = { kind: 'closed' }
        return { kind: 'rate', perSecond: this.#settings.ratePerSecond }
      }
    }
  }

  probing(): void {
    if (this.#phase.kind !== 'outage') return
    this.#phase.probes += 1
    this.#phase.left -= 1
  }

  opened(key: string, now: EpochMs): CircuitNews {
    const dark = this.#open.size === 0
    const downSince = this.#down.get(key)
    this.#open.add(key)
    this.#failed.delete(key)
    this.#down.delete(key)
    const phase = this.#phase
    if (phase.kind === 'outage') {
      this.#failed.clear()
      this.#phase = { kind: 'ramp', since: now, failed: 0, opened: 1 }
      return 'recovered'
    }
    if (phase.kind === 'ramp') phase.opened += 1
    // In a fleet too small for the circuit, the first success tells the others all the same.
    const shared = dark || (downSince !== undefined && now - downSince >= sharedMs)
    return shared && this.#down.size > 0 ? 'recovered' : undefined
  }

  /** A login failed, or an open socket was lost, in a way that an outage would make. */
  failed(key: string, now: EpochMs, probe: boolean): CircuitNews {
    this.#open.delete(key)
    this.#failed.set(key, now)
    this.#failedAt = now
    if (!this.#down.has(key)) this.#down.set(key, now)
    const phase = this.#phase
    switch (phase.kind) {
      case 'closed':
        for (const [other, at] of this.#failed) if (now - at > this.#settings.outageWindowMs) this.#failed.delete(other)
        if (!this.#many()) return undefined
        return this.#begin(now, this.#settings.probeDelayFirstMs)
      case 'outage':
        if (!probe) return undefined
        phase.probes -= 1
        if (phase.probes === 0) {
          phase.left = this.#settings.probesMax
          phase.nextProbeAt = now + phase.delayMs
          phase.delayMs = Math.min(phase.delayMs * 2, this.#settings.probeDelayMaxMs)
        }
        return undefined
      case 'ramp':
        phase.failed += 1
        if (phase.failed < rampFailuresMax || phase.failed <= phase.opened) return undefined
        return this.#begin(now, this.#settings.probeDelayFirstMs * 2)
    }
  }

  /** A login came to an end that says nothing about WhatsApp. */
  neutral(probe: boolean): void {
    if (!probe || this.#phase.kind !== 'outage') return
    this.#phase.probes -= 1
    this.#phase.left += 1
  }

  /** Stopped, or given to another worker: nothing of it counts any more. */
  left(key: string): void {
    this.#open.delete(key)
    this.#down.delete(key)
  }

  #many(): boolean {
    const failed = this.#failed.size
    return (
      failed >= this.#settings.outageFailuresMin && failed >= this.#settings.outageShare * (failed + this.#open.size)
    )
  }

  #begin(now: EpochMs, delayMs: number): CircuitNews {
    this.#phase = {
      kind: 'outage',
      nextProbeAt: now + delayMs,
      delayMs: Math.min(delayMs * 2, this.#settings.probeDelayMaxMs),
      probes: 0,
      left: this.#settings.probesMax,
    }
    return 'outage'
  }
}
