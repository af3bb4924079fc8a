import { livesBeforeMs } from '../../shared/domain/suspects.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import type { Clock, Log, LoginGate, LoginLane, LoginPermit, Random, RecoveryListener, Timer } from '../ports.ts'
import { OutageCircuit, type OutageSettings } from './outage-circuit.ts'
import { RecoveryWatch, type RecoveryWatchSettings } from './recovery-watch.ts'

export interface LoginGateSettings extends OutageSettings, RecoveryWatchSettings {
  /** Logins under way at a time. */
  readonly concurrency: number
  /** 0.2 stretches each gap between two logins by up to 20 %. */
  readonly jitter: number
  /** How long a worker must have lived to be the measure of a connection that took others down; see `suspects.ts`. */
  readonly provenAfterMs: number
}

/** In order of precedence. */
const lanes: readonly LoginLane[] = ['on_demand', 'pairing', 'waiting_sends', 'restore', 'probe']

interface Waiter {
  readonly key: string
  /** Openings in a row that its worker did not survive. */
  readonly crashes: number
  grant(permit: LoginPermit): void
}

/**
 * One login limiter per worker for everything that opens a socket: start, taken partitions, mass disconnects, sends and
 * commands. In an outage a few probe and the others stay in their lanes; afterwards they are let in by ramp.
 *
 * What was opening when a worker crashed is a suspect: suspects are let in after everybody else, one at a time, the least
 * suspected first. Whoever crashes the worker then does so alone, and the innocent are open by that time. Who did so before
 * waits until the worker has lived for a while without it.
 */
export function createLoginGate(options: LoginGateOptions): LoginGate {
  return new Gate(options)
}

export interface LoginGateOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly settings: LoginGateSettings
  /** Whether WhatsApp takes connections, found without a login. Absent: only logins find it out. */
  readonly reachable?: ((timeoutMs: number) => Promise<boolean>) | undefined
}

