import { type LiveFrame, type LiveRequest, liveRequestSchema } from '../../shared/api/live.ts'
import { invalidRequest, Problem } from '../../shared/api/problems.ts'
import { documentClient } from '../../shared/aws/clients.ts'
import { apiConnections } from '../../shared/aws/connections.ts'
import { type Interest, liveStore, type Subscription } from '../../shared/aws/live.ts'
import { assertNever } from '../../shared/domain/words.ts'
import { configure } from '../config.ts'
import { log } from '../log.ts'
import { isoNow } from '../time.ts'
import { toProblem } from '../to-problem.ts'
import { errorFrame, pongFrame, subscribedFrame } from './frames.ts'
import { changedInterest } from './interest.ts'
import { type LiveResult, liveHandler } from './stack.ts'

const config = configure('LIVE_TABLE', 'CONNECTIONS_TABLE')
const documents = documentClient()
const live = liveStore({ documents, table: config.LIVE_TABLE })
const connections = apiConnections({ documents, table: config.CONNECTIONS_TABLE })

/** Two tabs' worth of changes may come between reading a subscription and changing it. */
const triesMax = 5

/** What a client says on its socket. The answer goes back as the route's response. */
export const handler = liveHandler(
  async (event) => answer(await act(event.requestContext.connectionId, parse(event.body))),
  (error, event) => {
    const problem = toProblem(error)
    if (problem.status >= 500) log.error('request on the socket failed', { error: error as Error })
    return answer(errorFrame(problem, event.requestContext.requestId))
  },
)

const answer = (frame: LiveFrame): LiveResult => ({ statusCode: 200, body: JSON.stringify(frame) })

function parse(body: string | undefined): LiveRequest {
  let value: unknown
  try {
    value = JSON.parse(body ?? '')
  } catch (cause) {
    throw new Problem('malformed_json', { cause })
  }
  const result = liveRequestSchema.safeParse(value, { reportInput: true })
  if (!result.success) throw invalidRequest(result.error)
  return result.data
}

async function act(socketId: string, request: LiveRequest): Promise<LiveFrame> {
  switch (request.action) {
    case 'ping':
      await subscribed(socketId)
      return pongFrame()
    case 'subscribe':
    case 'unsubscribe': {
      const { interest, version } = await change(socketId, request)
      return subscribedFrame(interest.kind === 'all' ? null : interest.connectionIds, version)
    }
    default:
      return assertNever(request)
  }
}

/** A socket that missed a change is forgotten before it is closed: what it still asks for tells it to connect again. */
async function subscribed(socketId: string): Promise<Subscription> {
  const subscription = await live.subscriptionOf(socketId)
  if (subscription !== undefined) return subscription
  throw new Problem('not_found', { detail: 'This socket is not subscribed: connect again.' })
}

async function change(socketId: string, request: Exclude<LiveRequest, { action: 'ping' }>): Promise<Subscription> {
  for (let tries = 0; tries < triesMax; tries++) {
    const subscription = await subscribed(socketId)
    await requireConnection(subscription, request)
    const interest: Interest | undefined = changedInterest(subscription.interest, request)
    if (interest === undefined) return subscription
    const outcome = await live.changeInterest(subscription, interest, isoNow())
    if (outcome.kind === 'changed') return outcome.subscription
  }
  throw new Problem('unavailable')
}

async function requireConnection({ businessProfileId }: Subscription, request: LiveRequest): Promise<void> {
  if (request.action !== 'subscribe' || request.connectionId === undefined) return
  const row = await connections.get({ businessProfileId, connectionId: request.connectionId })
  if (row === undefined) throw new Problem('connection_not_found')
}
