/**
 * The management endpoint of a WebSocket API, `/{stage}/@connections/{connectionId}`, which the real
 * `ApiGatewayManagementApiClient` talks to. Who may call is checked before, by the front.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { gatewayId, isGatewayId } from './identifiers.ts'
import { messageBytesMax } from './live-socket.ts'
import { readBody } from './request.ts'
import type { WebSocketApi } from './websocket-api.ts'

export interface Management {
  /** Answers a request whose path ends in `/{stage}/@connections/{connectionId}`; never rejects. */
  handleManagement(req: IncomingMessage, res: ServerResponse): Promise<void>
}

interface Answer {
  readonly status: number
  /** The SDK makes its exception from this name. */
  readonly errorType?: string
  readonly body?: Readonly<Record<string, unknown>>
}

export function createManagement(api: WebSocketApi): Management {
  const answer = async (req: IncomingMessage): Promise<Answer> => {
    const [path = ''] = (req.url ?? '').split('?')
    const [, stage, encoded] = /\/([^/]+)\/@connections\/([^/]+)\/?$/.exec(path) ?? []
    if (encoded === undefined || stage !== api.spec.stageName) return failure(403, 'ForbiddenException', 'Forbidden')
    const body = await readBody(req, messageBytesMax)
    const connectionId = decode(encoded)
    if (connectionId === undefined || !isGatewayId(connectionId)) {
      return failure(400, 'BadRequestException', `Invalid connectionId: ${connectionId ?? encoded}`)
    }
    if (body === 'too large') {
      req.resume()
      return failure(413, 'PayloadTooLargeException', 'Payload too large')
    }
    const live = api.connection(connectionId)
    if (live === undefined) return failure(410, 'GoneException')
    switch (req.method) {
      case 'POST': {
        const outcome = live.send(body)
        if (outcome === 'gone') return failure(410, 'GoneException')
        return outcome === 'full' ? failure(429, 'LimitExceededException', 'Client buffer is full') : { status: 200 }
      }
      case 'GET':
        return {
          status: 200,
          body: {
            connectedAt: new Date(live.client.connectedAtMs).toISOString(),
            identity: live.client.identity,
            lastActiveAt: new Date(live.lastActiveAtMs()).toISOString(),
          },
        }
      case 'DELETE':
        live.close(1000, 'Connection Closed Normally')
        return { status: 204 }
      default:
        return failure(403, 'ForbiddenException', 'Forbidden')
    }
  }

  return {
    async handleManagement(req, res) {
      const result = await answer(req).catch((error: unknown): Answer => {
        return failure(500, 'InternalServerErrorException', error instanceof Error ? error.message : String(error))
      })
      if (res.headersSent || res.destroyed) return
      const text = result.body === undefined ? '' : JSON.stringify(result.body)
      res.writeHead(result.status, {
        'x-amzn-requestid': gatewayId(),
        ...(result.errorType === undefined ? {} : { 'x-amzn-errortype': result.errorType }),
        ...(result.status === 204
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      })
      res.end(text)
    },
  }
}

function failure(status: number, errorType: string, message?: string): Answer {
  return { status, errorType, ...(message === undefined ? {} : { body: { message } }) }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
