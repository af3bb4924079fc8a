/** Work that outlives the request that began it, so that stopping can wait for it; and its time limit. */
export interface InFlight {
  /** Hands `work` through and remembers it until it settles. */
  track<T>(work: Promise<T>): Promise<T>
  /** Resolves when nothing is in flight, also nothing that began meanwhile. */
  settled(): Promise<void>
}

export function createInFlight(): InFlight {
  const running = new Set<Promise<unknown>>()
  return {
    track(work) {
      running.add(work)
      const done = () => running.delete(work)
      work.then(done, done)
      return work
    },
    async settled() {
      while (running.size > 0) await Promise.allSettled(running)
    },
  }
}

export const timedOut = Symbol('timed out')

/** `work`, or `timedOut` after `ms`; the work itself goes on, as it does on AWS. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T | typeof timedOut> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<typeof timedOut>((resolve) => {
    timer = setTimeout(() => resolve(timedOut), ms)
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}
