/**
 * One function's worker threads: one for each concurrent invocation, started when it is needed, kept for the next one, ended
 * after a while without work. A thread that timed out or broke is ended and never used again.
 */
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import type { EngineLog, InvokeResult } from '../contracts.ts'
import type { FunctionSpec } from '../template/specs.ts'
import type { InvokeMessage, WorkerAnswer, WorkerSetup } from './worker-messages.ts'

export interface FunctionPool {
  invoke(event: unknown): Promise<InvokeResult>
  /** Waits for what is in flight, then ends all threads. */
  stop(): Promise<void>
  /** Ends its threads in the middle of whatever they do, as Lambda's own failures would; gives how many invocations that broke off. */
  kill(): Promise<number>
}

export interface PoolSettings {
  /** Threads at most, where the template reserves no concurrency. */
  readonly concurrencyMax: number
  readonly idleMs: number
}

export const DEFAULT_POOL: PoolSettings = { concurrencyMax: 20, idleMs: 120_000 }

/** A cold start may take this long before it counts as failed; it is not taken from the function's own timeout. */
const INIT_TIMEOUT_MS = 30_000

interface Thread {
  readonly worker: Worker
  readonly ready: Promise<WorkerAnswer>
  idle: NodeJS.Timeout | undefined
}

export function createFunctionPool(
  spec: FunctionSpec,
  environment: Readonly<Record<string, string>>,
  log: EngineLog,
  settings: PoolSettings = DEFAULT_POOL,
): FunctionPool {
  const part = `function ${spec.title}`
  const limit = spec.concurrency ?? settings.concurrencyMax
  const idle: Thread[] = []
  const all = new Set<Thread>()
  const waiting: ((thread: Thread) => void)[] = []
  const busy = new Set<Worker>()
  const inFlight = new Set<Promise<unknown>>()
  let stopped = false

  const start = (): Thread => {
    const setup: WorkerSetup = { directory: spec.directory, handler: spec.handler }
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: setup,
      env: { ...environment },
      execArgv: ['--no-warnings'],
      stdout: true,
      stderr: true,
      name: spec.name,
    })
    createInterface({ input: worker.stdout }).on('line', (line) => log.info(part, line))
    createInterface({ input: worker.stderr }).on('line', (line) => log.warn(part, line))
    // An error between two invocations is nobody's answer; the thread exits and is replaced.
    worker.on('error', (error) => {
      if (!busy.has(worker)) log.error(part, error.stack ?? error.message)
    })
    const thread: Thread = { worker, ready: nextAnswer(worker, INIT_TIMEOUT_MS), idle: undefined }
    all.add(thread)
    worker.once('exit', () => {
      all.delete(thread)
      const at = idle.indexOf(thread)
      if (at >= 0) idle.splice(at, 1)
    })
    return thread
  }

  const take = (): Promise<Thread> | Thread => {
    const thread = idle.pop()
    if (thread !== undefined) {
      clearTimeout(thread.idle)
      return thread
    }
    if (all.size < limit) return start()
    return new Promise((resolve) => waiting.push(resolve))
  }

  const giveBack = (thread: Thread): void => {
    const next = waiting.shift()
    if (next !== undefined) {
      next(thread)
      return
    }
    thread.idle = setTimeout(() => void end(thread), settings.idleMs)
    thread.idle.unref()
    idle.push(thread)
  }

  const end = async (thread: Thread): Promise<void> => {
    all.delete(thread)
    clearTimeout(thread.idle)
    await thread.worker.terminate()
  }

  const discard = async (thread: Thread): Promise<void> => {
    await end(thread)
    const next = waiting.shift()
    if (next !== undefined) next(start())
  }

  const run = async (event: unknown): Promise<InvokeResult> => {
    const thread = await take()
    const ready = await thread.ready
    if (ready.kind !== 'ready') {
      await discard(thread)
      return failure(ready, false)
    }
    const deadlineMs = Date.now() + spec.timeoutMs
    const message: InvokeMessage = {
      kind: 'invoke',
      event: JSON.stringify(event ?? null),
      context: {
        functionName: spec.name,
        functionArn: spec.arn,
        memoryMb: spec.memoryMb,
        requestId: randomUUID(),
        deadlineMs,
      },
    }
    busy.add(thread.worker)
    const answered = nextAnswer(thread.worker, spec.timeoutMs)
    thread.worker.postMessage(message)
    const answer = await answered
    busy.delete(thread.worker)
    if (answer.kind === 'ok') {
      giveBack(thread)
      return { kind: 'ok', payload: JSON.parse(answer.payload) }
    }
    if (answer.kind === 'error') {
      giveBack(thread)
      return failure(answer, false)
    }
    await discard(thread)
    const timedOut = answer.kind === 'broken' && answer.errorType === TIMED_OUT
    return failure(timedOut ? { ...answer, errorType: 'Sandbox.Timedout' } : answer, timedOut)
  }

  const failure = (answer: WorkerAnswer, timedOut: boolean): InvokeResult => {
    const told =
      answer.kind === 'error' || answer.kind === 'broken'
        ? answer
        : { errorType: 'Runtime.Unknown', errorMessage: 'the runtime answered out of turn', trace: [] }
    log.error(part, told.trace.length > 0 ? told.trace.join('\n') : `${told.errorType}: ${told.errorMessage}`)
    return { kind: 'error', errorType: told.errorType, errorMessage: told.errorMessage, trace: told.trace, timedOut }
  }

  return {
    invoke(event) {
      if (stopped) {
        return Promise.resolve({
          kind: 'error',
          errorType: 'Runtime.ExitError',
          errorMessage: 'local mode is stopping',
          timedOut: false,
        })
      }
      const running = run(event).finally(() => inFlight.delete(running))
      inFlight.add(running)
      return running
    },
    async kill() {
      const brokenOff = busy.size
      await Promise.all([...all].map(end))
      return brokenOff
    },
    async stop() {
      stopped = true
      await Promise.all(inFlight)
      await Promise.all([...all].map(end))
    },
  }
}

const TIMED_OUT = 'timed out'

/** The thread's next message; an exit, a crash and the time running out are answers, too. */
function nextAnswer(worker: Worker, timeoutMs: number): Promise<WorkerAnswer> {
  return new Promise((resolve) => {
    const broken = (errorType: string, errorMessage: string, trace: readonly string[] = []): void =>
      settle({ kind: 'broken', errorType, errorMessage, trace })
    const timer = setTimeout(
      () => broken(TIMED_OUT, `Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`),
      timeoutMs,
    )
    const onError = (error: Error): void => broken(error.name, error.message, (error.stack ?? '').split('\n'))
    const onExit = (code: number): void =>
      broken('Runtime.ExitError', `RequestId: Error: Runtime exited with error: exit status ${code}`)
    const settle = (answer: WorkerAnswer): void => {
      clearTimeout(timer)
      worker.off('message', settle).off('error', onError).off('exit', onExit)
      resolve(answer)
    }
    worker.on('message', settle).on('error', onError).on('exit', onExit)
  })
}
