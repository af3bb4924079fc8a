import type { SocketConfig } from '@whiskeysockets/baileys'
import type { Log } from '../ports.ts'

type BaileysLogger = SocketConfig['logger']

/**
 * Baileys logs whole stanzas, creds updates and errors that carry them. Only its sentence and an error's message pass, and
 * only what it calls a warning or worse.
 */
export function baileysLogger(log: Log): BaileysLogger {
  const pass = (fields: unknown, message?: string): void => {
    if (typeof fields === 'string') log.debug({ by: 'baileys' }, fields)
    else log.debug({ by: 'baileys', ...reasonOf(fields) }, message ?? 'no message')
  }
  const drop = (): void => undefined
  const logger: BaileysLogger = {
    level: 'warn',
    child: () => logger,
    trace: drop,
    debug: drop,
    info: drop,
    warn: pass,
    error: pass,
  }
  return logger
}

function reasonOf(fields: unknown): { reason?: string } {
  if (fields instanceof Error) return { reason: fields.message }
  if (typeof fields !== 'object' || fields === null) return {}
  for (const name of ['err', 'error', 'e', 'ackErr'] as const) {
    const error = (fields as Record<string, unknown>)[name]
    if (error instanceof Error) return { reason: error.message }
  }
  return {}
}
