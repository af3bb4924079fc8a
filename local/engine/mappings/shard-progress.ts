/**
 * How far a shard is done, when its records are processed in several lanes at once: up to the last record before which none
 * is open. Only that may become a checkpoint.
 */
export interface ShardProgress {
  /** Records as they were read, in order. */
  add(sequenceNumbers: readonly string[]): void
  /** The new end of what is done; `undefined` when it did not move. */
  done(sequenceNumbers: readonly string[]): string | undefined
  open(): number
}

export function createShardProgress(): ShardProgress {
  /** In the order of adding, which is the stream's. */
  const open = new Map<string, 'open' | 'done'>()
  return {
    add(sequenceNumbers) {
      for (const sequenceNumber of sequenceNumbers) open.set(sequenceNumber, 'open')
    },
    done(sequenceNumbers) {
      for (const sequenceNumber of sequenceNumbers) open.set(sequenceNumber, 'done')
      let end: string | undefined
      for (const [sequenceNumber, state] of open) {
        if (state === 'open') break
        end = sequenceNumber
        open.delete(sequenceNumber)
      }
      return end
    },
    open: () => open.size,
  }
}
