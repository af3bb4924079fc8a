import {
  type ChatStanding,
  decidePace,
  gapMs,
  type Pace,
  type PaceDecision,
  type PaceReason,
} from '../../shared/domain/pace.ts'
import type { WorkerMessages } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef, EpochMs } from '../../shared/domain/words.ts'
import type { Timer } from '../ports.ts'
import type { People } from './people.ts'
import { errorName } from './row-writer.ts'
import type { StoreContext } from './until-stored.ts'

/** Chats whose standing is remembered. */
const chatsKept = 5_000
const askAgainMs = 5_000

/** Said on a send that waits for longer than a moment. */
export const paceSentences: Readonly<Record<PaceReason, string>> = {
  gap: 'The pace of this connection makes it wait.',
  quiet_hours: 'These are quiet hours; it is sent when they end.',
  new_chats_per_day: 'The limit of new chats a day is reached; it is sent when the next day begins.',
}

/** The pace of one connection: what is remembered for the decision, and the one timer that looks again. */
export class Pacing {
  readonly #ref: ConnectionRef
  readonly #messages: WorkerMessages
  readonly #store: StoreContext
  readonly #people: People
  readonly #again: () => void
  readonly #standings = new Map<string, ChatStanding>()
  readonly #asking = new Set<string>()
  #pace: Pace | undefined
  #nextAt: EpochMs = 0
  #restrictedUntil: EpochMs | undefined
  #fullDay: string | undefined
  #timer: { readonly at: EpochMs; readonly timer: Timer } | undefined

  /** @param again what could not go before may go now */
  constructor(ref: ConnectionRef, messages: WorkerMessages, store: StoreContext, people: People, again: () => void) {
    this.#ref = ref
    this.#messages = messages
    this.#store = store
    this.#people = people
    this.#again = again
  }

  get pace(): Pace | undefined {
    return this.#pace
  }

  set(pace: Pace | undefined): void {
    this.#pace = pace
    // Another limit may not be reached.
    this.#fullDay = undefined
  }

  restricted(until: EpochMs): void {
    this.#restrictedUntil = until
  }

  /** Something was exchanged in that chat. */
  known(chat: string): void {
    this.#remember(this.#people.chatOf(chat), 'known')
  }

  /** Whether a send to that chat may go now. Looks up what it has to know, and calls `again` then or when the time comes. */
  decide(to: string): Exclude<PaceDecision, { kind: 'ask' }> | { readonly kind: 'asking' } {
    const chat = this.#people.chatOf(to)
    const now = this.#store.clock.now()
    const decision = decidePace(
      this.#pace,
      {
        standing: this.#standings.get(chat) ?? 'unasked',
        nextAt: this.#nextAt,
        ...(this.#restrictedUntil === undefined ? {} : { restrictedUntil: this.#restrictedUntil }),
        ...(this.#fullDay === undefined ? {} : { fullDay: this.#fullDay }),
      },
      now,
    )
    if (decision.kind === 'ask') {
      void this.#ask(chat, decision.what, decision.day)
      return { kind: 'asking' }
    }
    if (decision.kind === 'wait') this.#lookAgain(decision.until)
    return decision
  }

  /** A send goes: the next one waits for the gap. */
  went(): void {
    if (this.#pace !== undefined) this.#nextAt = this.#store.clock.now() + gapMs(this.#pace, this.#store.random.next())
  }

  stop(): void {
    this.#timer?.timer.cancel()
    this.#timer = undefined
  }

  #lookAgain(at: EpochMs): void {
    if (this.#timer !== undefined && this.#timer.at <= at) return
    this.#timer?.timer.cancel()
    const timer = this.#store.clock.after(Math.max(0, at - this.#store.clock.now()), () => {
      this.#timer = undefined
      this.#again()
    })
    this.#timer = { at, timer }
  }

  async #ask(chat: string, what: 'standing' | 'admit', day: string): Promise<void> {
    if (this.#asking.has(chat)) return
    this.#asking.add(chat)
    try {
      if (what === 'standing') {
        const ids = this.#people.idsOf(chat)
        const known = await Promise.all(ids.map((id) => this.#messages.isKnownChat(this.#ref, id)))
        this.#remember(chat, known.includes(true) ? 'known' : 'new')
      } else {
        const max = this.#pace?.newChatsPerDay ?? Number.MAX_SAFE_INTEGER
        const nowMs = this.#store.clock.now()
        if (await this.#messages.admitNewChat(this.#ref, chat, { day, max, nowMs })) this.#remember(chat, 'admitted')
        else this.#fullDay = day
      }
    } catch (error) {
      this.#store.log.warn({ error: errorName(error) }, 'Whether a chat is new could not be looked up, trying again')
      this.#asking.delete(chat)
      if (!this.#store.over.aborted) this.#lookAgain(this.#store.clock.now() + askAgainMs)
      return
    }
    this.#asking.delete(chat)
    if (!this.#store.over.aborted) this.#again()
  }

  #remember(chat: string, standing: ChatStanding): void {
    this.#standings.delete(chat)
    this.#standings.set(chat, standing)
    if (this.#standings.size > chatsKept) this.#standings.delete(this.#standings.keys().next().value as string)
  }
}
