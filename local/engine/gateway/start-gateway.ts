/**
 * Serves all APIs of the template on this machine. One HTTP API and one WebSocket API share a port, since upgrades are told
 * apart by themselves; with more of a kind each API has a port of its own, counted up from the given one.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { EngineLog, HttpApiSpec, Invoker, Running, WebSocketApiSpec } from '../contracts.ts'
import { createHttpApi, type HttpApi } from './http-api.ts'
import { gatewayAnswer } from './http-response.ts'
import type { SocketLimits } from './live-socket.ts'
import { createManagement, type Management } from './management.ts'
import { createWebSocketApi, type WebSocketApi } from './websocket-api.ts'

/** Requests whose path is `prefix` or below it go to the handler instead of the HTTP API, such as `/console`. */
export interface ExtraRoute {
  readonly prefix: string
  readonly handle: (req: IncomingMessage, res: ServerResponse) => void
}

export interface GatewayOptions {
  readonly httpApis: readonly HttpApiSpec[]
  readonly webSocketApis: readonly WebSocketApiSpec[]
  readonly invoker: Invoker
  /** 0 takes free ports. */
  readonly port: number
  readonly host: string
  readonly log: EngineLog
  readonly extraRoutes?: readonly ExtraRoute[]
  readonly socketLimits?: Partial<Pick<SocketLimits, 'sendBufferBytesMax' | 'closeMs'>>
}

export interface Gateway extends Running {
  /** `http://127.0.0.1:PORT`, with the stage when it is a named one. */
  httpUrl(apiId: string): string
  /** `ws://127.0.0.1:PORT/{stage}` */
  liveUrl(apiId: string): string
  /** Answers `@connections` requests of the API; the caller checks IAM before. It is not served on the gateway's port. */
  management(apiId: string): Management
}

/** API Gateway refuses more than this of request line and headers. */
const headerBytesMax = 10_240

interface Listener {
  readonly http?: { readonly spec: HttpApiSpec; readonly api: HttpApi }
  readonly live?: WebSocketApi
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { invoker, log, host } = options
  const https = options.httpApis.map((spec) => ({ http: { spec, api: createHttpApi(spec, invoker, log) } }))
  const lives = options.webSocketApis.map((spec) => ({
    live: createWebSocketApi(spec, invoker, log, options.socketLimits),
  }))
  const shared = https.length <= 1 && lives.length <= 1
  const listeners: Listener[] = shared ? [{ ...https[0], ...lives[0] }] : [...https, ...lives]
  const extraRoutes = options.extraRoutes ?? []

  const servers: Server[] = []
  const ports = new Map<string, number>()
  try {
    for (const [index, listener] of listeners.entries()) {
      const server = serve(listener, extraRoutes)
      servers.push(server)
      const port = await listen(server, options.port === 0 ? 0 : options.port + index, host)
      for (const apiId of [listener.http?.spec.apiId, listener.live?.spec.apiId]) {
        if (apiId !== undefined) ports.set(apiId, port)
      }
    }
  } catch (error) {
    await Promise.all(servers.map(closeServer))
    throw error
  }

  const managements = new Map(lives.map(({ live }) => [live.spec.apiId, createManagement(live)]))
  return {
    httpUrl(apiId) {
      const spec = find(options.httpApis, apiId, 'HTTP')
      const stage = spec.stageName === '$default' ? '' : `/${spec.stageName}`
      return `http://${host}:${ports.get(apiId)}${stage}`
    },
    liveUrl: (apiId) => `ws://${host}:${ports.get(apiId)}/${find(options.webSocketApis, apiId, 'WebSocket').stageName}`,
    management(apiId) {
      const management = managements.get(apiId)
      if (management === undefined) throw new Error(`no WebSocket API ${apiId}`)
      return management
    },
    async stop() {
      const closing = servers.map(closeServer)
      await Promise.all(lives.map(({ live }) => live.stop()))
      await Promise.all(https.map(({ http }) => http.api.settled()))
      // Answers that are being written get a moment; a client that holds its connection open does not hold up the stop.
      const sweep = setInterval(() => {
        for (const server of servers) server.closeIdleConnections()
      }, 10)
      const cutOff = setTimeout(() => {
        for (const server of servers) server.closeAllConnections()
      }, 1000)
      await Promise.all(closing)
      clearInterval(sweep)
      clearTimeout(cutOff)
    },
  }
}

function serve(listener: Listener, extraRoutes: readonly ExtraRoute[]): Server {
  const server = createServer({ maxHeaderSize: headerBytesMax }, (req, res) => {
    const [path = ''] = (req.url ?? '').split('?')
    const extra = extraRoutes.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))
    if (extra !== undefined) return extra.handle(req, res)
    if (listener.http !== undefined) {
      listener.http.api.handle(req, res)
      return
    }
    const refusal = gatewayAnswer(403, 'Forbidden')
    res.writeHead(refusal.status, { 'content-type': 'application/json' }).end(refusal.body)
  })
  server.on('upgrade', (req, socket, head) => {
    if (listener.live !== undefined) return listener.live.handleUpgrade(req, socket, head)
    socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n')
  })
  return server
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return (server.address() as AddressInfo).port
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
}

function find<T extends { readonly apiId: string }>(specs: readonly T[], apiId: string, kind: string): T {
  const spec = specs.find((candidate) => candidate.apiId === apiId)
  if (spec === undefined) throw new Error(`no ${kind} API ${apiId}`)
  return spec
}
