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
  /** Done at once, answered late. */
  readonly answersLate: number
  readonly slow: number
}

export const calm: Climate = { lost: 0, unanswered: 0, late: 0, repeated: 0, refused: 0, answersLate: 0, slow: 0 }

/** A request can still be on its way this long after it was made: what a network keeps of it. */
const lateMsMax = 12_000

/** Longer than most callers wait. */
const slowAnswerMsMax = 6_000

/** What the network and the services do to calls: mostly calm, with storms. */
export class Weather {
  /** How late the index of waiting sends may show a write. */
  indexLagMsMax = 2_000
  readonly #chance: Chance
  /** By service, or by service and process: troubles of one process's way to it. */
  readonly #climates = new Map<string, Climate>()
  /** Processes that reach no service at all. */
  readonly #cutOff = new Set<string>()

  constructor(chance: Chance) {
    this.#chance = chance
  }

  set(service: Service, climate: Climate, process?: string): void {
    this.#climates.set(process === undefined ? service : `${service} of ${process}`, climate)
  }

  cutOff(process: string, cut: boolean): void {
    if (cut) this.#cutOff.add(process)
    else this.#cutOff.delete(process)
  }

  clear(): void {
    this.#climates.clear()
    this.#cutOff.clear()
  }

  /** How much longer the last request of a process that died meanwhile is on its way. */
  lingersMs(): number {
    return this.#chance.happens(0.5) ? 0 : this.#chance.between(500, lateMsMax)
  }

  fate(service: Service, caller: string): Fate {
    const chance = this.#chance
    const climate = this.#climates.get(`${service} of ${caller}`) ?? this.#climates.get(service) ?? calm
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
    if (falls(climate.answersLate))
      return { arrivesAfterMs: there, answerMs: chance.between(3_000, slowAnswerMsMax + 1_500) }
    if (falls(climate.slow)) {
      return { arrivesAfterMs: chance.between(20, 3_000), answerMs: chance.between(20, slowAnswerMsMax) }
    }
    return { arrivesAfterMs: there, answerMs: back }
  }
}
