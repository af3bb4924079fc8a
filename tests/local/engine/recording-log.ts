/** An engine log that keeps its lines and lets a test wait for one. */
import { setTimeout as delay } from 'node:timers/promises'
import type { LogLine, RingLog } from '../../../local/engine/engine-log.ts'
import { createRingLog } from '../../../local/engine/engine-log.ts'

export interface RecordingLog extends RingLog {
  /** The first line that matches, as soon as it is there. */
  seen(pattern: RegExp, timeoutMs?: number): Promise<LogLine>
}

export function recordingLog(): RecordingLog {
  const waiting = new Set<(line: LogLine) => void>()
  const log = createRingLog((line) => {
    for (const check of waiting) check(line)
  })
  return {
    ...log,
    seen(pattern, timeoutMs = 15_000) {
      const known = log.lines().find(({ message }) => pattern.test(message))
      if (known !== undefined) return Promise.resolve(known)
      const found = new Promise<LogLine>((resolve) => {
        const check = (line: LogLine): void => {
          if (!pattern.test(line.message)) return
          waiting.delete(check)
          resolve(line)
        }
        waiting.add(check)
      })
      const late = delay(timeoutMs).then(() => {
        throw new Error(
          `no line matched ${pattern}; there were:\n${log
            .lines()
            .map(({ message }) => message)
            .join('\n')}`,
        )
      })
      late.catch(() => undefined)
      return Promise.race([found, late])
    },
  }
}
