import type { Chance } from './world.ts'

/** The services that processes call, each with troubles of its own. */
export const services = ['fleet', 'connections', 'messages', 'auth', 'doorbells'] as const
export type Service = (typeof services)[number]

/** What happens to one call. World milliseconds from the call. */
export interface Fate {
  /** When the service does it; absent: the request got lost. */
  readonly arrivesAfterMs?: number
  /** The same request again (a client library that tried twice): the caller gets the answer to the second. */
  readonly repeatedAfterMs?: number
  /** The way back; absent: the answer got lost. */
  readonly answerMs?: number
  /** The service refuses instead of doing it. */
  readonly refused?: true
}

/** How a service behaves, as probabilities of one call. */
export interface Climate {
  readonly lost: number
  /** Done, and never answered. */
  readonly unanswered: number
  /** Done long after the caller gave up. */
  readonly late: number
  readonly repeated: number
  readonly refused: number
  readonly slow: number
}

export const calm: Climate = { lost: 0, unanswered: 0, late: 0, repeated: 0, refused: 0, slow: 0 }

/** A request can still be on its way this long after it was made: what a network keeps of it. */
const lateMsMax = 12_000

/** What the network and the services do to calls: mostly calm, with storms. */
export class Weather {
  readonly #chance: Chance
  readonly #climates = new Map<Service, Climate>()
  /** Processes that reach no service at all. */
  readonly #cutOff = new Set<string>()

  constructor(chance: Chance) {
    this.#chance = chance
  }

  set(service: Service, climate: Climate): void {
    this.#climates.set(service, climate)
  }

  cutOff(process: string, cut: boolean): void {
    if (cut) this.#cutOff.add(process)
    else this.#cutOff.delete(process)
  }

  clear(): void {
    this.#climates.clear()
    this.#cutOff.clear()
  }

  fate(service: Service, caller: string): Fate {
    const chance = this.#chance
    const climate = this.#climates.get(service) ?? calm
    const there = chance.between(1, 8)
    const back = chance.between(1, 8)
    let roll = chance.next()
    const falls = (probability: number): boolean => {
      roll -= probability
      return roll < 0
    }
    if (this.#cutOff.has(caller) || falls(climate.lost)) return {}
    if (falls(climate.unanswered)) return { arrivesAfterMs: there }
    if (falls(climate.late)) return { arrivesAfterMs: chance.between(1_000, lateMsMax) }
    if (falls(climate.repeated)) {
      return { arrivesAfterMs: there, repeatedAfterMs: there + chance.between(20, 1_500), answerMs: back }
    }
    if (falls(climate.refused)) return { arrivesAfterMs: there, answerMs: back, refused: true }
    if (falls(climate.slow)) {
      return { arrivesAfterMs: chance.between(20, 3_000), answerMs: chance.between(20, 3_000) }
    }
    return { arrivesAfterMs: there, answerMs: back }
  }
}
