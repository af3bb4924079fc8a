import { type ChildProcess, fork } from 'node:child_process'
import { setPriority } from 'node:os'
import type { Clock, Log, Timer } from '../../ports.ts'
import { type FromPreviews, type Preview, previewTask, type ToPreviews } from './messages.ts'

/** Larger media have no preview. */
const bytesMax = 24 * 1024 * 1024
/** A process that takes no chunk for so long, or does not answer for so long after the last one, is ended. */
const patienceMs = 15_000
const idleMs = 60_000
/** Below that of the worker, whose connections come first. */
const niceness = 10

/** Is given a medium's chunks in passing. */
export interface PreviewFeed {
  /** Resolves when the next chunk may come. */
  feed(chunk: Uint8Array): Promise<void>
  /** Whatever could be made of it. */
  end(): Promise<Preview>
  /** What came so far is not wanted any more. */
  cancel(): void
}

interface Running {
  readonly done: PromiseWithResolvers<Preview>
  over: boolean
  timer: Timer | undefined
}

/**
 * Small images, waveforms and durations for media that are sent: made by a process of its own, started when it is needed and
 * ended when it is not. No medium fails by it: what can't be decoded, or not in time, is sent without a preview.
 */
export class Previews {
  readonly #clock: Clock
  readonly #log: Log
  readonly #running = new Map<number, Running>()
  #child: ChildProcess | undefined
  #idle: Timer | undefined
  #number = 0

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** Of the process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Undefined where nothing is made of such a medium. */
  begin(mimeType: string, bytes: number): PreviewFeed | undefined {
    const task = previewTask(mimeType)
    if (task === undefined || bytes > bytesMax) return undefined
    this.#idle?.cancel()
    const child = this.#started()
    this.#number += 1
    const number = this.#number
    const running: Running = { done: Promise.withResolvers(), over: false, timer: undefined }
    this.#running.set(number, running)
    const tell = (message: ToPreviews): Promise<void> =>
      new Promise((resolve) => {
        // The exit tells what went wrong.
        if (running.over || !child.connected) resolve()
        else child.send(message, () => resolve())
      })
    const wait = (): void => {
      running.timer?.cancel()
      if (!running.over) running.timer = this.#clock.after(patienceMs, () => this.#end(child, 'it took too long'))
    }
    wait()
    void tell({ kind: 'begin', number, task, mimeType, bytes })
    return {
      feed: async (chunk) => {
        if (running.over) return
        wait()
        // Whoever is given up on does not hold up the medium.
        await Promise.race([tell({ kind: 'chunk', number, chunk }), running.done.promise])
      },
      end: () => {
        wait()
        void tell({ kind: 'end', number })
        return running.done.promise
      },
      cancel: () => {
        void tell({ kind: 'cancel', number })
        this.#settle(number, {})
      },
    }
  }

  close(): void {
    this.#idle?.cancel()
    if (this.#child !== undefined) this.#end(this.#child, undefined)
  }

  #started(): ChildProcess {
    if (this.#child !== undefined) return this.#child
    const child = fork(new URL('./preview-process.ts', import.meta.url), [], {
      serialization: 'advanced',
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [...process.execArgv, '--max-old-space-size=128'],
    })
    this.#child = child
    child.on('message', ({ number, preview, why }: FromPreviews) => {
      if (why !== undefined) this.#log.debug({ why }, 'A medium has no preview')
      this.#settle(number, preview)
    })
    child.on('error', (error) => this.#end(child, error.message))
    child.on('exit', (code, signal) => this.#end(child, `its process ended with ${code ?? signal}`))
    // It keeps nobody waiting for its end.
    child.unref()
    child.channel?.unref()
    try {
      if (child.pid !== undefined) setPriority(child.pid, niceness)
    } catch {
      // It has ended already, or the platform has no priorities.
    }
    return child
  }

  #settle(number: number, preview: Preview): void {
    const running = this.#running.get(number)
    if (running === undefined) return
    this.#running.delete(number)
    running.over = true
    running.timer?.cancel()
    running.done.resolve(preview)
    if (this.#running.size > 0) return
    this.#idle?.cancel()
    this.#idle = this.#clock.after(idleMs, () => this.close())
  }

  /** All that it was at have no preview; the next medium gets another process. */
  #end(child: ChildProcess, why: string | undefined): void {
    if (this.#child !== child) return
    this.#child = undefined
    child.kill('SIGKILL')
    if (why !== undefined) this.#log.warn({ why, media: this.#running.size }, 'Previews of media could not be made')
    for (const number of [...this.#running.keys()]) this.#settle(number, {})
    this.#idle?.cancel()
  }
}
