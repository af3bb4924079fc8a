import { randomUUID } from 'node:crypto'
import type { Clock, Random } from './ports.ts'

const nsPerMs = 1_000_000
const timerMsMax = 2 ** 31 - 1

/** The machine's clocks. `monotonic` is `process.hrtime`, which all threads of a process share. */
export const processClock: Clock = {
  now: () => Date.now(),
  monotonic: () => {
    const [seconds, nanoseconds] = process.hrtime()
    return seconds * 1_000 + nanoseconds / nsPerMs
  },
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), timerMsMax))
    return { cancel: () => clearTimeout(timer) }
  },
}

export const processRandom: Random = {
  next: () => Math.random(),
  id: () => randomUUID(),
}
