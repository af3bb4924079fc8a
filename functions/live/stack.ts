import middy, { type MiddlewareObj } from '@middy/core'
import type { APIGatewayProxyResultV2, APIGatewayProxyWebsocketEventV2 } from 'aws-lambda'
import { log } from '../log.ts'

/** `$connect` has the query of the WebSocket's URL as well, which `@types/aws-lambda` leaves out. */
export interface LiveEvent extends APIGatewayProxyWebsocketEventV2 {
  readonly queryStringParameters?: Record<string, string | undefined>
}
export type LiveResult = Exclude<APIGatewayProxyResultV2, string>

/**
 * The handler of a WebSocket route.
 *
 * @param refuse answers for an error that `run` threw
 */
export function liveHandler(
  run: (event: LiveEvent) => Promise<LiveResult>,
  refuse: (error: unknown, event: LiveEvent) => LiveResult,
) {
  return middy<LiveEvent, LiveResult>()
    .use(requestLog())
    .use({
      onError: (request) => {
        request.response = refuse(request.error, request.event)
      },
    } satisfies MiddlewareObj<LiveEvent, LiveResult>)
    .handler(run)
}

function requestLog(): MiddlewareObj<LiveEvent, LiveResult> {
  return {
    before: ({ event: { requestContext } }) => {
      log.resetKeys()
      log.appendKeys({
        requestId: requestContext.requestId,
        route: requestContext.routeKey,
        socketId: requestContext.connectionId,
      })
    },
  }
}
