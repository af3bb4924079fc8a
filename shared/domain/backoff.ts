export interface BackoffSettings {
  /** Wait before the first attempt; each further one waits twice as long. */
  readonly backoffBaseMs: number
  /** 0 gives the exact series; 0.2 adds up to 20 % on top, never less. */
  readonly backoffJitter: number
}

/**
 * Wait before reconnect attempt `attempt` (from 1): 5, 10, 20, 40, 80 s with the default base.
 *
 * Jitter only adds, so that a fleet does not return in step and nobody returns early.
 *
 * @param random in [0, 1)
 */
export function reconnectDelayMs(attempt: number, random: number, settings: BackoffSettings): number {
  if (!Number.isInteger(attempt) || attempt < 1)
    throw new RangeError(`attempt must be a whole number from 1: ${attempt}`)
  const seriesMs = settings.backoffBaseMs * 2 ** (attempt - 1)
  return seriesMs + Math.floor(seriesMs * settings.backoffJitter * random)
}

/** Wait before retry `failures` (from 1) of a store call: doubling from `baseMs` up to `maxMs`. */
export function storeRetryDelayMs(failures: number, random: number, baseMs = 200, maxMs = 10_000): number {
  const seriesMs = Math.min(baseMs * 2 ** Math.min(failures - 1, 20), maxMs)
  return seriesMs + Math.floor(seriesMs * 0.2 * random)
}
