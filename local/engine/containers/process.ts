/** One container as a child process: the command, the working directory and nothing of this process's environment. */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import type { EngineLog } from '../contracts.ts'
import { hostEnvironment } from '../host-environment.ts'
import { endWithParent } from '../reaper.ts'
import { type Image, inside } from './image.ts'

export interface ContainerProcess {
  readonly pid: number | undefined
  /** As a shell counts: a signal's number plus 128. */
  readonly exited: Promise<number>
  signal(signal: NodeJS.Signals): void
}

export interface Launch {
  readonly image: Image
  readonly command: readonly string[]
  readonly workingDirectory: string
  readonly environment: Readonly<Record<string, string>>
}

export function startProcess(launch: Launch, part: string, log: EngineLog): ContainerProcess {
  const child = spawnInImage(launch)
  const reaper = endWithParent(child)
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => log.info(part, line))
  if (child.stderr !== null) createInterface({ input: child.stderr }).on('line', (line) => log.warn(part, line))
  const exited = new Promise<number>((resolve) => {
    child.once('error', (error) => {
      log.error(part, `could not be started: ${error.message}`)
      resolve(127)
    })
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  })
  void exited.then(() => reaper.release())
  return {
    pid: child.pid,
    exited,
    signal(signal) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
      // SIGKILL is for the whole container, others are for its first process.
      if (signal === 'SIGKILL') process.kill(-child.pid, signal)
      else child.kill(signal)
    },
  }
}

/** True when the command exits with 0 in time. */
export function runCheck(launch: Launch, timeoutMs: number): Promise<boolean> {
  const child = spawnInImage(launch)
  child.stdout?.resume()
  child.stderr?.resume()
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
      resolve(false)
    }, timeoutMs)
    child.once('error', () => {
      clearTimeout(timer)
      resolve(false)
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      resolve(code === 0)
    })
  })
}

/** A group of its own: Ctrl-C at the terminal is for local mode, which then stops its containers as ECS would. */
function spawnInImage({ image, command, workingDirectory, environment }: Launch): ChildProcess {
  const [program = '', ...rest] = command
  const guard = `--import=${new URL('./image-guard.ts', import.meta.url).href}?root=${encodeURIComponent(image.root)}`
  const isNode = program === 'node' || program.endsWith('/node')
  const path = program
  return spawn(
    isNode ? process.execPath : path,
    isNode ? ['--disable-warning=ExperimentalWarning', guard, ...rest.map((word) => localPath(word, image))] : rest,
    {
      cwd: inside(image.root, workingDirectory),
      env: {
        PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
        ...hostEnvironment().compileCache,
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  )
}

/** `/app/connector/main.ts` is a path of the image. */
function localPath(word: string, image: Image): string {
  return word.startsWith('/') ? inside(image.root, word) : word
}
