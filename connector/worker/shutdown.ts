import type { Clock, Log } from '../ports.ts'

export interface ShutdownSteps {
  readonly clock: Clock
  readonly log: Log
  /** What the platform allows between SIGTERM and SIGKILL. */
  readonly stopTimeoutMs: number
  /** Polls come to their end. */
  prepare(): void
  /** Gives every partition away within the bound; what is left by then is terminated. */
  handOver(withinMs: number): Promise<void>
  /** All sockets, synchronously. */
  terminate(): void
  /** Tells the fleet that nobody needs to wait for this worker. Sockets are closed by then. */
  signOff(): Promise<void>
  exit(code: number): void
}

/** Kept back from the stop timeout for signing off and for the process to end. */
const reserveMs = 10_000
const signOffTimeoutMs = 3_000

export const exitCodes = {
  stopped: 0,
  failed: 70,
  /** Declared dead by the fleet; the platform starts it again. */
  dead: 75,
  interrupted: 130,
} as const

/** The ways in which this process ends: asked to (once: gracefully, twice: at once), or because a part of it failed. */
export class Shutdown {
  readonly #steps: ShutdownSteps
  #stopping = false
  #over = false

  constructor(steps: ShutdownSteps) {
    this.#steps = steps
  }

  get stopping(): boolean {
    return this.#stopping
  }

  signal(name: string): void {
    const { log } = this.#steps
    if (this.#stopping) {
      log.warn({ signal: name }, 'Asked to stop again: ends at once')
      void this.#end(exitCodes.interrupted)
      return
    }
    this.#stopping = true
    log.info({ signal: name }, 'Stopping: connections are handed over')
    void this.#stop()
  }

  /** Nothing may go on after this: the part is not there any more, or what it knows cannot be trusted. */
  fail(part: string, error: unknown, code: number = exitCodes.failed): void {
    if (this.#over) return
    this.#steps.log.error({ err: error, part }, `The connector ends: ${part} failed`)
    void this.#end(code)
  }

  async #stop(): Promise<void> {
    const { clock, log, stopTimeoutMs } = this.#steps
    const startedAt = clock.monotonic()
    try {
      this.#steps.prepare()
      await this.#steps.handOver(Math.max(0, stopTimeoutMs - reserveMs))
    } catch (error) {
      this.fail('handing over', error)
      return
    }
    if (this.#over) return
    log.info({ tookMs: Math.round(clock.monotonic() - startedAt) }, 'Stopped')
    await this.#end(exitCodes.stopped)
  }

  async #end(code: number): Promise<void> {
    if (this.#over) return
    this.#over = true
    const { clock, log } = this.#steps
    // Before anything is awaited: from here on nothing of this process reaches WhatsApp or a store of a connection.
    try {
      this.#steps.terminate()
    } catch (error) {
      // Sockets may be open still; only the end of the process closes them, so nobody may be told earlier.
      log.error({ err: error }, 'Closing the sockets failed')
      this.#steps.exit(exitCodes.failed)
      return
    }
    const late = Promise.withResolvers<void>()
    const timer = clock.after(signOffTimeoutMs, late.resolve)
    try {
      await Promise.race([this.#steps.signOff(), late.promise])
    } catch (error) {
      log.warn({ err: error }, 'Could not sign off; the others wait for the lease time')
    }
    timer.cancel()
    this.#steps.exit(code)
  }
}
