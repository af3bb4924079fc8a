import { type BinaryNode, jidDecode } from '@whiskeysockets/baileys'
import type { ConnectionAuthState } from '../auth/auth-state.ts'
import type { Clock } from '../ports.ts'
import type { SessionRenewals } from './signal-repository.ts'

/** A bundle fetched for a retry receipt comes well within this. */
const openForMs = 60_000

/** Contacts that could not decrypt what we sent and asked for it again: their next bundle opens a new session. */
export class RetryRenewals implements SessionRenewals {
  readonly #until = new Map<string, number>()
  readonly #state: Pick<ConnectionAuthState, 'read'>
  readonly #clock: Clock

  constructor(state: Pick<ConnectionAuthState, 'read'>, clock: Clock) {
    this.#state = state
    this.#clock = clock
  }

  /** A receipt came; only retries count. */
  receipt(node: BinaryNode): void {
    const author = node.attrs.participant ?? node.attrs.from
    const user = author === undefined ? undefined : jidDecode(author)?.user
    if (node.attrs.type !== 'retry' || user === undefined) return
    const now = this.#clock.monotonic()
    for (const [known, until] of this.#until) if (until < now) this.#until.delete(known)
    for (const name of this.#names(user)) this.#until.set(name, now + openForMs)
  }

  take(user: string): boolean {
    const until = this.#until.get(user)
    if (until === undefined || until < this.#clock.monotonic()) return false
    for (const name of this.#names(user)) this.#until.delete(name)
    return true
  }

  /** The contact's other id, too: the receipt may name one, the bundle the other. */
  #names(user: string): string[] {
    const others = [this.#state.read('lid-mapping', user), this.#state.read('lid-mapping', `${user}_reverse`)]
    return [user, ...others.filter((other) => typeof other === 'string')]
  }
}
