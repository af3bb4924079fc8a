/** The command line of `npm start`, parsed into the options of a run. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { LocalOptions, WhatsApp } from './engine/options.ts'

export const USAGE = `Runs the product on this machine: the synthesized CDK app, with local emulators in the place of AWS.

  npm start -- [options]

  --port N              port of the REST and the WebSocket API (4500); 0 takes a free one
  --console-port N      port of the console (one above --port)
  --state-dir DIR       where tables, objects and secrets are kept (.holdfast)
  --workers N           connector processes (1)
  --whatsapp WHICH      simulated: a simulated WhatsApp server (default)
                        live: WhatsApp itself
                        ws://HOST:PORT: any other server
  --whatsapp-root HEX   the root key that such a server's certificate chain must lead to
  --fresh               forget everything that the state folder holds
  --private-targets     let webhooks reach this machine and private networks, which AWS refuses
  --no-iam              let through what the template's policies do not allow (it is still recorded)
  --verbose             print what functions and workers log, too
  --help                this text
`

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly reason: string }
  | {
      readonly kind: 'run'
      readonly verbose: boolean
      readonly options: Omit<LocalOptions, 'root' | 'print' | 'progress'> & { readonly port: number }
    }

const WORKERS_MAX = 50

export function readCommand(args: readonly string[], workingDirectory: string): Command {
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      allowNegative: true,
      options: {
        port: { type: 'string', default: '4500' },
        'console-port': { type: 'string' },
        'state-dir': { type: 'string', default: '.holdfast' },
        workers: { type: 'string', default: '1' },
        whatsapp: { type: 'string', default: 'simulated' },
        'whatsapp-root': { type: 'string' },
        fresh: { type: 'boolean', default: false },
        'private-targets': { type: 'boolean', default: false },
        iam: { type: 'boolean', default: true },
        verbose: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    })
    if (values.help) return { kind: 'help' }
    return {
      kind: 'run',
      verbose: values.verbose,
      options: {
        stateDir: resolve(workingDirectory, values['state-dir']),
        port: wholeNumber('--port', values.port, 0, 65_535),
        ...(values['console-port'] === undefined
          ? {}
          : { consolePort: wholeNumber('--console-port', values['console-port'], 0, 65_535) }),
        workers: wholeNumber('--workers', values.workers, 1, WORKERS_MAX),
        whatsapp: whatsappOf(values.whatsapp, values['whatsapp-root']),
        iam: values.iam,
        fresh: values.fresh,
        ...(values['private-targets'] ? { targets: 'any' as const } : {}),
      },
    }
  } catch (error) {
    // Node's own sentences name the option; what follows their first one is about positional arguments.
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('. ')
    return { kind: 'refused', reason }
  }
}

function wholeNumber(option: string, text: string, min: number, max: number): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < min || number > max) {
    throw new Error(`${option}: expected a whole number from ${min} to ${max}, found "${text}"`)
  }
  return number
}

function whatsappOf(which: string, rootKey: string | undefined): WhatsApp {
  if (rootKey !== undefined && !/^[0-9a-f]{64}$/i.test(rootKey))
    throw new Error('--whatsapp-root: expected 64 hex digits')
  if (/^wss?:\/\/\S+$/.test(which)) return { kind: 'server', url: which, rootKey }
  if (which !== 'simulated' && which !== 'live') {
    throw new Error(`--whatsapp: expected simulated, live or a ws:// URL, found "${which}"`)
  }
  if (rootKey !== undefined) throw new Error('--whatsapp-root: only goes with --whatsapp ws://HOST:PORT')
  return { kind: which }
}
