import type { ToldReceipt } from '../../shared/domain/receipts.ts'
import type { SendStep, StepOutcome, WorkerMessages } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef, Epoch } from '../../shared/domain/words.ts'
import type { RowTurns } from './row-turns.ts'
import { HoldingEnded, type StoreContext, untilStored } from './until-stored.ts'

/**
 * Stores what became of sends. Steps of one message are stored in the order in which WhatsApp told them: `read` often comes
 * right behind `delivered`, and whoever watches is promised both.
 */
export class SendSteps {
  readonly #ref: ConnectionRef
  readonly #messages: WorkerMessages
  readonly #store: StoreContext
  readonly #turns: RowTurns
  readonly #last = new Map<string, Promise<void>>()

  constructor(ref: ConnectionRef, messages: WorkerMessages, store: StoreContext, turns: RowTurns) {
    this.#ref = ref
    this.#messages = messages
    this.#store = store
    this.#turns = turns
  }

  /** Resolves once stored, or once the row is known to be past it; rejects with `HoldingEnded`. */
  store(whatsappId: string, step: SendStep): Promise<void> {
    return this.#inOrder(whatsappId, step.status, (epoch) => this.#messages.step(this.#ref, whatsappId, epoch, step))
  }

  /** A receipt of one member of a group; resolves and rejects alike. */
  receipt(whatsappId: string, told: ToldReceipt): Promise<void> {
    return this.#inOrder(whatsappId, told.step, (epoch) => this.#messages.receipt(this.#ref, whatsappId, epoch, told))
  }

  #inOrder(whatsappId: string, what: string, change: (epoch: Epoch) => Promise<StepOutcome>): Promise<void> {
    const write = () => this.#write(what, change)
    const before = this.#last.get(whatsappId)
    const turn = before === undefined ? write() : before.then(write, write)
    this.#last.set(whatsappId, turn)
    const done = () => {
      if (this.#last.get(whatsappId) === turn) this.#last.delete(whatsappId)
    }
    turn.then(done, done)
    return turn
  }

  async #write(what: string, change: (epoch: Epoch) => Promise<StepOutcome>): Promise<void> {
    const { holding } = this.#store
    const outcome = await this.#turns.run(() =>
      untilStored(this.#store, `message ${what}`, () => change(holding.epoch)),
    )
    if (outcome.kind !== 'fenced') return
    holding.fenced()
    throw new HoldingEnded(`message ${what}`)
  }
}
