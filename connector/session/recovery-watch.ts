import type { Clock, Random, Timer } from '../ports.ts'
import { within } from './until-stored.ts'

export interface RecoveryWatchSettings {
  /** Between two looks whether WhatsApp can be reached. */
  readonly reachIntervalMs: number
  readonly reachTimeoutMs: number
  /** After a try that failed, until one of them is let out to try again, as long as WhatsApp can be reached. */
  readonly scoutGapMs: number
  /** From then on what is down has troubles of its own; it is left to its slow lane until WhatsApp was unreachable again. */
  readonly scoutForMs: number
}

export interface RecoveryWatchDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly settings: RecoveryWatchSettings
  /** Whether WhatsApp takes connections at all; no login. Absent: taken for granted. */
  readonly reachable?: ((timeoutMs: number) => Promise<boolean>) | undefined
  /** Connections whose trouble may be WhatsApp's. */
  readonly troubled: () => readonly string[]
  /** When a connection last failed as in an outage. */
  readonly failedAt: () => number
  /** No login is under way or waits for its turn: nobody would find out by itself. */
  readonly idle: () => boolean
  /** Lets this connection try once, where it sits in the slow lane and may; whether it does. */
  readonly scout: (key: string) => boolean
}

/**
 * Finds out that WhatsApp is back for connections that have spent their attempts: asks now and then whether it can be reached,
 * one question for the whole worker, and lets one connection try when it can be again, or once in a while. Its success wakes
 * the others.
 */
export class RecoveryWatch {
  readonly #deps: RecoveryWatchDependencies
  #timer: Timer | undefined
  #running = false
  #since = 0
  #away = false

  constructor(deps: RecoveryWatchDependencies) {
    this.#deps = deps
  }

  /** Something changed: watches while there is trouble, and only then. */
  stir(): void {
    const trouble = this.#deps.troubled().length > 0
    if (trouble === this.#running) return
    this.#running = trouble
    if (!trouble) {
      this.#timer?.cancel()
      return
    }
    this.#since = this.#deps.clock.monotonic()
    this.#away = false
    this.#lookLater()
  }

  #lookLater(): void {
    const { clock, random, settings } = this.#deps
    this.#timer?.cancel()
    this.#timer = clock.after(settings.reachIntervalMs * (1 + random.next() / 5), () => void this.#look())
  }

  async #look(): Promise<void> {
    if (this.#deps.idle()) {
      const reached = await this.#reached()
      if (!this.#running) return
      this.#letOut(reached)
    }
    this.#lookLater()
  }

  async #reached(): Promise<boolean> {
    const { clock, settings, reachable } = this.#deps
    if (reachable === undefined) return true
    let reached = false
    const asked = reachable(settings.reachTimeoutMs).then((answer) => {
      reached = answer
    })
    await within(clock, settings.reachTimeoutMs, asked)
    return reached
  }

  #letOut(reached: boolean): void {
    const { clock, settings, troubled, failedAt, idle, scout } = this.#deps
    const now = clock.monotonic()
    const returned = this.#away && reached
    this.#away = !reached
    if (returned) this.#since = now
    const due = now - failedAt() >= settings.scoutGapMs && now - this.#since < settings.scoutForMs
    if (!reached || !idle() || !(returned || due)) return
    troubled().some((key) => scout(key))
  }
}
