/**
 * A WebSocket API (API Gateway v2) in front of functions: upgrades clients, turns their messages into invocations, and keeps
 * the open sockets that `@connections` posts to.
 */
import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { EngineLog, Invoker, WebSocketApiSpec, WebSocketRouteSpec } from '../contracts.ts'
import { executeApiArn, gatewayId } from './identifiers.ts'
import { createInFlight, timedOut, within } from './in-flight.ts'
import {
  createLiveSocket,
  defaultSocketLimits,
  type LiveSocket,
  messageBytesMax,
  type SocketLimits,
} from './live-socket.ts'
import { compileRouteSelection } from './route-selection.ts'
import { decideConnect, integrationMsMax, proxyResponse } from './websocket-connect.ts'
import {
  type ClientFacts,
  type ConnectionAuthorizer,
  clientFacts,
  disconnectEvent,
  messageEvent,
} from './websocket-event.ts'

export interface WebSocketApi {
  readonly spec: WebSocketApiSpec
  /** Takes over the socket of an upgrade request, whatever its path is: another than the stage's is refused with 403. */
  handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void
  /** The open socket of a connection; `undefined` before `$connect` returned and from the close on. */
  connection(connectionId: string): LiveSocket | undefined
  /** Closes all sockets with 1001 and waits until every `$disconnect` has run. */
  stop(): Promise<void>
}

interface Connection {
  readonly client: ClientFacts
  readonly authorizer: ConnectionAuthorizer | undefined
}

/** @throws {Error} when the route selection expression can't be run */
export function createWebSocketApi(
  spec: WebSocketApiSpec,
  invoker: Invoker,
  log: EngineLog,
  limits: Partial<SocketLimits> = {},
): WebSocketApi {
  const part = `live api ${spec.name}`
  const selectRoute = compileRouteSelection(spec.routeSelectionExpression, spec.name)
  const routes = new Map(spec.routes.map((route) => [route.routeKey, route]))
  const messageRoutes = new Map([...routes].filter(([key]) => key !== '$connect' && key !== '$disconnect'))
  const open = new Map<string, LiveSocket>()
  const inFlight = createInFlight()
  const subprotocols = new WeakMap<IncomingMessage, string>()
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: messageBytesMax,
    perMessageDeflate: false,
    handleProtocols: (offered, req) => {
      const chosen = subprotocols.get(req)
      return chosen !== undefined && offered.has(chosen) ? chosen : false
    },
  })
  let stopping = false

  const invokeRoute = (route: WebSocketRouteSpec, event: unknown) =>
    inFlight.track(
      invoker.invoke(route.functionArn, event, {
        service: 'apigateway.amazonaws.com',
        sourceArn: executeApiArn(spec, `${spec.stageName}/${route.routeKey}`),
      }),
    )

  const upgrade = async (req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const path = (req.url ?? '/').split('?')[0]
    if (stopping) return refuseUpgrade(socket, 503, 'Service Unavailable')
    if (path !== `/${spec.stageName}` && path !== `/${spec.stageName}/`) return refuseUpgrade(socket, 403, 'Forbidden')
    if (req.headers.upgrade?.toLowerCase() !== 'websocket' || req.headers['sec-websocket-key'] === undefined) {
      return refuseUpgrade(socket, 400, 'Bad Request')
    }
    const client = clientFacts(req, Date.now())
    const decision = await decideConnect({ api: spec, invoker, log, client })
    if (decision.kind === 'refuse') return refuseUpgrade(socket, decision.status, decision.message)
    const connection: Connection = { client, authorizer: decision.authorizer }
    if (decision.subprotocol !== undefined) subprotocols.set(req, decision.subprotocol)
    // The client may have gone while the function ran: it was connected, so it is disconnected.
    if (!socket.readable || !socket.writable) return disconnected(connection, { code: 1006, reason: '' })
    server.handleUpgrade(req, socket, head, (webSocket) => accept(connection, webSocket))
  }

  const accept = (connection: Connection, webSocket: WebSocket): void => {
    const { connectionId } = connection.client
    const live = createLiveSocket(webSocket, {
      client: connection.client,
      limits: { ...defaultSocketLimits, ...limits, idleMs: spec.idleTimeoutMs, durationMs: spec.maxDurationMs },
      onMessage: (body) => {
        inFlight.track(message(connection, live, body)).catch((error: unknown) => log.error(part, String(error)))
      },
      onClosing: () => open.delete(connectionId),
      onClosed: (end) => {
        inFlight.track(disconnected(connection, end)).catch((error: unknown) => log.error(part, String(error)))
      },
    })
    open.set(connectionId, live)
    if (!stopping) return
    live.close(1001, 'Going away')
    inFlight.track(live.closed)
  }

  const message = async (connection: Connection, live: LiveSocket, body: string): Promise<void> => {
    const requestId = gatewayId()
    const sayError = (text: string): void => {
      const { connectionId } = connection.client
      live.send(Buffer.from(JSON.stringify({ message: text, connectionId, requestId })))
    }
    const named = selectRoute(body)
    const route = (named === undefined ? undefined : messageRoutes.get(named)) ?? messageRoutes.get('$default')
    if (route === undefined) return sayError('Forbidden')
    const stamp = { requestId, nowMs: Date.now() }
    const event = messageEvent(spec, connection.client, connection.authorizer, stamp, {
      routeKey: route.routeKey,
      body,
    })
    const result = await within(integrationMsMax, invokeRoute(route, event))
    if (result === timedOut) return sayError('Endpoint request timed out')
    const response = result.kind === 'ok' ? proxyResponse(result.payload) : undefined
    if (response === undefined) {
      const why =
        result.kind === 'error' ? `${result.errorType}: ${result.errorMessage}` : 'no statusCode in the answer'
      log.error(part, `${route.routeKey}: ${why}`)
      return sayError('Internal server error')
    }
    if (route.returnsResponse && response.body !== undefined && response.body !== '') {
      live.send(Buffer.from(response.body))
    }
  }

  const disconnected = async (connection: Connection, end: { code: number; reason: string }): Promise<void> => {
    const route = routes.get('$disconnect')
    if (route === undefined) return
    const stamp = { requestId: gatewayId(), nowMs: Date.now() }
    const result = await invokeRoute(route, disconnectEvent(spec, connection.client, connection.authorizer, stamp, end))
    if (result.kind === 'error') log.error(part, `$disconnect: ${result.errorType}: ${result.errorMessage}`)
  }

  return {
    spec,
    handleUpgrade(req, socket, head) {
      socket.on('error', () => socket.destroy())
      inFlight.track(upgrade(req, socket, head)).catch((error: unknown) => {
        log.error(part, `$connect: ${error instanceof Error ? error.message : error}`)
        refuseUpgrade(socket, 500, 'Internal Server Error')
      })
    },
    connection: (connectionId) => open.get(connectionId),
    async stop() {
      stopping = true
      const closing = [...open.values()].map((live) => {
        live.close(1001, 'Going away')
        return live.closed
      })
      await Promise.all(closing)
      await inFlight.settled()
    },
  }
}

function refuseUpgrade(socket: Duplex, status: number, message: string): void {
  if (!socket.writable) return
  const body = JSON.stringify({ message })
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
      `x-amzn-requestid: ${gatewayId()}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  )
}
