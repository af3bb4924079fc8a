/** Functions as plain handlers, behind the `Invoker` seam: deep copies, errors as results, and a record of every call. */
import type { EngineLog, InvokeResult, Invoker, InvokeSource } from '../../../local/engine/contracts.ts'

export type Handler = (event: never) => unknown

export interface Invocation {
  readonly functionArn: string
  readonly event: unknown
  readonly source: InvokeSource
}

export interface FakeFunctions extends Invoker {
  readonly invocations: Invocation[]
  /** Resolves with the first invocation that fits, also one that was made before. */
  invoked(fits: (invocation: Invocation) => boolean): Promise<Invocation>
}

export function fakeFunctions(handlers: Readonly<Record<string, Handler>>): FakeFunctions {
  const invocations: Invocation[] = []
  const waiting = new Set<() => void>()
  return {
    invocations,
    async invoke(functionArn, event, source): Promise<InvokeResult> {
      const copy: unknown = JSON.parse(JSON.stringify(event))
      invocations.push({ functionArn, event: copy, source })
      for (const look of [...waiting]) look()
      const handler = handlers[functionArn]
      try {
        if (handler === undefined) throw new Error(`no function ${functionArn}`)
        const payload: unknown = await handler(copy as never)
        return { kind: 'ok', payload: payload === undefined ? null : JSON.parse(JSON.stringify(payload)) }
      } catch (error) {
        const { name, message } = error as Error
        return { kind: 'error', errorType: name, errorMessage: message, timedOut: false }
      }
    },
    invoked(fits) {
      return new Promise((resolve) => {
        const look = (): void => {
          const found = invocations.find(fits)
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      })
    },
  }
}

export interface RecordedLog extends EngineLog {
  readonly lines: string[]
}

export function recordedLog(): RecordedLog {
  const lines: string[] = []
  const line = (level: string) => (part: string, message: string) => {
    lines.push(`${level} ${part}: ${message}`)
  }
  return { lines, info: line('info'), warn: line('warn'), error: line('error') }
}

/** A promise with its handles, to hold a function back until the test lets it go. */
export function gate<T = void>(): { readonly opened: Promise<T>; open(value: T): void } {
  const { promise, resolve } = Promise.withResolvers<T>()
  return { opened: promise, open: resolve }
}
