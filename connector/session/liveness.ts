import type { Clock, Random, SessionSettings, Timer, WhatsAppSocket } from '../ports.ts'
import { within } from './until-stored.ts'

/**
 * Whether an open socket is alive, found by a real round trip: at an interval, and at once when an ack is missing. Silence
 * of messages says nothing.
 */
export class Liveness {
  readonly #clock: Clock
  readonly #random: Random
  readonly #settings: Pick<SessionSettings, 'probeIntervalMs' | 'probeTimeoutMs'>
  readonly #onDead: () => void
  #socket: WhatsAppSocket | undefined
  #timer: Timer | undefined
  #probing: Promise<boolean> | undefined

  constructor(
    clock: Clock,
    random: Random,
    settings: Pick<SessionSettings, 'probeIntervalMs' | 'probeTimeoutMs'>,
    onDead: () => void,
  ) {
    this.#clock = clock
    this.#random = random
    this.#settings = settings
    this.#onDead = onDead
  }

  watch(socket: WhatsAppSocket): void {
    this.stop()
    this.#socket = socket
    // The first one at a moment of its own, so that a fleet that opened together does not probe together.
    this.#schedule(this.#settings.probeIntervalMs * (0.5 + this.#random.next() / 2))
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#socket = undefined
    this.#probing = undefined
  }

  /** One probe at a time; who asks meanwhile shares its answer. False: dead, and said so. */
  probeNow(): Promise<boolean> {
    const socket = this.#socket
    if (socket === undefined) return Promise.resolve(false)
    if (this.#probing !== undefined) return this.#probing
    const probing = this.#probe(socket)
    this.#probing = probing
    return probing
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#clock.after(delayMs, () => {
      void this.probeNow()
    })
  }

  async #probe(socket: WhatsAppSocket): Promise<boolean> {
    let answered = false
    const { probeTimeoutMs, probeIntervalMs } = this.#settings
    const probe = socket.probe(probeTimeoutMs).then((alive) => {
      answered = alive
    })
    // The bound is the socket's; ours stands behind it, since a hung probe must not hide a dead socket.
    await within(this.#clock, probeTimeoutMs + 1_000, probe)
    if (this.#socket !== socket) return answered
    this.#probing = undefined
    if (answered) this.#schedule(probeIntervalMs)
    else this.#onDead()
    return answered
  }
}
