import type { WorkerMessages } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import type { StoreContext } from './until-stored.ts'

/**
 * Sentences on waiting sends, such as "The connection is being restored." A courtesy: one at a time, tried once, and not
 * written to a send that went meanwhile.
 */
export class SendNotes {
  readonly #ref: ConnectionRef
  readonly #messages: WorkerMessages
  readonly #store: StoreContext
  readonly #noted = new Map<string, string>()
  #last: Promise<void> = Promise.resolve()

  constructor(ref: ConnectionRef, messages: WorkerMessages, store: StoreContext) {
    this.#ref = ref
    this.#messages = messages
    this.#store = store
  }

  write(whatsappId: string, sentence: string, waits: () => boolean): void {
    if (sentence === '' || this.#noted.get(whatsappId) === sentence) return
    this.#noted.set(whatsappId, sentence)
    this.#last = this.#last.then(async () => {
      const { over, holding, clock } = this.#store
      if (!waits() || this.#noted.get(whatsappId) !== sentence || over.aborted || !holding.held()) return
      const now = new Date(clock.now()).toISOString()
      const outcome = await this.#messages
        .note(this.#ref, whatsappId, holding.epoch, sentence, now)
        .catch(() => undefined)
      if (outcome?.kind === 'fenced') holding.fenced()
    })
  }

  /** The send ended. */
  forget(whatsappId: string): void {
    this.#noted.delete(whatsappId)
  }
}
