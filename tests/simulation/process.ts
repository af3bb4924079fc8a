/**
 * One process on a machine of its own: clocks that run at their own rate and may be set, two threads that can be held up each
 * by itself, and an end after which nothing of it is heard. All that reaches it comes through `deliver`, all that leaves it
 * asks `leaving` first.
 */
import type { Clock, Timer } from '../../connector/ports.ts'
import type { World } from './world.ts'

interface Delivery {
  readonly kind: 'timer' | 'input'
  readonly run: () => void
}

/** `stopped`: SIGSTOP, clocks run on. `suspended`: the machine stands still, and its monotonic clock with it. */
type Standstill = 'stopped' | 'suspended'

export class SimulatedProcess {
  readonly name: string
  readonly world: World
  readonly main: Thread
  readonly renewing: Thread
  readonly #rate: number
  readonly #startedAt: number
  #alive = true
  #standstill: Standstill | undefined
  #suspendedAt = 0
  #suspendedMs = 0
  #wallSetMs = 0
  #wallIsSet = false
  #callsLeft: number | undefined
  #onCrash: (() => void) | undefined
  #onOpening: (() => void) | undefined
  readonly #endings: (() => void)[] = []

  constructor(world: World, name: string, rate: number) {
    this.world = world
    this.name = name
    this.#rate = rate
    this.#startedAt = world.now
    this.main = new Thread(this)
    this.renewing = new Thread(this)
  }

  get alive(): boolean {
    return this.#alive
  }

  /** Its main thread computes: not dead, not stopped, not busy. */
  get running(): boolean {
    return this.#alive && this.main.running
  }

  get standsStill(): boolean {
    return this.#standstill !== undefined
  }

  /** Milliseconds; a machine that is switched on begins to count somewhere. */
  get monotonic(): number {
    const suspendedMs = this.#standstill === 'suspended' ? this.world.now - this.#suspendedAt : 0
    return 100_000 + (this.world.now - this.#startedAt - this.#suspendedMs - suspendedMs) * this.#rate
  }

  get wallClock(): number {
    return Math.floor(this.world.wallClock + (this.world.now - this.#startedAt) * (this.#rate - 1) + this.#wallSetMs)
  }

  /** World milliseconds until this process's monotonic clock shows `monotonic`. */
  until(monotonic: number): number {
    return (monotonic - this.monotonic) / this.#rate
  }

  /** Asked before anything leaves the process. False: it is dead, and nothing does. */
  leaving(): boolean {
    this.#count()
    return this.#alive
  }

  /** Told once something has left. */
  left(): void {
    this.#count()
  }

  /** An armed crash strikes: before the call when its count ends there, else right after it. */
  #count(): void {
    if (!this.#alive || this.#callsLeft === undefined) return
    this.#callsLeft -= 1
    if (this.#callsLeft > 0) return
    this.#callsLeft = undefined
    this.#onCrash?.()
  }

  /** The process ends before or after one of its next calls: between any two awaits. A call counts twice. */
  crashAtCall(halfCalls: number, crash: () => void): void {
    this.#callsLeft = halfCalls
    this.#onCrash = crash
  }

  /** The process ends a moment after it has dialled for a connection. */
  crashAtOpening(afterMs: number, crash: (() => void) | undefined): void {
    this.#onOpening = crash === undefined ? undefined : () => void this.world.after(afterMs, crash)
  }

  opens(): void {
    const crash = this.#onOpening
    this.#onOpening = undefined
    crash?.()
  }

  onEnd(listener: () => void): void {
    this.#endings.push(listener)
  }

  end(): void {
    if (!this.#alive) return
    this.#alive = false
    for (const ending of this.#endings) ending()
  }

  /** A machine whose wall clock was set is stopped, not suspended: with both clocks wrong at a time, nobody can tell. */
  standStill(kind: Standstill): void {
    if (this.#standstill !== undefined) return
    this.#standstill = this.#wallIsSet ? 'stopped' : kind
    this.#suspendedAt = this.world.now
  }

  goOn(timersFirst: boolean): void {
    if (this.#standstill === 'suspended') this.#suspendedMs += this.world.now - this.#suspendedAt
    this.#standstill = undefined
    this.main.goOn(timersFirst)
    this.renewing.goOn(timersFirst)
  }

  /** Not while it stands still, nor ever after it was suspended. */
  setWallClock(byMs: number): void {
    this.world.clocksAheadMs = Math.max(this.world.clocksAheadMs, this.#wallSetMs + byMs)
    if (this.#standstill !== undefined || this.#suspendedMs > 0) return
    this.#wallIsSet = true
    this.#wallSetMs += byMs
  }
}

export class Thread {
  readonly process: SimulatedProcess
  readonly clock: Clock
  #backlog: Delivery[] = []
  #working = false
  #busy = false

  constructor(process: SimulatedProcess) {
    this.process = process
    this.clock = {
      now: () => process.wallClock,
      monotonic: () => process.monotonic,
      after: (delayMs, callback) => this.#after(delayMs, callback),
    }
  }

  get running(): boolean {
    return !this.process.standsStill && !this.#busy
  }

  /** Something for this thread: at once, or when it comes to it. */
  deliver(run: () => void): void {
    this.#deliver({ kind: 'input', run })
  }

  /** A computation that does not end. */
  block(): void {
    this.#busy = true
  }

  unblock(timersFirst: boolean): void {
    this.#busy = false
    this.goOn(timersFirst)
  }

  goOn(timersFirst: boolean): void {
    if (!this.running) return
    if (timersFirst) {
      const isTimer = (delivery: Delivery) => delivery.kind === 'timer'
      this.#backlog = [...this.#backlog.filter(isTimer), ...this.#backlog.filter((delivery) => !isTimer(delivery))]
    }
    this.#work()
  }

  #deliver(delivery: Delivery): void {
    if (!this.process.alive) return
    if (this.running && !this.#working && this.#backlog.length === 0) delivery.run()
    else this.#backlog.push(delivery)
  }

  /** What piled up, one after the other, each with all that it sets off. */
  #work(): void {
    if (this.#working || this.#backlog.length === 0) return
    this.#working = true
    this.process.world.after(0, () => {
      this.#working = false
      if (!this.running || !this.process.alive) return
      this.#backlog.shift()?.run()
      this.#work()
    })
  }

  #after(delayMs: number, callback: () => void): Timer {
    const { process } = this
    // Node's timers know whole milliseconds, from 1.
    const due = process.monotonic + Math.max(1, Math.trunc(delayMs))
    let cancelled = false
    let timer: Timer
    const fire = () => {
      if (cancelled) return
      // The machine stood still meanwhile, and its clock with it.
      if (process.monotonic < due - 0.001) {
        wait()
        return
      }
      cancelled = true
      callback()
    }
    const wait = () => {
      timer = process.world.after(process.until(due), () => {
        if (!cancelled) this.#deliver({ kind: 'timer', run: fire })
      })
    }
    if (process.alive) wait()
    return {
      cancel: () => {
        cancelled = true
        timer?.cancel()
      },
    }
  }
}
