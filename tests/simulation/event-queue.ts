export interface QueuedEvent {
  readonly at: number
  readonly order: number
  readonly callback: () => void
  cancelled: boolean
}

/** Events in order of time, and in order of adding among equals: a binary heap. */
export class EventQueue {
  readonly #heap: QueuedEvent[] = []
  #order = 0

  add(at: number, callback: () => void): QueuedEvent {
    const event: QueuedEvent = { at, order: this.#order++, callback, cancelled: false }
    const heap = this.#heap
    let child = heap.push(event) - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!comesBefore(event, heap[parent] as QueuedEvent)) break
      heap[child] = heap[parent] as QueuedEvent
      child = parent
    }
    heap[child] = event
    return event
  }

  /** Takes out the first event that was not cancelled, if it is due by `end`. */
  next(end: number): QueuedEvent | undefined {
    for (let first = this.#heap[0]; first !== undefined && first.at <= end; first = this.#heap[0]) {
      this.#removeFirst()
      if (!first.cancelled) return first
    }
    return undefined
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let parent = 0
    for (let child = 1; child < heap.length; child = 2 * parent + 1) {
      const right = child + 1
      if (right < heap.length && comesBefore(heap[right] as QueuedEvent, heap[child] as QueuedEvent)) child = right
      if (!comesBefore(heap[child] as QueuedEvent, last)) break
      heap[parent] = heap[child] as QueuedEvent
      parent = child
    }
    heap[parent] = last
  }
}

function comesBefore(a: QueuedEvent, b: QueuedEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
