import { useEffect, useState } from 'react'
import { useSay } from './notices.tsx'

/**
 * What `read` gives, again and again while somebody looks.
 *
 * @param read the same function as long as it reads the same
 * @returns undefined until the first answer
 */
export function usePolled<T>(read: () => Promise<T>, everyMs: number): T | undefined {
  const say = useSay()
  const [value, setValue] = useState<T>()
  // biome-ignore lint/correctness/useExhaustiveDependencies: `say` is the same as long as the page is
  useEffect(() => {
    let here = true
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = async () => {
      await read().then((answer) => here && setValue(answer), say.problem)
      if (here) timer = setTimeout(look, everyMs)
    }
    void look()
    return () => {
      here = false
      clearTimeout(timer)
    }
  }, [read, everyMs])
  return value
}
