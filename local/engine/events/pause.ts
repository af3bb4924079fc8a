import { setTimeout as timer } from 'node:timers/promises'

/** Resolves after `ms`, or as soon as `signal` aborts; never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await timer(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  pause(ms: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = { now: () => Date.now(), pause }
