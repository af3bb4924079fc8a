/** libsignal prints sessions with their private keys through the console: no process of a bench lets that out. */
import type { makeWASocket } from '@whiskeysockets/baileys'

type Logger = NonNullable<Parameters<typeof makeWASocket>[0]['logger']>

const nothing = (): void => undefined

export const quietLogger: Logger = {
  level: 'silent',
  child: () => quietLogger,
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
}

export function silenceConsole(): void {
  for (const method of ['debug', 'log', 'info', 'warn', 'error', 'trace'] as const) console[method] = nothing
}
