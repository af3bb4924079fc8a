import { storeRetryDelayMs } from '../../shared/domain/backoff.ts'
import type { Clock, Holding, Log, Random } from '../ports.ts'
import { errorName } from './row-writer.ts'

/** The holding or the session ended before the call succeeded: another owner does it. */
export class HoldingEnded extends Error {
  constructor(what: string) {
    super(`the holding ended before it was done: ${what}`)
    this.name = 'HoldingEnded'
  }
}

/** What a session's store calls share. */
export interface StoreContext {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly holding: Holding
  /** Aborted when the session ended. */
  readonly over: AbortSignal
}

/**
 * Calls a store until it answers. Checks the holding before every call, so nothing is written by one who lost it.
 *
 * @throws HoldingEnded
 */
export async function untilStored<T>(context: StoreContext, what: string, call: () => Promise<T>): Promise<T> {
  const { clock, random, log, holding, over } = context
  for (let failures = 1; ; failures += 1) {
    if (over.aborted || !holding.held()) throw new HoldingEnded(what)
    try {
      return await call()
    } catch (error) {
      if (over.aborted) throw new HoldingEnded(what)
      log.warn({ error: errorName(error), failures, what }, 'A store did not answer, trying again')
      await pause(clock, storeRetryDelayMs(failures, random.next()), over)
    }
  }
}

/** Resolves after `delayMs`, or at once when `signal` aborts. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve()
      return
    }
    const done = () => {
      timer.cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.after(delayMs, done)
    signal?.addEventListener('abort', done)
  })
}

/** Whether `promise` settled within `delayMs`; a rejection counts as settled. */
export function within(clock: Clock, delayMs: number, promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.after(Math.max(0, delayMs), () => resolve(false))
    const settled = () => {
      timer.cancel()
      resolve(true)
    }
    promise.then(settled, settled)
  })
}
