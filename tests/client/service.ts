import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Answer = { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }

/** A service that answers what the test says, and whose sockets the test holds. */
export async function startService(answer: (asked: Asked) => Answer) {
  const asked: Asked[] = []
  const sockets: WebSocket[] = []
  const tickets: (string | null)[] = []
  const queries: URLSearchParams[] = []
  const waiting: (() => void)[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body }
    asked.push(one)
    const { status, body: answered, headers } = answer(one)
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(answered === undefined ? '' : JSON.stringify(answered))
  })
  const live = new WebSocketServer({ server })
  live.on('connection', (socket, request) => {
    sockets.push(socket)
    const query = new URL(request.url ?? '/', 'http://localhost').searchParams
    queries.push(query)
    tickets.push(query.get('ticket'))
    for (const wake of waiting.splice(0)) wake()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}/`,
    liveUrl: `ws://127.0.0.1:${port}/live`,
    asked,
    tickets,
    /** Of the sockets' URLs, in the order of opening. */
    queries,
    /** The n-th socket that was opened, from 0. */
    async socket(n: number): Promise<WebSocket> {
      for (;;) {
        const socket = sockets[n]
        if (socket !== undefined) return socket
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
    },
    async stop(): Promise<void> {
      for (const socket of live.clients) socket.terminate()
      live.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
