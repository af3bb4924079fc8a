import type { AuthStore } from '../../shared/domain/stores/auth.ts'
import type { DoorbellQueue } from '../../shared/domain/stores/doorbell.ts'
import type { EpochMs } from '../../shared/domain/words.ts'
import type { Log } from '../ports.ts'
import type { Recorder } from './recorder.ts'

/** The same store; how long its appends take is recorded. */
export function measuredAuthStore(store: AuthStore, recorder: Recorder, monotonic: () => number): AuthStore {
  return replacing(store, {
    append: async (ref, entry) => {
      const startedAt = monotonic()
      try {
        return await store.append(ref, entry)
      } finally {
        recorder.duration('JournalAppend', monotonic() - startedAt)
      }
    },
  })
}

/** The same queues; how long what they bring has waited is recorded, by two clocks that are taken to agree. */
export function measuredDoorbells(queue: DoorbellQueue, recorder: Recorder, now: () => EpochMs): DoorbellQueue {
  return replacing(queue, {
    receive: async (partition, waitSeconds) => {
      const received = await queue.receive(partition, waitSeconds)
      for (const { sentAt } of received) {
        if (sentAt !== undefined) recorder.duration('DoorbellWait', Math.max(0, now() - sentAt))
      }
      return received
    },
  })
}

function replacing<T extends object>(original: T, members: Partial<T>): T {
  return new Proxy(original, {
    get(target, name) {
      const member: unknown = Reflect.get(name in members ? members : target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

/** The same log; a line that names an alarm is counted under that name, so that one rule rings for all of them. */
export function alarmCountingLog(log: Log, recorder: Recorder): Log {
  const counted = (fields: object) => {
    if ('alarm' in fields && typeof fields.alarm === 'string') recorder.count('Alarms', fields.alarm)
  }
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => {
      counted(fields)
      log.warn(fields, message)
    },
    error: (fields, message) => {
      counted(fields)
      log.error(fields, message)
    },
    child: (fields) => alarmCountingLog(log.child(fields), recorder),
  }
}
