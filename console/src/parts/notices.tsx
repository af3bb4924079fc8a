import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from 'react'
import { createPortal } from 'react-dom'
import { ProblemError } from '../../../shared/client/index.ts'

interface Notice {
  readonly key: number
  readonly kind: 'done' | 'problem'
  readonly text: string
}

interface Say {
  done(text: string): void
  problem(error: unknown): void
  /** Runs it; what goes wrong is said. True when it went well. */
  attempt(work: () => Promise<unknown>, done?: string): Promise<boolean>
  /** An open dialog shows what is said itself: everything outside of it is out of reach. Returns what takes it back. */
  within(dialog: Element): () => void
}

const SayContext = createContext<Say | undefined>(undefined)
const shownMs = 6_000
let count = 0

/** What a request came to, for a few seconds; problems stay until they are closed. */
export function Notices({ children }: { readonly children: ReactNode }) {
  const [notices, setNotices] = useState<readonly Notice[]>([])
  const [dialogs, setDialogs] = useState<readonly Element[]>([])
  const close = useCallback((key: number) => setNotices((now) => now.filter((notice) => notice.key !== key)), [])
  const add = useCallback(
    (kind: Notice['kind'], text: string) => {
      count += 1
      const notice = { key: count, kind, text }
      setNotices((now) => [...now.filter((other) => other.text !== text), notice].slice(-4))
      if (kind === 'done') setTimeout(() => close(notice.key), shownMs)
    },
    [close],
  )
  const say = useMemo<Say>(() => {
    const problem = (error: unknown) => add('problem', problemText(error))
    return {
      done: (text) => add('done', text),
      problem,
      within: (dialog) => {
        setDialogs((now) => [...now, dialog])
        return () => setDialogs((now) => now.filter((other) => other !== dialog))
      },
      attempt: async (work, done) => {
        try {
          await work()
          if (done !== undefined) add('done', done)
          return true
        } catch (error) {
          problem(error)
          return false
        }
      },
    }
  }, [add])
  const top = dialogs.at(-1)
  const shown = (
    <section className="notices" aria-live="polite" aria-label="Notices">
      {notices.map(({ key, kind, text }) => (
        <p key={key} className={`notice ${kind}`}>
          <span>{text}</span>
          <button type="button" className="plain" aria-label="Close this notice" onClick={() => close(key)}>
            ×
          </button>
        </p>
      ))}
    </section>
  )
  return (
    <SayContext value={say}>
      {children}
      {top === undefined ? shown : createPortal(shown, top)}
    </SayContext>
  )
}

export function useSay(): Say {
  const say = useContext(SayContext)
  if (say === undefined) throw new Error('outside of the notices')
  return say
}

/** What a person can do something with: the problem's own sentence, and the fields that it names. */
export function problemText(error: unknown): string {
  if (error instanceof ProblemError) {
    const fields = error.errors.map(({ field, message }) => `${field} ${message}`)
    // One field alone is in the sentence already.
    return fields.length < 2 ? error.message : `${error.message} (${fields.join('; ')})`
  }
  if (error instanceof TypeError) return 'The service cannot be reached. Are you offline?'
  return error instanceof Error ? error.message : String(error)
}
