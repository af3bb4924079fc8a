import { useCallback, useEffect, useState } from 'react'
import { useSay } from './notices.tsx'

export interface Loaded<T> {
  /** Undefined until the first answer. */
  readonly value: T | undefined
  /** Why there is none. What was there once stays, and what goes wrong later is said. */
  readonly problem: unknown
  readonly load: () => Promise<void>
}

/** @param read the same function as long as it reads the same */
export function useLoaded<T>(read: () => Promise<T>): Loaded<T> {
  const say = useSay()
  const [value, setValue] = useState<T>()
  const [problem, setProblem] = useState<unknown>()
  const isThere = value !== undefined
  // biome-ignore lint/correctness/useExhaustiveDependencies: `say` is the same as long as the page is
  const load = useCallback(async () => {
    setProblem(undefined)
    try {
      setValue(await read())
    } catch (error) {
      setProblem(error)
    }
  }, [read])
  useEffect(() => void load(), [load])
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each problem
  useEffect(() => {
    if (isThere && problem !== undefined) say.problem(problem)
  }, [problem])
  return { value, problem: isThere ? undefined : problem, load }
}
