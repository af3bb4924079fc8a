/**
 * Runs `work` for each item, at most `limit` at a time, and gives the results in the items' order. A failure stops no other
 * item: once all are done, it rejects with the first one. So nothing of an invocation goes on after its answer.
 */
export async function bounded<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array<R>(items.length)
  const failures: unknown[] = []
  const rest = items.entries()
  const lane = async () => {
    for (const [index, item] of rest) {
      try {
        results[index] = await work(item)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  if (failures.length > 0) throw failures[0]
  return results
}
