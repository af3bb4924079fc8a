/** The server on its own: `npm run whatsapp-simulator -- --port N`. */

import { parseArgs } from 'node:util'
import { startWhatsAppSimulator } from './server.ts'

const HELP = `Simulated WhatsApp server: the real wire protocol for unmodified clients, with simulated phones.

  --port N          port for the WebSocket and the control API; 0 takes any free port (default 0)
  --host HOST       address to listen on (default 127.0.0.1)
  --state-dir DIR   keep phones and linked devices there across restarts
  --log-level L     "info" writes one JSON line for each event to stderr, "silent" none (default silent)
  --help            this text

Prints one JSON line when it listens: {"event":"ready","url","controlUrl","rootKey"}. Clients must trust rootKey, the
public key (hex) that the server's certificate chain leads to; in Baileys: WA_CERT_DETAILS.PUBLIC_KEY.
`

interface Arguments {
  port: number
  host: string
  stateDir: string | undefined
  logs: boolean
}

function readArguments(): Arguments | 'help' {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      host: { type: 'string', default: '127.0.0.1' },
      'state-dir': { type: 'string' },
      'log-level': { type: 'string', default: 'silent' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`--port ${values.port}: expected 0 to 65535`)
  const level = values['log-level']
  if (level !== 'info' && level !== 'silent') throw new Error(`--log-level ${level}: expected "info" or "silent"`)
  return { port, host: values.host, stateDir: values['state-dir'], logs: level === 'info' }
}

/** libsignal prints sessions with their private keys through the console; nothing of that may reach a log. */
function silenceConsole(): void {
  for (const method of ['debug', 'log', 'info', 'warn', 'error', 'trace'] as const) console[method] = () => undefined
}

async function main(): Promise<void> {
  const parsed = readArguments()
  if (parsed === 'help') {
    process.stdout.write(HELP)
    return
  }
  silenceConsole()
  const { port, host, stateDir, logs } = parsed
  const server = await startWhatsAppSimulator({
    port,
    host,
    ...(stateDir === undefined ? {} : { stateDir }),
    ...(logs ? { log: (event) => process.stderr.write(`${JSON.stringify(event)}\n`) } : {}),
  })
  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    server.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  const { url, controlUrl, rootPublicKeyHex } = server
  process.stdout.write(`${JSON.stringify({ event: 'ready', url, controlUrl, rootKey: rootPublicKeyHex })}\n`)
}

function fail(error: unknown): void {
  process.stderr.write(`whatsapp-simulator: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}

main().catch(fail)
