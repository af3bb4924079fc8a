/** How long the service scheduler waits before it replaces a task: at once for one that had lived, longer and longer for one that keeps failing. */

const LIVED_MS = 10_000
const BASE_MS = 500
const MAX_MS = 30_000

export interface Failures {
  readonly count: number
}

export function replacement(
  before: Failures,
  livedMs: number,
): { readonly failures: Failures; readonly delayMs: number } {
  if (livedMs >= LIVED_MS) return { failures: { count: 0 }, delayMs: 0 }
  const count = before.count + 1
  // A single early end is replaced at once: that is a test, or bad luck. The second is a pattern.
  return { failures: { count }, delayMs: count === 1 ? 0 : Math.min(MAX_MS, BASE_MS * 2 ** (count - 2)) }
}
