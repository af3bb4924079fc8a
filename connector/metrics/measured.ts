import type { AuthStore } from '../../shared/domain/stores/auth.ts'
import type { Log } from '../ports.ts'
import type { Recorder } from './recorder.ts'

/** The same store; how long its appends take is recorded. */
export function measuredAuthStore(store: AuthStore, recorder: Recorder, monotonic: () => number): AuthStore {
  const append: AuthStore['append'] = async (ref, entry) => {
    const startedAt = monotonic()
    try {
      return await store.append(ref, entry)
    } finally {
      recorder.duration('JournalAppend', monotonic() - startedAt)
    }
  }
  return new Proxy(store, {
    get(target, name) {
      if (name === 'append') return append
      const member: unknown = Reflect.get(target, name)
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
