/** The watchers of the bench `live` as the bench sees them: a process that is asked, one question at a time. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { root } from './children.ts'
import type { WatcherAnswer, WatcherRequest } from './live-watchers.ts'

export type Known = Extract<WatcherAnswer, { readonly kind: 'known' }>

export class WatcherProcess {
  readonly #child: ChildProcess = fork(join(root, 'tests/bench/live-watchers.ts'))

  async open(baseUrl: string, apiKey: string, watchers: number): Promise<void> {
    await this.#ask({ kind: 'open', baseUrl, apiKey, watchers })
  }

  async know(versions: readonly (readonly [connectionId: string, version: number])[]): Promise<Known> {
    const answer = await this.#ask({ kind: 'know', versions })
    if (answer.kind !== 'known') throw new Error(`expected known, got ${answer.kind}`)
    return answer
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }

  #ask(request: WatcherRequest): Promise<WatcherAnswer> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the watchers ended with ${code}`))
      this.#child.once('exit', ended)
      this.#child.once('message', (answer: WatcherAnswer) => {
        this.#child.off('exit', ended)
        resolve(answer)
      })
      this.#child.send(request)
    })
  }
}
