import type { Stamp } from '../../shared/domain/leases.ts'

/**
 * The few numbers that the main thread and the renewing thread share without messages, so that neither waits for the other's
 * event loop. Milliseconds; both clocks are the process's own (`process.hrtime` counts from the same zero in every thread).
 *
 * A stamp is two numbers, not written in one step. A reader that meets half of it combines one clock of an older stamp with
 * the other of a newer one, and since the larger elapsed time counts, sees at least the time since the newer stamp.
 */
export class RenewalMemory {
  readonly shared: SharedArrayBuffer
  readonly #slots: BigInt64Array

  constructor(shared = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT * 3)) {
    this.shared = shared
    this.#slots = new BigInt64Array(shared)
  }

  beat(monotonic: number): void {
    Atomics.store(this.#slots, slot.heartbeat, BigInt(Math.floor(monotonic)))
  }

  get heartbeat(): number {
    return Number(Atomics.load(this.#slots, slot.heartbeat))
  }

  confirm(stamp: Stamp): void {
    Atomics.store(this.#slots, slot.wall, BigInt(Math.floor(stamp.wall)))
    Atomics.store(this.#slots, slot.monotonic, BigInt(Math.floor(stamp.monotonic)))
  }

  get confirmed(): Stamp | undefined {
    const monotonic = Number(Atomics.load(this.#slots, slot.monotonic))
    if (monotonic === 0) return undefined
    return { monotonic, wall: Number(Atomics.load(this.#slots, slot.wall)) }
  }
}

const slot = { heartbeat: 0, monotonic: 1, wall: 2 } as const
