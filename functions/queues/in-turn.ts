import type { SQSRecord } from 'aws-lambda'
import { bounded } from '../bounded.ts'
import { log } from '../log.ts'

const atOnce = 10

/**
 * Messages of one FIFO group one after the other, all others side by side. After the first failure of a group the rest of it
 * waits with it, so that it keeps its order.
 *
 * @param accept rejects where the message must come again
 * @returns SQS message ids of those that must come again
 */
export async function acceptInTurn(
  records: readonly SQSRecord[],
  accept: (record: SQSRecord) => Promise<void>,
): Promise<readonly string[]> {
  const groups = Map.groupBy(records, ({ attributes, messageId }) => attributes.MessageGroupId ?? messageId)
  const failed = await bounded([...groups.values()], atOnce, async (group) => {
    for (const [index, record] of group.entries()) {
      try {
        await accept(record)
      } catch (error) {
        log.warn('send not accepted; it will come again', { sqsMessageId: record.messageId, error: error as Error })
        return group.slice(index)
      }
    }
    return []
  })
  return failed.flat().map(({ messageId }) => messageId)
}
