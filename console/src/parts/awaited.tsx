import type { ReactNode } from 'react'
import { Empty } from './empty.tsx'
import { problemText } from './notices.tsx'
import type { Loaded } from './use-loaded.ts'

export interface AwaitedProps<T> {
  readonly loaded: Loaded<T>
  /** In the plural: "webhooks". */
  readonly what: string
  readonly children: (value: T) => ReactNode
}

/** What was loaded; until then that it is on its way, or why it did not come and how to try again. */
export function Awaited<T>({ loaded: { value, problem, load }, what, children }: AwaitedProps<T>) {
  if (value !== undefined) return <>{children(value)}</>
  if (problem === undefined) return <p role="status">Loading {what}…</p>
  return (
    <div role="alert">
      <Empty title={`The ${what} cannot be shown`}>
        <p>{problemText(problem)}</p>
        <button type="button" onClick={() => void load()}>
          Try again
        </button>
      </Empty>
    </div>
  )
}
