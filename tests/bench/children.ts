/** Processes of a bench: each ends with the bench, however that ends, and tells what it printed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { endWithParent } from '../../local/engine/reaper.ts'

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

export type Line = Readonly<Record<string, unknown>>

const running = new Set<NodeProcess>()
process.on('exit', () => {
  for (const each of running) each.child.kill('SIGKILL')
})
for (const [signal, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const, ['SIGHUP', 129] as const]) {
  process.on(signal, () => process.exit(code))
}

/** What a bench that failed half-way has left running. */
async function killAll(): Promise<void> {
  await Promise.all([...running].map((each) => each.end()))
}

/** Stops what a bench started; what does not end in time ends with the bench. */
export async function stopAll(...parts: readonly { stop(): Promise<void> }[]): Promise<void> {
  await killAll()
  const late = new AbortController()
  await Promise.race([
    Promise.allSettled(parts.map((part) => part.stop())),
    delay(stopMs, undefined, { signal: late.signal }).catch(() => undefined),
  ])
  late.abort()
}

const stopMs = 5_000
const tailLines = 20

/** A Node process of this repository, run by the Node that runs the bench, with nothing of its environment but PATH. */
export class NodeProcess {
  readonly child: ChildProcess
  readonly name: string
  /** Epoch milliseconds just before it was spawned. */
  readonly spawnedAt: number
  readonly exited: Promise<number | string>
  readonly #lines: Line[] = []
  /** The last lines that it printed. */
  readonly tail: string[] = []
  /** Whether it was told to end. */
  #asked = false
  #waiting: { readonly is: (line: Line) => boolean; readonly resolve: (line: Line) => void }[] = []

  constructor(name: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.name = name
    this.spawnedAt = Date.now()
    this.child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
      cwd: root,
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(this)
    const reaper = endWithParent(this.child)
    this.exited = once(this.child, 'exit').then(([code, signal]) => {
      running.delete(this)
      reaper.release()
      if (!this.#asked && code !== 0) {
        process.stderr.write(`${this.name} ended by itself with ${code ?? signal}:\n${this.tail.join('\n')}\n`)
      }
      return (code ?? signal) as number | string
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream !== null) createInterface(stream).on('line', (line) => this.#read(line))
    }
  }

  get pid(): number {
    const { pid } = this.child
    if (pid === undefined) throw new Error(`${this.name} did not start`)
    return pid
  }

  /** What it said as JSON so far. */
  get lines(): readonly Line[] {
    return this.#lines
  }

  /** The first line, said already or yet to come, for which `is` holds; rejects when the process ends before. */
  async says(what: string, is: (line: Line) => boolean): Promise<Line> {
    const said = this.#lines.find(is)
    if (said !== undefined) return said
    return Promise.race([
      new Promise<Line>((resolve) => this.#waiting.push({ is, resolve })),
      this.exited.then((code) => {
        throw new Error(`${this.name} ended with ${code} before ${what}:\n${this.tail.join('\n')}`)
      }),
    ])
  }

  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | string> {
    this.#asked = true
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
    return this.exited
  }

  #read(text: string): void {
    this.tail.push(text)
    if (this.tail.length > tailLines) this.tail.shift()
    let line: unknown
    try {
      line = JSON.parse(text)
    } catch {
      return
    }
    if (typeof line !== 'object' || line === null) return
    const read = line as Line
    this.#lines.push(read)
    this.#waiting = this.#waiting.filter(({ is, resolve }) => {
      if (!is(read)) return true
      resolve(read)
      return false
    })
  }
}
