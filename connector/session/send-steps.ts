import { canStep } from '../../shared/domain/message-status.ts'
import type { ToldReceipt } from '../../shared/domain/receipts.ts'
import type { ForwardStep, SendStep, StepOutcome, WorkerMessages } from '../../shared/domain/stores/messages.ts'
import type { ConnectionRef, Epoch } from '../../shared/domain/words.ts'
import type { RowTurns } from './row-turns.ts'
import { HoldingEnded, type StoreContext, untilStored } from './until-stored.ts'

/** Steps of one message that wait for the same write. */
interface Gathering {
  readonly steps: ForwardStep[]
  stored?: Promise<void>
}

interface StepWrite {
  /** For the log. */
  readonly what: string
  readonly change: (epoch: Epoch) => Promise<StepOutcome>
  /** Takes in more steps until its turn comes. */
  readonly gathering?: Gathering
}

/**
 * Stores what became of sends. Steps of one message are stored in the order in which WhatsApp told them, and each of them is kept:
 * `read` often comes right behind `delivered`, and whoever watches is promised both. What comes while the message waits for its
 * turn, or for the write before, shares one write.
 */
export class SendSteps {
  readonly #ref: ConnectionRef
  readonly #messages: WorkerMessages
  readonly #store: StoreContext
  readonly #turns: RowTurns
  readonly #last = new Map<string, Promise<void>>()
  readonly #gatherings = new Map<string, Gathering>()

  constructor(ref: ConnectionRef, messages: WorkerMessages, store: StoreContext, turns: RowTurns) {
    this.#ref = ref
    this.#messages = messages
    this.#store = store
    this.#turns = turns
  }

  /** Resolves once stored, or once the row is known to be past it; rejects with `HoldingEnded`. */
  store(whatsappId: string, step: SendStep): Promise<void> {
    const change = (told: SendStep, epoch: Epoch) => this.#messages.step(this.#ref, whatsappId, epoch, told)
    if (step.status === 'failed') {
      return this.#inOrder(whatsappId, { what: step.status, change: (epoch) => change(step, epoch) })
    }
    const open = this.#gatherings.get(whatsappId)
    if (open?.stored !== undefined && canStep(latestOf(open), step)) {
      open.steps.push(step)
      return open.stored
    }
    const gathering: Gathering = { steps: [step] }
    gathering.stored = this.#inOrder(whatsappId, {
      what: step.status,
      change: (epoch) => change(together(gathering), epoch),
      gathering,
    })
    return gathering.stored
  }

  /** A receipt of one member of a group; resolves and rejects alike. */
  receipt(whatsappId: string, told: ToldReceipt): Promise<void> {
    const change = (epoch: Epoch) => this.#messages.receipt(this.#ref, whatsappId, epoch, told)
    return this.#inOrder(whatsappId, { what: told.step, change })
  }

  #inOrder(whatsappId: string, step: StepWrite): Promise<void> {
    // What comes after this write may not go with one before it.
    if (step.gathering === undefined) this.#gatherings.delete(whatsappId)
    else this.#gatherings.set(whatsappId, step.gathering)
    const write = () => this.#write(whatsappId, step)
    const before = this.#last.get(whatsappId)
    const turn = before === undefined ? write() : before.then(write, write)
    this.#last.set(whatsappId, turn)
    const done = () => {
      if (this.#last.get(whatsappId) === turn) this.#last.delete(whatsappId)
    }
    turn.then(done, done)
    return turn
  }

  async #write(whatsappId: string, { what, change, gathering }: StepWrite): Promise<void> {
    const { holding } = this.#store
    const outcome = await this.#turns.run(() => {
      if (this.#gatherings.get(whatsappId) === gathering) this.#gatherings.delete(whatsappId)
      return untilStored(this.#store, `message ${what}`, () => change(holding.epoch))
    })
    if (outcome.kind !== 'fenced') return
    holding.fenced()
    throw new HoldingEnded(`message ${what}`)
  }
}

function latestOf({ steps }: Gathering): ForwardStep {
  const latest = steps.at(-1)
  if (latest === undefined) throw new Error('a write without a step')
  return latest
}

function together(gathering: Gathering): SendStep {
  const earlier = gathering.steps.slice(0, -1)
  return earlier.length === 0 ? latestOf(gathering) : { ...latestOf(gathering), earlier }
}
