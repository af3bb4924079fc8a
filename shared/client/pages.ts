export interface Page<T> {
  readonly items: readonly T[]
  /** Give it to the next call; absent on the last page. */
  readonly next?: string
}

/** Every item of a list, page after page, each page read when it is reached. */
export async function* everyItem<T>(page: (next: string | undefined) => Promise<Page<T>>): AsyncGenerator<T, void> {
  let next: string | undefined
  do {
    const read = await page(next)
    yield* read.items
    next = read.next
  } while (next !== undefined)
}
