import type { WorkerMessages } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef } from '../../shared/domain/words.ts'
import type { StoreContext } from './until-stored.ts'

/** A wait that is worth a sentence, and long enough to be cancelled. */
export const notedWaitMs = 5_000

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

  /**
   * @param claims given where it is certain that nothing of the send left: with the note it can be cancelled
   * @returns whether it will be written
   */
  write(whatsappId: string, sentence: string, waits: () => boolean, claims?: number): boolean {
    const said = `${claims ?? ''} ${sentence}`
    if (sentence === '' || this.#noted.get(whatsappId) === said) return false
    this.#noted.set(whatsappId, said)
    this.#last = this.#last.then(async () => {
      const { over, holding, clock } = this.#store
      if (!waits() || this.#noted.get(whatsappId) !== said || over.aborted || !holding.held()) return
      const now = new Date(clock.now()).toISOString()
      const outcome = await this.#messages
        .note(this.#ref, whatsappId, holding.epoch, sentence, now, claims)
        .catch(() => undefined)
      if (outcome?.kind === 'fenced') holding.fenced()
    })
    return true
  }

  /** The send ended, or was taken out: no sentence is on it any more. */
  forget(whatsappId: string): void {
    this.#noted.delete(whatsappId)
  }
}
