import type { Clock } from '../ports.ts'
import type { AcceptanceOrder } from './acceptance-order.ts'
import { type Pacing, paceSentences } from './pacing.ts'
import type { People } from './people.ts'
import type { RestrictedChats } from './restricted-chats.ts'
import { isLeaving, type SendEntry } from './send-entry.ts'
import type { SendList } from './send-list.ts'
import { notedWaitMs } from './send-notes.ts'

const goes = { kind: 'go' } as const
type PaceWait = Extract<ReturnType<Pacing['decide']>, { kind: 'wait' }>

export interface DepartureActions {
  /** Its turn has come. */
  go(entry: SendEntry): void
  /** It must not go: WhatsApp refuses new chats. */
  refuse(entry: SendEntry): void
  /** It waits for longer than a moment. */
  note(entry: SendEntry, sentence: string): void
}

/**
 * Which of the waiting sends go now: in order of acceptance, so many at a time, one after the other within a chat, as the
 * pace allows. What must wait holds up its own chat and, unless the pace says so, no other.
 */
export class Departures {
  readonly #list: SendList
  readonly #order: AcceptanceOrder
  readonly #pacing: Pacing
  readonly #restricted: RestrictedChats
  readonly #people: People
  readonly #clock: Clock
  readonly #inFlightMax: number
  readonly #actions: DepartureActions
  #looking = false
  #lookAgain = false

  constructor(options: {
    readonly list: SendList
    readonly order: AcceptanceOrder
    readonly pacing: Pacing
    readonly restricted: RestrictedChats
    readonly people: People
    readonly clock: Clock
    readonly inFlightMax: number
    readonly actions: DepartureActions
  }) {
    this.#list = options.list
    this.#order = options.order
    this.#pacing = options.pacing
    this.#restricted = options.restricted
    this.#people = options.people
    this.#clock = options.clock
    this.#inFlightMax = options.inFlightMax
    this.#actions = options.actions
  }

  /** Lets go what may. What follows from that, such as a refusal that makes room, is looked at afterwards, not in between. */
  look(): void {
    if (this.#looking) {
      this.#lookAgain = true
      return
    }
    this.#looking = true
    try {
      do {
        this.#lookAgain = false
        this.#pass()
      } while (this.#lookAgain)
    } finally {
      this.#looking = false
    }
  }

  #pass(): void {
    let inFlight = 0
    const busyChats = new Set<string>()
    for (const entry of this.#list.all()) {
      if (isLeaving(entry)) busyChats.add(this.#people.chatOf(entry.row.chat))
      // Media move by a limit of their own, and may take minutes.
      if (entry.state === 'preparing') continue
      if (isLeaving(entry) || entry.state === 'unacked') inFlight += 1
    }
    let everyone: PaceWait | undefined
    const { waiting } = this.#list
    for (let at = 0; at < waiting.length && inFlight < this.#inFlightMax; at += 1) {
      const entry = waiting[at] as SendEntry
      const { seq } = entry.row
      const chat = this.#people.chatOf(entry.row.chat)
      // What was accepted before may be missing, and may go to the same chat.
      if (!this.#order.isClear(seq)) return
      // What is scheduled holds up nothing before its time.
      if (entry.due !== undefined) continue
      // One that has to pause, or whose bytes are on their way to the socket, holds up its own chat and no other.
      if (busyChats.has(chat) || entry.timer !== undefined) {
        busyChats.add(chat)
        continue
      }
      // What may have left is not delayed again: its chat may have it already.
      const verdict = entry.attempted ? goes : (everyone ?? this.#pacing.decide(chat))
      if (verdict.kind === 'wait' || verdict.kind === 'asking') {
        busyChats.add(chat)
        if (verdict.kind === 'asking') continue
        if (verdict.until - this.#clock.now() >= notedWaitMs) this.#actions.note(entry, paceSentences[verdict.why])
        else if (verdict.holds === 'all') return
        if (verdict.holds === 'all') everyone = verdict
        continue
      }
      this.#list.takeOut(entry)
      at -= 1
      if (verdict.kind === 'refuse' || this.#restricted.refuses(chat, this.#clock.now())) {
        this.#actions.refuse(entry)
        continue
      }
      busyChats.add(chat)
      inFlight += 1
      this.#pacing.went()
      this.#actions.go(entry)
    }
  }
}
