import { type DestinationStream, type Logger, pino } from 'pino'
import type { Log } from './ports.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** JSON lines on standard output. `time` in ISO 8601, `level` by name. */
export function createLog(level: LogLevel, fields: object = {}, destination?: DestinationStream): Log {
  const options = {
    level,
    base: fields,
    messageKey: 'message',
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    // By both names that errors are logged under.
    serializers: { err: describeError, error: describeError },
  }
  const logger: Logger = destination === undefined ? pino(options) : pino(options, destination)
  return logger
}

/**
 * Of an error only what names it. The AWS SDK's carry the items that a condition met, Baileys' carry stanzas: message bodies
 * and keys among them.
 */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'object' ? '[object]' : error
  const described = { type: error.name, message: error.message, stack: error.stack }
  return error.cause instanceof Error ? { ...described, cause: describeError(error.cause) } : described
}

function words(item: unknown): readonly string[] {
  if (item instanceof Error) return [`${item.name}: ${item.message}`]
  return typeof item === 'string' || typeof item === 'number' ? [String(item)] : []
}

const consoleMethods = ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir'] as const

/** libsignal's running commentary, once a line for every session that opens and closes. */
const libsignalSays = [
  'Closing session:',
  'Opening session:',
  'Removing old closed session:',
  'Session already closed',
  'Session already open',
  'Migrating session to:',
  'Closing open session in favor of incoming prekey bundle',
  'Decrypted message with closed session.',
  'Failed to decrypt message with any known session...',
  'Session error:',
  'Unhandled bucket type (for naming):',
  'V1 session storage migration error',
]

/**
 * Takes the console away from libraries: libsignal prints whole session records with private ratchet keys through it. What
 * they say in plain words goes to the log at debug level; objects go nowhere.
 */
export function captureConsole(log: Log, target: Console = globalThis.console): void {
  for (const name of consoleMethods) {
    target[name] = (...items: unknown[]) => {
      const text = items.flatMap(words).join(' ')
      if (text === '' || libsignalSays.some((said) => text.startsWith(said))) return
      log.debug({ by: 'console' }, text)
    }
  }
}
