/**
 * SQS fills an answer with as many messages of one FIFO group as there are; fauxqs puts one of each group into it, so that a
 * connection's doorbells would come one round trip after the other. From here on its queues answer as SQS does.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

interface FifoQueue {
  /** Messages on their way, by group. */
  readonly fifoLockedGroups: Map<string, number>
  dequeueFifo(max: number, ...rest: unknown[]): unknown[]
}

/** SQS's limit. */
const answerMax = 10

export async function fillAnswersFromGroups(): Promise<void> {
  const store = join(dirname(fileURLToPath(import.meta.resolve('fauxqs'))), 'sqs/sqsStore.js')
  const { SqsQueue } = (await import(pathToFileURL(store).href)) as { SqsQueue: { readonly prototype: FifoQueue } }
  const oneOfEach = SqsQueue.prototype.dequeueFifo
  SqsQueue.prototype.dequeueFifo = function (this: FifoQueue, max, ...rest) {
    const others = new Set(this.fifoLockedGroups.keys())
    const ours = new Map<string, number>()
    const answer: unknown[] = []
    for (let more = 1; more > 0; ) {
      const messages = oneOfEach.call(this, Math.min(max, answerMax) - answer.length, ...rest)
      more = messages.length
      answer.push(...messages)
      // Open again to this answer, and to nobody else: all of it happens in one step.
      for (const [group, count] of this.fifoLockedGroups) {
        if (others.has(group)) continue
        ours.set(group, (ours.get(group) ?? 0) + count)
        this.fifoLockedGroups.delete(group)
      }
    }
    for (const [group, count] of ours) this.fifoLockedGroups.set(group, count)
    return answer
  }
}
