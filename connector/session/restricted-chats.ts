import type { EpochMs } from '../../shared/domain/words.ts'

/** WhatsApp's reach-out time lock: refuses chats that are new to the account. */
export const restrictedCode = '463'
/** WhatsApp does not say how long the lock lasts; after this the next send to a refused chat asks again. */
export const restrictionMs = 60 * 60_000

/** The chats that WhatsApp refused while the account is restricted. Which chats are new, only WhatsApp knows. */
export class RestrictedChats {
  readonly #until = new Map<string, EpochMs>()

  refused(chat: string, until: EpochMs): void {
    this.#until.set(chat, until)
  }

  allowed(chat: string): void {
    this.#until.delete(chat)
  }

  refuses(chat: string, now: EpochMs): boolean {
    const until = this.#until.get(chat)
    if (until === undefined) return false
    if (until > now) return true
    this.#until.delete(chat)
    return false
  }
}
