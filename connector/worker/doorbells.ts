import type { DoorbellQueue, ReceivedDoorbell } from '../../shared/domain/stores/doorbell.ts'
import type { OutboundRow } from '../../shared/domain/stores/messages.ts'
import type { PartitionId } from '../../shared/domain/words.ts'
import type { Clock, Holding, Log } from '../ports.ts'

/** What became of a doorbell. */
export type DoorbellOutcome =
  | { readonly kind: 'done' }
  /** It names nothing that exists or could be meant: kept with the reason, for a person to look at. */
  | { readonly kind: 'rejected'; readonly reason: string }

export interface DoorbellDependencies {
  readonly clock: Clock
  readonly log: Log
  readonly queue: DoorbellQueue
  /** Read before each poll: may become shorter. */
  readonly waitSeconds: number
  /** The rows that these of one connection are about, in one read, by the message's id; those that are read one by one are left out. */
  readonly readAhead: (messages: readonly ReceivedDoorbell[]) => Promise<ReadonlyMap<string, OutboundRow>>
  /** Rejects when a store could not be reached: the doorbell is tried again, and handed back in the end. */
  readonly answer: (
    message: ReceivedDoorbell,
    holding: Holding,
    /** Read a moment ago. */
    row: OutboundRow | undefined,
  ) => Promise<DoorbellOutcome>
  /** A poll was answered; for the health check. */
  readonly heard: () => void
}

const triesMax = 4
const tryAgainMs = 500
const pollPauseMsMax = 10_000
/** A slow command (a logout waits for WhatsApp) does not keep other doorbells waiting; too many of them do. */
const underWayMax = 200

/** Listens to the queue of one held partition until told to stop or until the partition is lost. */
export class DoorbellPoll {
  readonly #deps: DoorbellDependencies
  readonly #holding: Holding
  readonly #underWay = new Set<Promise<void>>()
  readonly #stop = Promise.withResolvers<void>()
  readonly #finished: Promise<void>
  #stopping = false

  constructor(deps: DoorbellDependencies, holding: Holding) {
    this.#deps = deps
    this.#holding = holding
    this.#finished = this.#poll()
  }

  get partition(): PartitionId {
    return this.#holding.partition
  }

  /**
   * No further poll. Resolves when the last one was answered (a poll that is broken off may still take messages out of the
   * queue, unseen, until their visibility timeout) and when what it brought is done or handed back.
   */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#stop.resolve()
    await this.#finished
    await Promise.all(this.#underWay)
  }

  get #listening(): boolean {
    return !this.#stopping && this.#holding.held()
  }

  async #poll(): Promise<void> {
    const { queue, log, heard } = this.#deps
    for (let failures = 0; this.#listening; ) {
      try {
        const messages = await queue.receive(this.partition, this.#deps.waitSeconds)
        failures = 0
        heard()
        if (messages.length > 0) await this.#take(messages)
      } catch (error) {
        failures++
        if (failures === 1) log.warn({ err: error, partition: this.partition }, 'Could not poll for doorbells')
        await this.#pause(Math.min(tryAgainMs * 2 ** failures, pollPauseMsMax))
      }
    }
  }

  /** Per connection in the order received, connections side by side. */
  async #take(messages: readonly ReceivedDoorbell[]): Promise<void> {
    const groups = Map.groupBy(messages, ({ doorbell }) =>
      doorbell === undefined ? '' : `${doorbell.kind}:${doorbell.businessProfileId}#${doorbell.connectionId}`,
    )
    for (const group of groups.values()) {
      const work = this.#answerAll(group)
        .catch((error: unknown) => {
          // The message comes again when its visibility timeout is over.
          this.#deps.log.warn({ err: error, partition: this.partition }, 'Could not finish doorbells')
        })
        .finally(() => this.#underWay.delete(work))
      this.#underWay.add(work)
    }
    while (this.#underWay.size >= underWayMax) await Promise.race(this.#underWay)
  }

  async #answerAll(group: readonly ReceivedDoorbell[]): Promise<void> {
    const { queue } = this.#deps
    const done: string[] = []
    let rest = [...group]
    const ahead = await this.#readAhead(group)
    for (const message of group) {
      if (!(await this.#answer(message, ahead, done))) break
      rest = rest.slice(1)
    }
    if (done.length > 0) await queue.done(this.partition, done)
    if (rest.length > 0) {
      await queue.handBack(
        this.partition,
        rest.map((message) => message.receipt),
      )
    }
  }

  /** A courtesy: what cannot be read now is read, and tried again, one by one. */
  async #readAhead(group: readonly ReceivedDoorbell[]): Promise<Map<string, OutboundRow>> {
    if (group.length === 1) return new Map()
    return new Map(await this.#deps.readAhead(group).catch(() => []))
  }

  /** False: to be handed back, with all that come after it. */
  async #answer(message: ReceivedDoorbell, ahead: Map<string, OutboundRow>, done: string[]): Promise<boolean> {
    const { queue, answer, log } = this.#deps
    for (let tries = 1; this.#holding.held(); tries++) {
      try {
        const outcome: DoorbellOutcome =
          message.doorbell === undefined
            ? { kind: 'rejected', reason: message.problem ?? 'it is no doorbell' }
            : await answer(message, this.#holding, rowOf(message, ahead))
        if (outcome.kind === 'done') {
          done.push(message.receipt)
        } else {
          log.warn({ partition: this.partition, reason: outcome.reason }, 'Rejected a doorbell')
          await queue.reject(this.partition, { ...message, problem: outcome.reason })
        }
        return true
      } catch (error) {
        // What was read by now is old when its turn comes.
        ahead.clear()
        if (this.#stopping || tries === triesMax) {
          log.warn({ err: error, partition: this.partition, tries }, 'Could not answer a doorbell; it is handed back')
          return false
        }
        await this.#pause(tryAgainMs * 2 ** (tries - 1))
      }
    }
    return false
  }

  async #pause(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#deps.clock.after(delayMs, resolve)
    await Promise.race([promise, this.#stop.promise])
    timer.cancel()
  }
}

function rowOf({ doorbell }: ReceivedDoorbell, ahead: ReadonlyMap<string, OutboundRow>): OutboundRow | undefined {
  return doorbell?.kind === 'send' ? ahead.get(doorbell.messageId) : undefined
}