class Gate implements LoginGate {
  readonly #clock: Clock
  readonly #random: Random
  readonly #log: Log
  readonly #settings: LoginGateSettings
  readonly #circuit: OutageCircuit
  readonly #waiting: Record<LoginLane, Waiter[]> = {
    on_demand: [],
    pairing: [],
    waiting_sends: [],
    restore: [],
    probe: [],
  }
  /** In order of crashes. */
  readonly #suspects: Waiter[] = []
  readonly #listeners = new Map<string, RecoveryListener>()
  readonly #watch: RecoveryWatch
  readonly #bornAt: number
  #underWay = 0
  #suspectUnderWay = false
  #pumpsSoon = false
  #lastGrantAt = Number.NEGATIVE_INFINITY
  #gapStretch = 1
  #timer: Timer | undefined

  constructor(options: LoginGateOptions) {
    this.#clock = options.clock
    this.#random = options.random
    this.#log = options.log
    this.#settings = options.settings
    this.#bornAt = options.clock.monotonic()
    this.#circuit = new OutageCircuit(options.settings)
    this.#watch = new RecoveryWatch({
      clock: options.clock,
      random: options.random,
      settings: options.settings,
      reachable: options.reachable,
      troubled: () => this.#circuit.troubled,
      failedAt: () => this.#circuit.failedAt,
      idle: () => this.#underWay === 0 && this.#first() === undefined,
      scout: (key) => this.#listeners.get(key)?.scout() ?? false,
    })
  }

  get outage(): boolean {
    return this.#circuit.outage
  }

  acquire(ref: ConnectionRef, lane: LoginLane, signal: AbortSignal, crashes = 0): Promise<LoginPermit> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      const queue = crashes > 0 ? this.#suspects : this.#waiting[lane]
      const leave = () => {
        const at = queue.indexOf(waiter)
        if (at >= 0) queue.splice(at, 1)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        key: keyOf(ref),
        crashes,
        grant: (permit) => {
          signal.removeEventListener('abort', leave)
          resolve(permit)
        },
      }
      signal.addEventListener('abort', leave, { once: true })
      const behind = queue.findIndex((other) => other.crashes > crashes)
      queue.splice(behind < 0 ? queue.length : behind, 0, waiter)
      this.#pumpSoon()
    })
  }

  listen(ref: ConnectionRef, listener: RecoveryListener): () => void {
    const key = keyOf(ref)
    this.#listeners.set(key, listener)
    return () => {
      if (this.#listeners.get(key) === listener) this.#listeners.delete(key)
    }
  }

  /** An open socket ended as an outage would end it (`lost`), or the connection's trouble is its own from now on (`left`). */
  report(ref: ConnectionRef, what: 'lost' | 'left'): void {
    if (what === 'left') this.#circuit.left(keyOf(ref))
    else this.#hear(this.#circuit.failed(keyOf(ref), this.#clock.monotonic(), false))
    this.#watch.stir()
    this.#pump()
  }

  /** Whoever asks in the same step stands in line by then. */
  #pumpSoon(): void {
    if (this.#pumpsSoon) return
    this.#pumpsSoon = true
    queueMicrotask(() => {
      this.#pumpsSoon = false
      this.#pump()
    })
  }

  #pump(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (let waiter = this.#first(); waiter !== undefined; waiter = this.#first()) {
      const now = this.#clock.monotonic()
      const permission = this.#circuit.permission(now)
      if (permission.kind === 'wait') {
        if (permission.until !== undefined) this.#pumpIn(permission.until - now)
        return
      }
      // Probes do not wait for logins that were under way when the outage began: those hang.
      if (permission.kind === 'rate' && this.#underWay >= this.#settings.concurrency) return
      const perSecond = permission.kind === 'rate' ? permission.perSecond : this.#settings.ratePerSecond
      const readyIn = this.#lastGrantAt + (1_000 / perSecond) * this.#gapStretch - now
      if (readyIn > 0) {
        this.#pumpIn(readyIn)
        return
      }
      this.#grant(waiter, permission.kind === 'probe', now)
    }
    const [suspect] = this.#suspects
    if (suspect !== undefined && !this.#suspectUnderWay) this.#pumpIn(this.#tooYoungForMs(suspect))
  }

  #pumpIn(delayMs: number): void {
    this.#timer = this.#clock.after(Math.ceil(delayMs), () => this.#pump())
  }

  #first(): Waiter | undefined {
    for (const lane of lanes) {
      const waiter = this.#waiting[lane][0]
      if (waiter !== undefined) return waiter
    }
    const [suspect] = this.#suspects
    if (suspect === undefined || this.#suspectUnderWay || this.#tooYoungForMs(suspect) > 0) return undefined
    return suspect
  }

  #tooYoungForMs({ crashes }: Waiter): number {
    const { provenAfterMs } = this.#settings
    return this.#bornAt + livesBeforeMs(crashes, provenAfterMs) - this.#clock.monotonic()
  }

  #grant(waiter: Waiter, probe: boolean, now: number): void {
    for (const queue of [...lanes.map((lane) => this.#waiting[lane]), this.#suspects]) {
      if (queue[0] === waiter) queue.shift()
    }
    const suspect = waiter.crashes > 0
    if (suspect) this.#suspectUnderWay = true
    this.#lastGrantAt = now
    this.#gapStretch = 1 + this.#settings.jitter * this.#random.next()
    this.#underWay += 1
    if (probe) this.#circuit.probing()
    let given = false
    waiter.grant({
      done: (result) => {
        if (given) return
        given = true
        this.#underWay -= 1
        if (suspect) this.#suspectUnderWay = false
        this.#settle(waiter.key, result, probe)
        this.#watch.stir()
        this.#pump()
      },
    })
  }

  #settle(key: string, result: 'opened' | 'failed' | 'neutral', probe: boolean): void {
    const now = this.#clock.monotonic()
    switch (result) {
      case 'opened':
        this.#hear(this.#circuit.opened(key, now))
        return
      case 'failed':
        this.#hear(this.#circuit.failed(key, now, probe))
        return
      case 'neutral':
        this.#circuit.neutral(probe)
    }
  }

  #hear(news: 'outage' | 'recovered' | undefined): void {
    if (news === 'outage') {
      this.#log.error(
        { alarm: 'whatsapp_outage' },
        'Many connections failed together: holding logins, probing with a few',
      )
    }
    if (news === 'recovered') {
      this.#log.info({}, 'WhatsApp answers again: letting connections in')
      for (const listener of [...this.#listeners.values()]) listener.recovered()
    }
  }
}

const keyOf = (ref: ConnectionRef): string => `${ref.businessProfileId}#${ref.connectionId}`
