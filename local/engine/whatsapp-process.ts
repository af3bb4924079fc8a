/** The simulated WhatsApp server as a child process: a server of its own that shares nothing with local mode but two URLs. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { EngineLog, Running } from './contracts.ts'
import { hostEnvironment } from './host-environment.ts'
import { endWithParent } from './reaper.ts'
import { isObject } from './template/json.ts'

export interface WhatsAppProcess extends Running {
  /** `ws://…`, what the connector connects to. */
  readonly url: string
  /** `http://…`, phones and faults. */
  readonly controlUrl: string
  /** Hex of the key that its certificate chain leads to. */
  readonly rootKey: string
  readonly crashed: Promise<string>
}

const START_TIMEOUT_MS = 30_000

export async function startWhatsAppSimulator(
  script: string,
  stateDir: string,
  log: EngineLog,
): Promise<WhatsAppProcess> {
  const child = spawn(process.execPath, [script, '--port', '0', '--state-dir', stateDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { PATH: hostEnvironment().path, ...hostEnvironment().compileCache },
  })
  const reaper = endWithParent(child)
  const errors: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    errors.push(line)
    if (errors.length > 20) errors.shift()
    log.warn('whatsapp simulator', line)
  })
  let stopping = false
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) =>
      resolve(`it ended with ${signal ?? `code ${code}`}: ${errors.slice(-3).join(' ')}`),
    )
  })
  const stop = async (): Promise<void> => {
    stopping = true
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      child.kill('SIGTERM')
      const patience = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exited
      clearTimeout(patience)
    }
    reaper.release()
  }
  const ready = new Promise<Record<string, unknown>>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const told = parse(line)
      if (told?.['event'] === 'ready') resolve(told)
      else log.info('whatsapp simulator', line)
    })
  })
  const late = new Promise<never>((_, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`The simulated WhatsApp server was not ready within ${START_TIMEOUT_MS / 1000} s`)),
      START_TIMEOUT_MS,
    )
    void ready.then(() => clearTimeout(timer))
    void exited.then((why) => {
      clearTimeout(timer)
      reject(new Error(`The simulated WhatsApp server did not start: ${why}`))
    })
  })
  late.catch(() => undefined)
  try {
    const told = await Promise.race([ready, late])
    const text = (name: string): string => {
      const value = told[name]
      if (typeof value !== 'string') throw new Error(`The simulated WhatsApp server's ready line lacks ${name}`)
      return value
    }
    const crashed = new Promise<string>((resolve) => {
      void exited.then((why) => {
        if (!stopping) resolve(why)
      })
    })
    return { url: text('url'), controlUrl: text('controlUrl'), rootKey: text('rootKey'), crashed, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
