import type { ConnectionRef } from '../../shared/domain/words.ts'
import type { AuthState, AuthStates } from '../ports.ts'
import { errorName } from './row-writer.ts'
import { HoldingEnded, type StoreContext, untilStored } from './until-stored.ts'

export type Prepared =
  | { readonly kind: 'ready'; readonly registered: boolean }
  | { readonly kind: 'none' | 'archived' | 'missing' | 'unreadable'; readonly detail: string }
  | { readonly kind: 'fenced' }

/**
 * The one auth state of a session. Its operations come one after the other, so that there are never two copies of it in
 * memory, each with a journal of its own.
 */
export class SessionAuth {
  readonly #ref: ConnectionRef
  readonly #states: AuthStates
  readonly #store: StoreContext
  #state: AuthState | undefined
  /** Being flushed: an abandonment stops that too. */
  #closing: AuthState | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(ref: ConnectionRef, states: AuthStates, store: StoreContext) {
    this.#ref = ref
    this.#states = states
    this.#store = store
  }

  get state(): AuthState | undefined {
    return this.#state
  }

  /** Has an auth state in memory: the one that is there, the stored one, or a new one. A transient store error rejects. */
  prepare(identity: 'stored' | 'new' | 'stored_or_new'): Promise<Prepared> {
    return this.#inTurn(async () => {
      if (this.#over()) throw new HoldingEnded('load auth state')
      if (this.#state !== undefined) return { kind: 'ready', registered: this.#state.registered }
      const prepared = identity === 'new' ? await this.#create() : await this.#load(identity)
      if (this.#over()) await this.#closeState('abandon')
      return prepared
    })
  }

  close(how: 'flush' | 'abandon'): Promise<void> {
    // What is abandoned must stop now, whatever it waits for.
    if (how === 'abandon') return this.#closeState('abandon')
    return this.#inTurn(() => this.#closeState('flush'))
  }

  /** After a logout. Retried until done or the holding ends. */
  archive(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#closeState('flush')
      await this.#untilDone('archive auth state', () => this.#states.archive(this.#ref, this.#store.holding))
    })
  }

  /** With a deleted connection. Rejects with HoldingEnded when it could not be done. */
  erase(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#closeState('abandon')
      await untilStored(this.#store, 'erase auth state', () => this.#states.erase(this.#ref, this.#store.holding))
    })
  }

  async #load(identity: 'stored' | 'stored_or_new'): Promise<Prepared> {
    const loaded = await this.#states.load(this.#ref, this.#store.holding)
    switch (loaded.kind) {
      case 'loaded':
        this.#state = loaded.state
        return { kind: 'ready', registered: loaded.state.registered }
      case 'none':
      case 'archived':
      case 'missing':
        if (identity === 'stored_or_new') return this.#create()
        return { kind: loaded.kind, detail: loaded.kind }
      case 'unreadable':
        this.#store.log.error({ error: errorName(loaded.error) }, 'Auth state is unreadable; it is kept')
        return { kind: 'unreadable', detail: errorName(loaded.error) }
      case 'fenced':
        return { kind: 'fenced' }
    }
  }

  async #create(): Promise<Prepared> {
    const created = await this.#states.create(this.#ref, this.#store.holding)
    if (created.kind === 'fenced') return { kind: 'fenced' }
    this.#state = created.state
    return { kind: 'ready', registered: created.state.registered }
  }

  async #closeState(how: 'flush' | 'abandon'): Promise<void> {
    const state = this.#state ?? this.#closing
    this.#state = undefined
    this.#closing = state
    try {
      await state?.close(how)
    } catch (error) {
      this.#store.log.warn({ error: errorName(error) }, 'Auth state did not close in order')
    } finally {
      if (this.#closing === state) this.#closing = undefined
    }
  }

  async #untilDone(what: string, call: () => Promise<void>): Promise<void> {
    try {
      await untilStored(this.#store, what, call)
    } catch (error) {
      if (!(error instanceof HoldingEnded)) throw error
    }
  }

  #over(): boolean {
    return this.#store.over.aborted
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work)
    this.#last = result.catch(() => undefined)
    return result
  }
}
