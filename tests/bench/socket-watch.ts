import type { SimulatorControl, SocketFact } from './simulator.ts'

/** How long each device was away, by what the server saw. All devices are logged in when it begins. */
export class SocketWatch {
  readonly #awaySince = new Map<string, number>()
  readonly #gapsMs = new Map<string, number[]>()
  readonly #count: number
  #lastBackAt = 0
  #changed = Promise.withResolvers<void>()
  #stop: () => void = () => undefined

  private constructor(count: number) {
    this.#count = count
  }

  static async over(control: SimulatorControl, count: number): Promise<SocketWatch> {
    const watch = new SocketWatch(count)
    watch.#stop = await control.watch((fact) => watch.#heard(fact))
    return watch
  }

  /** Epoch milliseconds of the last login, once at least `atLeast` devices were away and none is any more. */
  async allBack(atLeast: number, withinMs: number): Promise<number> {
    const timer = setTimeout(() => this.#changed.resolve(), withinMs)
    try {
      for (const end = Date.now() + withinMs; ; await this.#changed.promise) {
        if (this.#gapsMs.size >= atLeast && this.#awaySince.size === 0) return this.#lastBackAt
        if (Date.now() >= end) {
          throw new Error(
            `${this.#awaySince.size} of ${this.#count} devices are away after ${withinMs} ms, ${this.#gapsMs.size} came back`,
          )
        }
      }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Devices without a socket. */
  away(): string[] {
    return [...this.#awaySince.keys()]
  }

  /** The longest gap of each device that was away. */
  gapsMs(): number[] {
    return [...this.#gapsMs.values()].map((gaps) => Math.max(...gaps))
  }

  mostMoves(): number {
    return Math.max(0, ...[...this.#gapsMs.values()].map((gaps) => gaps.length))
  }

  stop(): void {
    this.#stop()
  }

  #heard({ event, device, atMs }: SocketFact): void {
    const since = this.#awaySince.get(device)
    if (event === 'logout') this.#awaySince.set(device, atMs)
    else if (since !== undefined) {
      this.#awaySince.delete(device)
      this.#gapsMs.set(device, [...(this.#gapsMs.get(device) ?? []), atMs - since])
      this.#lastBackAt = atMs
    }
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }
}
