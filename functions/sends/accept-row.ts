import type { WaitingCounts } from '../../shared/aws/waiting.ts'
import type { AcceptOutcome, ApiMessages, OutboundRow } from '../../shared/domain/stores/messages.ts'
import { log } from '../log.ts'
import { RecentValues } from '../recent-values.ts'

/** A recount reads up to the limit of waiting sends: once a minute per connection is enough, however often it is asked. */
const recounted = new RecentValues<true>({ keepMs: 60_000, entriesMax: 1_000 })

/**
 * Writes the row. A crash between two writes leaves the connection's count of waiting sends too high; so before a send is
 * refused for the limit, they are counted.
 */
export async function acceptRow(
  { messages }: { readonly messages: Pick<ApiMessages, 'accept'> & WaitingCounts },
  row: Omit<OutboundRow, 'seq'>,
): Promise<AcceptOutcome> {
  const outcome = await messages.accept(row)
  if (outcome.kind !== 'too_many_waiting' || recounted.get(row.connectionId)) return outcome
  recounted.set(row.connectionId, true)
  try {
    const counted = await messages.recount(row, row.partition)
    if (counted.kind === 'counted' && counted.waiting >= outcome.limit) return outcome
  } catch (error) {
    log.error('waiting sends not counted', { connectionId: row.connectionId, error: error as Error })
    return outcome
  }
  return messages.accept(row)
}
