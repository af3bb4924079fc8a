import type { ConnectionRef } from '../../shared/domain/words.ts'
import type { Clock, Log, LoginGate, LoginLane, LoginPermit, Random, Timer } from '../ports.ts'
import { OutageCircuit, type OutageSettings } from './outage-circuit.ts'

export interface LoginGateSettings extends OutageSettings {
  /** Logins under way at a time. */
  readonly concurrency: number
  /** 0.2 stretches each gap between two logins by up to 20 %. */
  readonly jitter: number
}

/** In order of precedence. */
const lanes: readonly LoginLane[] = ['on_demand', 'pairing', 'waiting_sends', 'restore', 'probe']

interface Waiter {
  readonly key: string
  grant(permit: LoginPermit): void
}

/**
 * One login limiter per worker for everything that opens a socket: start, taken partitions, mass disconnects, sends and
 * commands. In an outage a few probe and the others stay in their lanes; afterwards they are let in by ramp.
 */
export function createLoginGate(options: {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly settings: LoginGateSettings
}): LoginGate {
  return new Gate(options)
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
  readonly #recoveryListeners = new Set<() => void>()
  #underWay = 0
  #lastGrantAt = Number.NEGATIVE_INFINITY
  #gapStretch = 1
  #timer: Timer | undefined

  constructor(options: {
    readonly clock: Clock
    readonly random: Random
    readonly log: Log
    readonly settings: LoginGateSettings
  }) {
    this.#clock = options.clock
    this.#random = options.random
    this.#log = options.log
    this.#settings = options.settings
    this.#circuit = new OutageCircuit(options.settings)
  }

  get outage(): boolean {
    return this.#circuit.outage
  }

  acquire(ref: ConnectionRef, lane: LoginLane, signal: AbortSignal): Promise<LoginPermit> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      const leave = () => {
        const queue = this.#waiting[lane]
        const at = queue.indexOf(waiter)
        if (at >= 0) queue.splice(at, 1)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        key: keyOf(ref),
        grant: (permit) => {
          signal.removeEventListener('abort', leave)
          resolve(permit)
        },
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting[lane].push(waiter)
      this.#pump()
    })
  }

  onRecovery(listener: () => void): () => void {
    this.#recoveryListeners.add(listener)
    return () => this.#recoveryListeners.delete(listener)
  }

  /** An open socket ended: `lost` as an outage would end it, or `left` for a reason of its own. */
  report(ref: ConnectionRef, what: 'lost' | 'left'): void {
    if (what === 'left') this.#circuit.neutral(keyOf(ref), false)
    else this.#hear(this.#circuit.failed(keyOf(ref), this.#clock.monotonic(), false))
    this.#pump()
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
      if (permission.kind === 'rate') {
        if (this.#underWay >= this.#settings.concurrency) return
        const gapMs = (1_000 / permission.perSecond) * this.#gapStretch
        const readyIn = this.#lastGrantAt + gapMs - now
        if (readyIn > 0) {
          this.#pumpIn(readyIn)
          return
        }
      }
      this.#grant(waiter, permission.kind === 'probe', now)
    }
  }

  #pumpIn(delayMs: number): void {
    this.#timer = this.#clock.after(Math.ceil(delayMs), () => this.#pump())
  }

  #first(): Waiter | undefined {
    for (const lane of lanes) {
      const waiter = this.#waiting[lane][0]
      if (waiter !== undefined) return waiter
    }
    return undefined
  }

  #grant(waiter: Waiter, probe: boolean, now: number): void {
    for (const lane of lanes) {
      if (this.#waiting[lane][0] === waiter) this.#waiting[lane].shift()
    }
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
        this.#settle(waiter.key, result, probe)
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
        this.#circuit.neutral(key, probe)
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
      for (const listener of [...this.#recoveryListeners]) listener()
    }
  }
}

const keyOf = (ref: ConnectionRef): string => `${ref.businessProfileId}#${ref.connectionId}`
