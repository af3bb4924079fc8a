import { liveConnectQuerySchema } from '../../shared/api/live.ts'
import { invalidRequest, Problem, problemMediaType } from '../../shared/api/problems.ts'
import { documentClient } from '../../shared/aws/clients.ts'
import { liveStore } from '../../shared/aws/live.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'
import { isoNow } from '../time.ts'
import { toProblem } from '../to-problem.ts'
import { liveHandler } from './stack.ts'

const config = configure('LIVE_TABLE')
const live = liveStore({ documents: documentClient(), table: config.LIVE_TABLE })

/** `$connect`: spends the ticket and writes the subscription, whose stream record brings the snapshot. */
export const handler = liveHandler(
  async (event) => {
    const query = liveConnectQuerySchema.safeParse(event.queryStringParameters ?? {})
    if (!query.success) {
      const ofTicket = query.error.issues.some(({ path: [field] }) => field === 'ticket')
      throw ofTicket ? new Problem('invalid_ticket') : invalidRequest(query.error, 'query')
    }
    const { ticket, connectionId: connectionIds, since } = query.data
    const spent = await live.spendTicket(ticket, event.requestContext.connectionId, isoNow(), {
      ...(connectionIds === undefined ? {} : { interest: { kind: 'connections', connectionIds } }),
      ...(since === undefined ? {} : { since }),
    })
    if (spent.kind === 'refused') throw new Problem('invalid_ticket')
    log.info('socket opened', { businessProfileId: spent.subscription.businessProfileId })
    return { statusCode: 200 }
  },
  (error, event) => {
    const problem = toProblem(error)
    if (problem.status >= 500) log.error('connect failed', { error: error as Error })
    else log.info('connect refused', { code: problem.code })
    return {
      statusCode: problem.status,
      headers: { 'content-type': problemMediaType },
      body: JSON.stringify(problem.document(event.requestContext.requestId)),
    }
  },
)
