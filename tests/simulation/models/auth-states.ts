import type { AuthState, AuthStates, Holding, LoadOutcome } from '../../../connector/ports.ts'
import type { ConnectionRef, Epoch } from '../../../shared/domain/words.ts'
import { keyOf, request, type StoreNetwork } from './network.ts'

interface Stored {
  epoch: Epoch
  identity: 'none' | 'linked' | 'archived' | 'missing' | 'unreadable'
  readonly attempted: Set<string>
}

/** Auth states reduced to what a session sees of them: who may load, what is there, which sends may have left. */
export class ModelAuthStates {
  readonly #stored = new Map<string, Stored>()
  /** Copies in memory that were not closed; more than one of a connection in one worker would be two journals. */
  readonly open = new Map<string, number>()
  /** Identities made anew, by connection. */
  readonly created = new Map<string, number>()

  stored(ref: ConnectionRef): Stored {
    const key = keyOf(ref)
    const stored = this.#stored.get(key) ?? { epoch: 0, identity: 'none', attempted: new Set() }
    this.#stored.set(key, stored)
    return stored
  }

  set(ref: ConnectionRef, identity: Stored['identity']): void {
    this.stored(ref).identity = identity
  }

  /** What the Baileys adapter does before it tells of a pairing. */
  paired(state: AuthState): void {
    if (!(state instanceof ModelAuthState)) throw new Error('not a model auth state')
    state.registered = true
    this.set(state.ref, 'linked')
  }

  forWorker(network?: StoreNetwork): AuthStates {
    const claim = (ref: ConnectionRef, holding: Holding): Stored | undefined => {
      const stored = this.stored(ref)
      if (stored.epoch > holding.epoch) return undefined
      stored.epoch = holding.epoch
      return stored
    }
    return {
      // A state is in memory only where the answer arrived.
      load: async (ref, holding): Promise<LoadOutcome> => {
        const identity = await request(network, 'auth.load', ref, () => claim(ref, holding)?.identity)
        switch (identity) {
          case undefined:
            return { kind: 'fenced' }
          case 'linked':
            return { kind: 'loaded', state: new ModelAuthState(this, ref, true) }
          case 'unreadable':
            return { kind: 'unreadable', error: new Error('checksum does not match') }
          default:
            return { kind: identity }
        }
      },
      create: async (ref, holding) => {
        const claimed = await request(network, 'auth.create', ref, () => claim(ref, holding) !== undefined)
        if (!claimed) return { kind: 'fenced' }
        this.created.set(keyOf(ref), (this.created.get(keyOf(ref)) ?? 0) + 1)
        return { kind: 'created', state: new ModelAuthState(this, ref, false) }
      },
      archive: (ref, holding) =>
        request(network, 'auth.archive', ref, () => {
          if (this.stored(ref).epoch === holding.epoch) this.set(ref, 'archived')
        }),
      erase: (ref, holding) =>
        request(network, 'auth.erase', ref, () => {
          if (this.stored(ref).epoch === holding.epoch) this.#stored.delete(keyOf(ref))
        }),
    }
  }
}

export class ModelAuthState implements AuthState {
  readonly ref: ConnectionRef
  registered: boolean
  readonly #states: ModelAuthStates
  #closed = false

  constructor(states: ModelAuthStates, ref: ConnectionRef, registered: boolean) {
    this.#states = states
    this.ref = ref
    this.registered = registered
    states.open.set(keyOf(ref), (states.open.get(keyOf(ref)) ?? 0) + 1)
  }

  async durable(): Promise<void> {}

  attempted(): ReadonlySet<string> {
    return this.#states.stored(this.ref).attempted
  }

  /** What the adapter does before a ciphertext leaves. */
  attempt(whatsappId: string): void {
    this.#states.stored(this.ref).attempted.add(whatsappId)
  }

  settled(whatsappId: string): void {
    this.#states.stored(this.ref).attempted.delete(whatsappId)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#states.open.set(keyOf(this.ref), (this.#states.open.get(keyOf(this.ref)) ?? 0) - 1)
  }
}
