/** The log of a run: to the terminal as the caller wishes, and a ring of lines for `GET /_local/logs`. */
import type { EngineLog } from './contracts.ts'

export interface LogLine {
  /** ISO 8601. */
  readonly at: string
  readonly level: 'info' | 'warn' | 'error'
  readonly part: string
  readonly message: string
}

export interface RingLog extends EngineLog {
  /** Oldest first; all parts, or those whose name begins with `part`. */
  lines(part?: string): readonly LogLine[]
}

const LINES_MAX = 5_000

export function createRingLog(print: (line: LogLine) => void): RingLog {
  const ring: LogLine[] = []
  let next = 0
  const add = (level: LogLine['level'], part: string, message: string): void => {
    const line: LogLine = { at: new Date().toISOString(), level, part, message }
    ring[next % LINES_MAX] = line
    next += 1
    print(line)
  }
  return {
    info: (part, message) => add('info', part, message),
    warn: (part, message) => add('warn', part, message),
    error: (part, message) => add('error', part, message),
    lines(part = '') {
      const ordered = [...ring.slice(next % LINES_MAX), ...ring.slice(0, next % LINES_MAX)]
      return ordered.filter((line) => line?.part.startsWith(part) === true)
    },
  }
}
